/* Redoc in the colours of the desk. */
"use strict";

(() => {
  const place = document.getElementById("redoc");
  const ink = document.createElement("span");
  place.append(ink);

  /* A token is light-dark(…); what an element shows is the colour that counts now. */
  function colour(token) {
    ink.style.color = `var(--${token})`;
    return getComputedStyle(ink).color;
  }

  const theme = {
    colors: {
      primary: { main: colour("brand") },
      text: { primary: colour("ink"), secondary: colour("ink-soft") },
      border: { dark: colour("line-strong"), light: colour("line") },
      gray: { 50: colour("surface-sunk"), 100: colour("line") },
    },
    schema: {
      linesColor: colour("line-strong"),
      nestedBackground: colour("surface-sunk"),
      typeNameColor: colour("ink-faint"),
      typeTitleColor: colour("ink-soft"),
    },
    sidebar: {
      backgroundColor: colour("surface"),
      textColor: colour("ink"),
      activeTextColor: colour("brand"),
    },
    rightPanel: { backgroundColor: colour("sidebar") },
    typography: { code: { backgroundColor: colour("surface-sunk"), color: colour("bad") } },
  };
  ink.remove();
  Redoc.init(place.dataset.schemaUrl, { scrollYOffset: ".reference-bar", theme }, place);
})();
