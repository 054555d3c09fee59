/* Menu, dialogs, toasts and the keyboard. Pages declare keys in their markup: data-key="a". */
"use strict";

(() => {
  const body = document.body;

  /* --- menu on phones, details menus, dialogs ------------------------------------------- */

  function setMenu(open) {
    body.classList.toggle("menu-open", open);
    document.querySelector("[data-menu-button]")?.setAttribute("aria-expanded", String(open));
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.closest("[data-menu-button]")) setMenu(!body.classList.contains("menu-open"));
    else if (!target.closest(".sidebar")) setMenu(false);
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(target)) menu.open = false;
    const opener = target.closest("[data-opens]");
    if (opener) open(document.getElementById(opener.dataset.opens));
    const closer = target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
    target.closest("[data-dismiss]")?.closest(".toast")?.remove();
  });

  function open(dialog) {
    if (!dialog || dialog.open) return;
    if (dialog.id === "help") listKeys(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  }

  /* A form that was refused comes back open, as it was filled in. */
  open(document.querySelector("dialog[data-open-now]"));

  /* A form that acts once: a second click while the first one travels does nothing. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 8000);
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  /* --- toasts ---------------------------------------------------------------------------- */

  const toasts = document.getElementById("toasts");

  function toast(words, tone = "info") {
    const template = document.getElementById("toast-template");
    if (!toasts || !template) return;
    const card = template.content.firstElementChild.cloneNode(true);
    card.classList.add(`toast-${tone}`);
    card.querySelector("p").textContent = words;
    toasts.append(card);
    if (tone !== "error") setTimeout(() => card.remove(), 8000);
  }

  document.addEventListener("desk:toast", ({ detail }) => toast(detail.words, detail.tone));
  for (const card of toasts?.querySelectorAll(".toast-success, .toast-info") || [])
    setTimeout(() => card.remove(), 8000);

  document.addEventListener("htmx:response:error", async ({ detail }) => {
    const status = detail.ctx?.response?.status;
    const live = detail.ctx?.sourceElement?.dataset?.liveTopics;
    if (status === 401 || status === 403) toast("You may not see this, or you are signed out.", "error");
    else if (!live) toast(`This did not work (${status}). Nothing was changed.`, "error");
  });

  /* --- keyboard -------------------------------------------------------------------------- */

  let prefix = "";
  let prefixTimer = 0;

  const typing = (element) =>
    element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox], [type=radio])");

  const usable = (element) => !element.disabled && element.getClientRects().length > 0;

  function rows() {
    const list = document.querySelector("[data-rows]");
    return list ? [...list.querySelectorAll("[data-row]")] : [];
  }

  function move(step) {
    const all = rows();
    if (!all.length) return false;
    const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
    choose(all, all[Math.min(all.length - 1, Math.max(0, at + step))]);
    return true;
  }

  function choose(all, row) {
    for (const other of all) other.setAttribute("aria-selected", String(other === row));
    row.scrollIntoView({ block: "nearest" });
    row.dispatchEvent(new CustomEvent("row-chosen", { bubbles: true }));
  }

  function openRow() {
    const row = rows().find((each) => each.getAttribute("aria-selected") === "true");
    row?.querySelector("a")?.click();
    return Boolean(row);
  }

  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-rows] [data-row]");
    if (row && !event.target.closest("a, button, input")) choose(rows(), row);
  });

  function act(keys) {
    const found = [...document.querySelectorAll("[data-key]")].find(
      (element) => element.dataset.key === keys && usable(element),
    );
    if (!found) return false;
    if (found.matches("input, textarea, select")) found.focus();
    else found.click();
    return true;
  }

  /* Marks of rows outlast the refreshing of their list. */
  const marked = new Set();

  const boxes = () => [...document.querySelectorAll("[data-mark]")];

  function mark() {
    const row = rows().find((each) => each.getAttribute("aria-selected") === "true");
    const box = row?.querySelector("[data-mark]");
    box?.click();
    return Boolean(box);
  }

  document.addEventListener("change", ({ target }) => {
    if (!target.matches("[data-mark]")) return;
    if (target.checked) marked.add(target.value);
    else marked.delete(target.value);
  });
  document.addEventListener("htmx:after:swap", () => {
    for (const box of boxes()) box.checked = marked.has(box.value);
  });

  const builtIn = {
    "?": () => (open(document.getElementById("help")), true),
    j: () => move(1),
    k: () => move(-1),
    x: () => mark(),
    Enter: () => openRow(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") return void setMenu(false);
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const keys = prefix ? `${prefix} ${event.key}` : event.key;
    prefix = "";
    clearTimeout(prefixTimer);
    if (act(keys) || builtIn[keys]?.()) event.preventDefault();
    else if (event.key === "g" && keys === "g") {
      prefix = "g";
      prefixTimer = setTimeout(() => (prefix = ""), 1500);
    }
  });

  function listKeys(dialog) {
    const list = dialog.querySelector("[data-keys]");
    list.replaceChildren();
    const entries = [["?", "This help"]];
    if (rows().length) entries.push(["j", "Next row"], ["k", "Previous row"], ["Enter", "Open the row"]);
    if (boxes().length) entries.push(["x", "Mark the row"]);
    for (const element of document.querySelectorAll("[data-key]"))
      if (usable(element) || element.closest(".sidebar"))
        entries.push([element.dataset.key, element.dataset.keyHelp || element.textContent.trim()]);
    for (const [keys, words] of entries) {
      const term = document.createElement("dt");
      for (const key of keys.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = key;
        term.append(cap, " ");
      }
      const meaning = document.createElement("dd");
      meaning.textContent = words;
      list.append(term, meaning);
    }
  }
})();
