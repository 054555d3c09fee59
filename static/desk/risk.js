/* Flows of each day as bars, the value at risk foretold for it as a line, exceedances marked.
   Amounts arrive as decimal strings; they become numbers for the picture only. */
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

  const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const exact = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2, minimumFractionDigits: 2 });
  const seconds = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;
  const axisDay = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });
  const dayName = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", timeZone: "UTC",
  });

  function mark(plot, data, exceeded, fill) {
    const { ctx } = plot;
    const half = 4.5 * devicePixelRatio;
    ctx.save();
    ctx.fillStyle = fill;
    for (const index of exceeded) {
      const x = plot.valToPos(data[0][index], "x", true);
      const y = plot.valToPos(data[1][index], "y", true);
      ctx.beginPath();
      ctx.moveTo(x, y - half);
      ctx.lineTo(x + half, y);
      ctx.lineTo(x, y + half);
      ctx.lineTo(x - half, y);
      ctx.fill();
    }
    ctx.restore();
  }

  function options(source, data, exceeded, size) {
    const grid = { stroke: colour("chart-grid"), width: 1 };
    const axis = { stroke: colour("ink-faint"), grid, ticks: { show: false }, font: "12px sans-serif" };
    const amount = (_, value) => (value === null ? "–" : `${exact.format(value)} ${source.currency}`);
    const history = colour("chart-history");
    return {
      ...size,
      cursor: { y: false, points: { size: 7 } },
      scales: { x: { time: true } },
      axes: [
        { ...axis, values: (_, marks) => marks.map((at) => axisDay.format(at * 1000)), space: 70, size: 34 },
        { ...axis, values: (_, marks) => marks.map((at) => compact.format(at)), size: 58 },
      ],
      series: [
        { label: "Day", value: (_, at) => (at === null ? "–" : dayName.format(at * 1000)) },
        {
          label: "Net flow", stroke: history, fill: history, width: 0, points: { show: false },
          paths: uPlot.paths.bars({ size: [0.7, 12] }), value: amount,
        },
        {
          label: "Value at risk", stroke: colour("chart-floor"), width: 2, dash: [6, 4],
          points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }), value: amount,
        },
      ],
      hooks: { draw: [(plot) => mark(plot, data, exceeded, colour("chart-flow"))] },
    };
  }

  function draw(host) {
    const source = JSON.parse(document.getElementById(host.dataset.source).textContent);
    charts.get(host)?.plot.destroy();
    charts.get(host)?.observer.disconnect();
    const { days } = source;
    const data = [
      days.map((day) => seconds(day[0])),
      days.map((day) => Number(day[1])),
      days.map((day) => Number(day[2])),
    ];
    const exceeded = days.flatMap((day, index) => (day[3] ? [index] : []));
    const place = host.querySelector("[data-plot]");
    const height = Number(host.dataset.height || 300);
    place.replaceChildren();
    const size = { width: place.clientWidth || 600, height };
    const plot = new uPlot(options(source, data, exceeded, size), data, place);
    const observer = new ResizeObserver(() => {
      if (place.clientWidth && place.clientWidth !== plot.width)
        plot.setSize({ width: place.clientWidth, height });
    });
    observer.observe(place);
    charts.set(host, { plot, observer });
  }

  function drawAll() {
    document.querySelectorAll("[data-risk-chart]").forEach(draw);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table]");
    if (!button) return;
    const host = button.closest("[data-chart-host]");
    const asTable = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(asTable));
    host.querySelector("[data-risk-chart]").hidden = asTable;
    host.querySelector("[data-chart-rows]").hidden = !asTable;
  });
  document.addEventListener("desk:theme", drawAll);
  drawAll();
})();
