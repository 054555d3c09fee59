/* Countdowns, ages and local times, on the server's clock: a demo clock may run ahead of ours. */
"use strict";

(() => {
  let offset = 0;

  function setServerTime(text) {
    const server = Date.parse(text);
    if (!Number.isNaN(server)) offset = server - Date.now();
  }

  const now = () => Date.now() + offset;
  const two = (number) => String(number).padStart(2, "0");

  function span(seconds) {
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor((seconds % 86400) / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    if (days) return `${days} d ${hours} h`;
    if (hours) return `${hours} h ${two(minutes)} min`;
    return `${minutes} min ${two(Math.floor(seconds % 60))} s`;
  }

  function showCountdown(element) {
    const left = (Date.parse(element.dateTime) - now()) / 1000;
    if (Number.isNaN(left)) return;
    const state = left <= 0 ? "passed" : left < 600 ? "urgent" : left < 3600 ? "soon" : "calm";
    element.dataset.left = state;
    put(element, left <= 0 ? "passed" : span(left));
    element.title = local(element.dateTime);
  }

  function showAge(element) {
    const age = Math.max(0, (now() - Date.parse(element.dateTime)) / 1000);
    if (Number.isNaN(age)) return;
    const limit = Number(element.dataset.staleSeconds || 0);
    element.dataset.stale = limit && age > limit ? "old" : "fresh";
    put(element, age < 60 ? "just now" : `${span(age).replace(/ min \d+ s$/, " min")} ago`);
    element.title = local(element.dateTime);
  }

  const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const dayTime = new Intl.DateTimeFormat("en-GB", {
    day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit",
  });
  const full = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "2-digit", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });

  const local = (text) => full.format(new Date(text));

  function showWhen(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const isToday = at.toDateString() === new Date(now()).toDateString();
    put(element, isToday ? clockTime.format(at) : dayTime.format(at));
    element.title = local(element.dateTime);
  }

  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tick() {
    document.querySelectorAll("time[data-countdown]").forEach(showCountdown);
    document.querySelectorAll("time[data-ago]").forEach(showAge);
    document.querySelectorAll("time[data-when]").forEach(showWhen);
    document.querySelectorAll("[data-clock]").forEach((element) => {
      const at = new Date(now());
      put(element, `${dayTime.format(at)}:${two(at.getSeconds())}`);
      element.title = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    });
  }

  const stamp = document.querySelector('meta[name="desk-time"]');
  if (stamp) setServerTime(stamp.content);
  document.addEventListener("htmx:after:request", (event) => {
    const headers = event.detail.ctx?.response?.headers;
    if (headers?.get("X-Desk-Time")) setServerTime(headers.get("X-Desk-Time"));
  });
  document.addEventListener("htmx:after:swap", tick);
  tick();
  setInterval(tick, 1000);
})();
