/* Runs before the first paint: the reader's choice of light or dark wins over the system's. */
"use strict";

(() => {
  const root = document.documentElement;
  const names = ["auto", "light", "dark"];

  function stored() {
    try {
      const name = localStorage.getItem("desk-theme");
      return names.includes(name) ? name : "auto";
    } catch {
      return "auto";
    }
  }

  function apply(name) {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    document.dispatchEvent(new CustomEvent("desk:theme"));
  }

  apply(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(stored()));

  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-theme-choice]");
    if (!choice) return;
    try {
      localStorage.setItem("desk-theme", choice.dataset.themeChoice);
    } catch {
      /* Private windows may refuse storage: the choice then holds for this page only. */
    }
    apply(choice.dataset.themeChoice);
  });
})();
