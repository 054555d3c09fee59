/* Swagger UI is dark where its root says so: it follows the desk's choice, else the system's. */
"use strict";

(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function follow() {
    const chosen = root.dataset.theme;
    root.classList.toggle("dark-mode", chosen ? chosen === "dark" : system.matches);
  }

  follow();
  document.addEventListener("desk:theme", follow);
})();
