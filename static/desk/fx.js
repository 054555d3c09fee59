/* A pair's rate day by day. Rates arrive as decimal strings; they become numbers for the picture
   only. */
"use strict";

(() => {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const charts = new Map();

  function colour(name) {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  }

  const seconds = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;
  const axisDay = new Intl.DateTimeFormat("en-GB", { month: "short", year: "2-digit", timeZone: "UTC" });
  const dayName = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", timeZone: "UTC",
  });

  function options(source, size) {
    const grid = { stroke: colour("chart-grid"), width: 1 };
    const axis = { stroke: colour("ink-faint"), grid, ticks: { show: false }, font: "12px sans-serif" };
    const shown = (value) => value.toFixed(source.digits);
    return {
      ...size,
      cursor: { y: false, points: { size: 7 } },
      scales: { x: { time: true } },
      axes: [
        { ...axis, values: (_, marks) => marks.map((at) => axisDay.format(at * 1000)), space: 70, size: 34 },
        { ...axis, values: (_, marks) => marks.map(shown), size: 66 },
      ],
      series: [
        { label: "Day", value: (_, at) => (at === null ? "–" : dayName.format(at * 1000)) },
        {
          label: source.pair, stroke: colour("chart-history"), width: 2, points: { show: false },
          value: (_, value) => (value === null ? "–" : shown(value)),
        },
      ],
    };
  }

  function draw(host) {
    const source = JSON.parse(document.getElementById(host.dataset.source).textContent);
    charts.get(host)?.plot.destroy();
    charts.get(host)?.observer.disconnect();
    const data = [
      source.days.map((day) => seconds(day[0])),
      source.days.map((day) => Number(day[1])),
    ];
    const place = host.querySelector("[data-plot]");
    const height = 280;
    place.replaceChildren();
    const plot = new uPlot(options(source, { width: place.clientWidth || 600, height }), data, place);
    const observer = new ResizeObserver(() => {
      if (place.clientWidth && place.clientWidth !== plot.width)
        plot.setSize({ width: place.clientWidth, height });
    });
    observer.observe(place);
    charts.set(host, { plot, observer });
  }

  function drawAll() {
    document.querySelectorAll("[data-rate-chart]").forEach(draw);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table]");
    if (!button) return;
    const host = button.closest("[data-chart-host]");
    if (!host.querySelector("[data-rate-chart]")) return;
    const asTable = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(asTable));
    host.querySelector("[data-rate-chart]").hidden = asTable;
    host.querySelector("[data-chart-rows]").hidden = !asTable;
  });
  document.addEventListener("desk:theme", drawAll);
  drawAll();
})();
