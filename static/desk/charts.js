/* Charts: read the JSON beside them, draw with uPlot in the theme's colours, offer a table too.
   Two pictures share one frame: balances with their forecast (data-chart), and daily flows against
   the value at risk (data-risk-chart). Amounts arrive as decimal strings; they become numbers for
   the picture only. */
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
  const dayName = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", timeZone: "UTC",
  });
  const axisDay = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });

  /** One row per day: [seconds, history, point, low, high]; the last actual joins the forecast. */
  function columns(source) {
    const days = new Map();
    const at = (day) => {
      if (!days.has(day)) days.set(day, [null, null, null, null]);
      return days.get(day);
    };
    for (const [day, amount] of source.history) at(day)[0] = Number(amount);
    const last = source.history.at(-1);
    if (last && source.forecast.length) at(last[0]).fill(Number(last[1]), 1, 4);
    for (const [day, point, low, high] of source.forecast) {
      const row = at(day);
      row[1] = Number(point);
      row[2] = low === null ? null : Number(low);
      row[3] = high === null ? null : Number(high);
    }
    const sorted = [...days.keys()].sort();
    const pick = (index) => sorted.map((day) => days.get(day)[index]);
    const lines = [sorted.map(seconds), pick(0), pick(1)];
    return source.interval ? [...lines, pick(2), pick(3)] : lines;
  }

  function horizontal(plot, amount, stroke) {
    const y = plot.valToPos(amount, "y", true);
    const { left, top, width, height } = plot.bbox;
    if (y < top || y > top + height) return;
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = stroke;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
    ctx.restore();
  }

  /** Diamonds at [seconds, amount]. */
  function diamonds(plot, places, fill) {
    const { ctx } = plot;
    const half = 4.5 * devicePixelRatio;
    ctx.save();
    ctx.fillStyle = fill;
    for (const [at, value] of places) {
      const x = plot.valToPos(at, "x", true);
      const y = plot.valToPos(value, "y", true);
      ctx.beginPath();
      ctx.moveTo(x, y - half);
      ctx.lineTo(x + half, y);
      ctx.lineTo(x, y + half);
      ctx.lineTo(x - half, y);
      ctx.fill();
    }
    ctx.restore();
  }

  function flowsOf(source, data) {
    return (source.flows || []).flatMap((flow) => {
      const index = data[0].indexOf(seconds(flow.on));
      const value = index < 0 ? null : data[2][index] ?? data[1][index];
      return value === null ? [] : [[data[0][index], value]];
    });
  }

  /** What every picture has: axes, cursor, and the words of its legend. */
  function frame(source) {
    const grid = { stroke: colour("chart-grid"), width: 1 };
    const axis = { stroke: colour("ink-faint"), grid, ticks: { show: false }, font: "12px sans-serif" };
    return {
      cursor: { y: false, points: { size: 7 } },
      axes: [
        { ...axis, values: (_, marks) => marks.map((mark) => axisDay.format(mark * 1000)), space: 70, size: 34 },
        { ...axis, values: (_, marks) => marks.map((mark) => compact.format(mark)), size: 58 },
      ],
      day: { label: "Day", value: (_, at) => (at === null ? "–" : dayName.format(at * 1000)) },
      amount: (_, value) => (value === null ? "–" : `${exact.format(value)} ${source.currency}`),
    };
  }

  function balances(source) {
    const data = columns(source);
    const { cursor, axes, day, amount } = frame(source);
    const edge = { stroke: "transparent", width: 0, points: { show: false }, value: amount };
    const floor = source.floor === null || source.floor === undefined ? null : Number(source.floor);
    const range = (_, low, high) => {
      const least = floor === null ? low : Math.min(low, floor);
      const most = floor === null ? high : Math.max(high, floor);
      const air = (most - least || Math.abs(most) || 1) * 0.08;
      return [least - air, most + air];
    };
    return {
      data,
      cursor,
      axes,
      scales: { x: { time: true }, y: { range } },
      series: [
        day,
        { label: "Booked", stroke: colour("chart-history"), width: 1.5, points: { show: false }, value: amount },
        { label: "Expected", stroke: colour("chart-line"), width: 2.5, points: { show: false }, value: amount },
        ...(source.interval ? [{ label: "Low", ...edge }, { label: "High", ...edge }] : []),
      ],
      bands: source.interval ? [{ series: [4, 3], fill: colour("chart-band") }] : [],
      hooks: {
        draw: [
          (plot) => {
            if (floor !== null) horizontal(plot, floor, colour("chart-floor"));
            diamonds(plot, flowsOf(source, data), colour("chart-flow"));
          },
        ],
      },
    };
  }

  /** Flows of each day as bars, the value at risk foretold for it as a line, exceedances marked. */
  function risks(source) {
    const { days } = source;
    const data = [
      days.map((day) => seconds(day[0])),
      days.map((day) => Number(day[1])),
      days.map((day) => Number(day[2])),
    ];
    const exceeded = days.filter((day) => day[3]).map((day) => [seconds(day[0]), Number(day[1])]);
    const { cursor, axes, day, amount } = frame(source);
    const history = colour("chart-history");
    return {
      data,
      cursor,
      axes,
      scales: { x: { time: true } },
      series: [
        day,
        {
          label: "Net flow", stroke: history, fill: history, width: 0, points: { show: false },
          paths: uPlot.paths.bars({ size: [0.7, 12] }), value: amount,
        },
        {
          label: "Value at risk", stroke: colour("chart-floor"), width: 2, dash: [6, 4],
          points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }), value: amount,
        },
      ],
      hooks: { draw: [(plot) => diamonds(plot, exceeded, colour("chart-flow"))] },
    };
  }

  const PICTURES = "[data-chart], [data-risk-chart]";

  function draw(host) {
    const source = JSON.parse(document.getElementById(host.dataset.source).textContent);
    charts.get(host)?.plot.destroy();
    const { data, ...picture } = "riskChart" in host.dataset ? risks(source) : balances(source);
    const place = host.querySelector("[data-plot]");
    const height = Number(host.dataset.height || 300);
    place.replaceChildren();
    const plot = new uPlot({ width: place.clientWidth || 600, height, ...picture }, data, place);
    charts.get(host)?.observer.disconnect();
    const observer = new ResizeObserver(() => {
      if (place.clientWidth && place.clientWidth !== plot.width)
        plot.setSize({ width: place.clientWidth, height });
    });
    observer.observe(place);
    charts.set(host, { plot, observer });
  }

  function spark(element) {
    const points = element.dataset.spark.split(",").map(Number);
    if (points.length < 2) return;
    const low = Math.min(...points);
    const range = Math.max(...points) - low || 1;
    const path = points
      .map((value, index) => {
        const x = (index / (points.length - 1)) * 100;
        return `${index ? "L" : "M"}${x.toFixed(1)} ${(26 - ((value - low) / range) * 24).toFixed(1)}`;
      })
      .join("");
    element.setAttribute("viewBox", "0 0 100 28");
    element.setAttribute("preserveAspectRatio", "none");
    element.replaceChildren();
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [name, value] of Object.entries({
      d: path, fill: "none", stroke: "currentColor", "stroke-width": 1.6, "vector-effect": "non-scaling-stroke",
    }))
      line.setAttribute(name, value);
    element.append(line);
  }

  function drawAll() {
    for (const host of charts.keys())
      if (!host.isConnected) {
        charts.get(host).plot.destroy();
        charts.get(host).observer.disconnect();
        charts.delete(host);
      }
    document.querySelectorAll(PICTURES).forEach(draw);
    document.querySelectorAll("svg[data-spark]").forEach(spark);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table]");
    if (!button) return;
    const host = button.closest("[data-chart-host]");
    const asTable = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(asTable));
    host.querySelector(PICTURES).hidden = asTable;
    host.querySelector("[data-chart-rows]").hidden = !asTable;
  });
  document.addEventListener("desk:theme", drawAll);
  document.addEventListener("htmx:after:swap", drawAll);
  drawAll();
})();
