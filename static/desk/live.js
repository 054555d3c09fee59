/* The websocket client: hints say that something changed, panels then fetch themselves.
   What is shown is never guessed: when hints cannot arrive, the page says so. */
"use strict";

(() => {
  const body = document.body;
  if (!body.dataset.liveUrl) return;

  const PING_EVERY_MS = 4000;
  const SILENCE_MAX_MS = 10000;
  const DEBOUNCE_MS = 250;
  const SIGNED_OUT = 4401;

  const indicator = document.querySelector("[data-live]");
  const banner = document.getElementById("live-paused");
  const address = new URL(body.dataset.liveUrl, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";

  let socket = null;
  let sequence = Number(body.dataset.liveSequence || 0);
  let heardAt = Date.now();
  let attempts = 0;
  const waiting = new Map();

  function show(state, words) {
    if (indicator) {
      indicator.dataset.live = state;
      indicator.querySelector(".live-words").textContent = state === "on" ? "Live" : "Paused";
    }
    if (!banner) return;
    banner.hidden = state !== "paused";
    if (words) banner.querySelector("[data-words]").textContent = words;
  }

  function pause(words) {
    const since = new Date(heardAt).toLocaleTimeString("en-GB");
    show("paused", words || `Live updates paused. Figures are as of ${since}; reconnecting…`);
  }

  const matches = (wanted, topics) =>
    wanted.split(/\s+/).some((name) => {
      if (name === "*") return true;
      if (name.endsWith("*")) return topics.some((topic) => topic.startsWith(name.slice(0, -1)));
      return topics.includes(name);
    });

  function refresh(topics) {
    for (const panel of document.querySelectorAll("[data-live-topics]")) {
      if (topics && !matches(panel.dataset.liveTopics, topics)) continue;
      clearTimeout(waiting.get(panel));
      waiting.set(panel, setTimeout(() => ask(panel), DEBOUNCE_MS));
    }
  }

  function ask(panel) {
    waiting.delete(panel);
    if (!panel.isConnected) return;
    const busy = panel.querySelector(":is(input, textarea, select):focus, dialog[open]");
    // Never pull the form away under somebody's hands: try again when they are done.
    if (busy) waiting.set(panel, setTimeout(() => ask(panel), 1500));
    else panel.dispatchEvent(new CustomEvent("live-refresh"));
  }

  function catchUp(last) {
    if (last > sequence) {
      sequence = last;
      refresh(null);
    }
  }

  const receivers = {
    hello: (message) => catchUp(message.sequence),
    pong: (message) => catchUp(message.sequence),
    hint(message) {
      sequence = Math.max(sequence, message.sequence);
      document.dispatchEvent(new CustomEvent("desk:hint", { detail: message }));
      refresh(message.topics);
      indicator?.classList.remove("live-beat");
      void indicator?.offsetWidth;
      indicator?.classList.add("live-beat");
    },
  };

  /* Whose session ended must not go on reading old figures; coming back leads to the same page. */
  function leave() {
    const next = location.pathname + location.search;
    location.replace(`${body.dataset.signInUrl}?${new URLSearchParams({ next })}`);
  }

  function connect() {
    socket = new WebSocket(address);
    socket.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      heardAt = Date.now();
      attempts = 0;
      show("on");
      receivers[message.type]?.(message);
    });
    socket.addEventListener("close", (event) => {
      socket = null;
      if (event.code === SIGNED_OUT) {
        leave();
        return;
      }
      pause();
      attempts += 1;
      const delay = Math.min(15000, 500 * 2 ** attempts) * (0.7 + 0.6 * Math.random());
      setTimeout(connect, delay);
    });
  }

  function check() {
    if (socket?.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}');
    if (Date.now() - heardAt > SILENCE_MAX_MS) {
      pause();
      socket?.close();
    }
  }

  function values(panel) {
    const found = new Map();
    for (const element of panel.querySelectorAll("[data-live-value]"))
      found.set(element.dataset.liveValue, element.textContent);
    return found;
  }

  /* Only what a person chose counts as work: a page that refreshes itself keeps nobody signed in. */
  const CHOSEN = ["row-chosen", "toggle"];
  document.addEventListener("htmx:config:request", ({ detail }) => {
    const { sourceEvent, request } = detail.ctx;
    if (CHOSEN.includes(sourceEvent?.type)) request.headers["X-Desk-Chosen"] = "true";
  });

  const before = new WeakMap();
  document.addEventListener("htmx:before:swap", ({ detail }) => {
    const panel = detail.ctx?.sourceElement;
    if (panel?.dataset?.liveTopics) before.set(panel, values(panel));
  });
  document.addEventListener("htmx:after:swap", ({ detail }) => {
    const panel = detail.ctx?.sourceElement;
    const old = panel && before.get(panel);
    if (!old?.size) return;
    for (const element of panel.querySelectorAll("[data-live-value]")) {
      const was = old.get(element.dataset.liveValue);
      if (was !== undefined && was !== element.textContent) mark(element);
    }
  });

  function mark(element) {
    element.classList.remove("just-changed");
    void element.offsetWidth;
    element.classList.add("just-changed");
  }

  /* A panel that could not be fetched keeps its old figures and says since when they stand. */
  function note(panel, words) {
    const place = panel?.closest(".panel")?.querySelector(".panel-note");
    if (place && (words || place.dataset.failed)) {
      place.textContent = words;
      place.dataset.failed = words ? "yes" : "";
    }
  }
  const failed = ({ detail }) => {
    const panel = detail.ctx?.sourceElement;
    if (!panel?.dataset?.liveTopics) return;
    note(panel, `Not refreshed since ${new Date().toLocaleTimeString("en-GB")}`);
    clearTimeout(waiting.get(panel));
    waiting.set(panel, setTimeout(() => ask(panel), 5000));
  };
  document.addEventListener("htmx:error", failed);
  document.addEventListener("htmx:response:error", failed);
  document.addEventListener("htmx:after:swap", ({ detail }) => note(detail.ctx?.sourceElement, ""));

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) check();
  });
  connect();
  setInterval(check, PING_EVERY_MS);
})();
