/* Results of deals day by day, a pair's forward curve, and its fixings beside our rates. Figures arrive as decimal strings; they
   become numbers for the picture only. */
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
  const axisDay = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });
  const dayName = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", timeZone: "UTC",
  });
  const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const exact = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2, minimumFractionDigits: 2 });

  function frame(size, series, { short, long, width }) {
    const grid = { stroke: colour("chart-grid"), width: 1 };
    const axis = { stroke: colour("ink-faint"), grid, ticks: { show: false }, font: "12px sans-serif" };
    return {
      ...size,
      cursor: { y: false, points: { size: 7 } },
      scales: { x: { time: true } },
      axes: [
        { ...axis, values: (_, marks) => marks.map((at) => axisDay.format(at * 1000)), space: 70, size: 34 },
        { ...axis, values: (_, marks) => marks.map(short), size: width },
      ],
      series: [
        { label: "Day", value: (_, at) => (at === null ? "–" : dayName.format(at * 1000)) },
        ...series.map(([label, stroke, points]) => ({
          label, stroke: colour(stroke), width: 2, points: { show: Boolean(points), size: points || 5 },
          value: (_, value) => (value === null ? "–" : long(value)),
        })),
      ],
    };
  }

  const money = { short: (value) => compact.format(value), long: (value) => exact.format(value), width: 56 };
  const results = (source, size) => [
    frame(size, [["Unrealised", "chart-history", false], ["Realised", "chart-flow", false], ["Together", "chart-line", false]], money),
    [source.days.map((day) => seconds(day[0])), ...[1, 2, 3].map((at) => source.days.map((day) => Number(day[at])))],
  ];
  const curve = (source, size) => {
    const shown = (value) => value.toFixed(source.digits);
    return [
      frame(size, [[source.pair, "chart-line", 5]], { short: shown, long: shown, width: 66 }),
      [source.pillars.map((one) => seconds(one[1])), source.pillars.map((one) => Number(one[2]))],
    ];
  };

  const fixings = (source, size) => {
    const shown = (value) => value.toFixed(source.digits);
    const side = (at) => source.days.map((day) => (day[at] === null ? null : Number(day[at])));
    return [
      frame(size, [["Our middle rate", "chart-history", false], ["Fixing", "chart-line", 9]], { short: shown, long: shown, width: 66 }),
      [source.days.map((day) => seconds(day[0])), side(1), side(2)],
    ];
  };

  function draw(host, make) {
    const source = JSON.parse(document.getElementById(host.dataset.source).textContent);
    charts.get(host)?.plot.destroy();
    charts.get(host)?.observer.disconnect();
    const place = host.querySelector("[data-plot]");
    const height = 260;
    place.replaceChildren();
    const [options, data] = make(source, { width: place.clientWidth || 600, height });
    const plot = new uPlot(options, data, place);
    const observer = new ResizeObserver(() => {
      if (place.clientWidth && place.clientWidth !== plot.width)
        plot.setSize({ width: place.clientWidth, height });
    });
    observer.observe(place);
    charts.set(host, { plot, observer });
  }

  function drawAll() {
    document.querySelectorAll("[data-result-chart]").forEach((host) => draw(host, results));
    document.querySelectorAll("[data-curve-chart]").forEach((host) => draw(host, curve));
    document.querySelectorAll("[data-fixing-chart]").forEach((host) => draw(host, fixings));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table]");
    const chart = button?.closest("[data-chart-host]")?.querySelector("[data-result-chart], [data-curve-chart], [data-fixing-chart]");
    if (!chart) return;
    const asTable = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(asTable));
    chart.hidden = asTable;
    chart.parentElement.querySelector("[data-chart-rows]").hidden = !asTable;
  });
  document.addEventListener("desk:theme", drawAll);
  drawAll();
})();
