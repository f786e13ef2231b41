"use strict";

const charts = []; // { element, name, stale, seen }

/* Curves */

/* A curve of a run: { x, y } without places that have no number; null if the run has none of that name. */
function curveOf(run, name) {
  const table = run.tables.find((each) => name in each);
  if (!table) return null;
  const axis = byId("axis").value;
  const places = table[name].map((_, place) => place).filter((place) => table[name][place] !== null);
  const steps = places.map((place) => table.step[place]);
  return {
    x: axis === "step" ? steps : steps.map((step) => axisAt(run, axis, step)),
    y: places.map((place) => table[name][place]),
  };
}

/* What another axis has at a step, between the lines that tell of it. */
function axisAt(run, axis, step) {
  const table = run.tables.find((each) => axis in each);
  if (!table) return null;
  const after = table.step.findIndex((each) => each >= step);
  if (after < 0) return table[axis].at(-1);
  if (after === 0) return table.step[0] > 0 ? (table[axis][0] * step) / table.step[0] : table[axis][0];
  const share = (step - table.step[after - 1]) / (table.step[after] - table.step[after - 1]);
  return table[axis][after - 1] + share * (table[axis][after] - table[axis][after - 1]);
}

/* An exponential mean that begins at the first value, without drawing it towards 0. */
function smoothed(values, weight) {
  let sum = 0;
  let weights = 0;
  return values.map((value) => {
    sum = weight * sum + value;
    weights = weight * weights + 1;
    return sum / weights;
  });
}

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function tracesOf(name) {
  const weight = Number(byId("smoothing").value);
  const groups = byId("mean").checked ? data.groups : [];
  const grouped = new Set(groups.flatMap((group) => group.runs));
  const traces = groups.flatMap((group) => meanOf(group, name, weight));
  data.runs.forEach((run, number) => {
    const curve = away.has(number) || grouped.has(number) ? null : curveOf(run, name);
    if (!curve) return;
    if (weight > 0) traces.push({ ...line(run, curve.x, curve.y), opacity: 0.22, hoverinfo: "skip" });
    traces.push(line(run, curve.x, weight > 0 ? smoothed(curve.y, weight) : curve.y));
  });
  return traces;
}

function line(run, x, y) {
  const few = x.length <= 30;
  return {
    x,
    y,
    name: escaped(run.name),
    mode: few ? "lines+markers" : "lines",
    marker: { size: 4 },
    line: { color: run.colour, width: 1.6 },
    hovertemplate: "%{y:.4g} at %{x:,}",
  };
}

/* The mean of runs that differ in their seed alone, at the steps that all of them have, and its interval. */
function meanOf(group, name, weight) {
  const shown = group.runs.filter((number) => !away.has(number));
  const curves = shown.map((number) => curveOf(data.runs[number], name)).filter(Boolean);
  if (curves.length < 2) {
    return curves.map((curve) => line(data.runs[shown[0]], curve.x, smoothed(curve.y, weight)));
  }
  const known = curves.map(({ x, y }) => new Map(x.map((at, place) => [at, y[place]])));
  const x = curves[0].x.filter((at) => known.every((each) => each.has(at)));
  const rows = x.map((at) => known.map((each) => each.get(at)));
  const count = curves.length;
  const means = rows.map((row) => row.reduce((sum, value) => sum + value, 0) / count);
  const halves = rows.map((row, place) => {
    const squares = row.reduce((sum, value) => sum + (value - means[place]) ** 2, 0);
    return (data.quantiles[count] * Math.sqrt(squares / (count - 1))) / Math.sqrt(count);
  });
  const run = { name: `${group.label} (mean of ${count})`, colour: data.runs[group.runs[0]].colour };
  const middle = smoothed(means, weight);
  const wide = smoothed(halves, weight);
  const edge = (sign) => middle.map((value, place) => value + sign * wide[place]);
  const plain = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
  return [
    { ...plain, y: edge(-1) },
    { ...plain, y: edge(1), fill: "tonexty", fillcolor: `${run.colour}2e` },
    { ...line(run, x, middle), mode: "lines" },
  ];
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(more = {}) {
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line") };
  return {
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--quiet") },
    margin: { l: 54, r: 10, t: 8, b: 36 },
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { namelength: -1 },
    modebar: { bgcolor: "transparent", color: colour("--quiet"), activecolor: colour("--accent") },
    uirevision: "kept",
    ...more,
    xaxis: { ...axis, ...more.xaxis },
    yaxis: { ...axis, ...more.yaxis },
  };
}

/* Nothing that leads to another place: Plotly's own bar has a button that uploads the chart. */
const TOOLS = {
  displaylogo: false,
  responsive: true,
  showSendToCloud: false,
  plotlyServerURL: "",
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
};

function draw(chart) {
  chart.stale = false;
  const axis = byId("axis").value;
  const more = {
    uirevision: axis + byId("log").checked,
    xaxis: { title: { text: axis, standoff: 4 } },
    yaxis: { type: byId("log").checked ? "log" : "linear" },
  };
  Plotly.react(chart.element, tracesOf(chart.name), layout(more), TOOLS);
}

function redraw() {
  for (const chart of charts) {
    chart.stale = true;
    if (chart.seen) draw(chart);
  }
}

function makeCharts() {
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const chart = charts.find((each) => each.element === target);
      chart.seen = isIntersecting;
      if (chart.seen && chart.stale) draw(chart);
    }
  }, { rootMargin: "300px" });
  Object.entries(data.sections).forEach(([title, names], place) => {
    const grid = make("div", { className: "grid" });
    const section = make("details", { open: place < 3 && title !== "System" }, make("summary", { textContent: title }), grid);
    for (const name of names) {
      const element = make("div", { className: "plot" });
      const heading = make("h3", { textContent: name });
      grid.append(make("div", { className: "chart" }, heading, element));
      charts.push({ element, name, stale: true, seen: false });
      watcher.observe(element);
    }
    byId("charts").append(section);
  });
  byId("axis").append(...data.axes.map((name) => new Option(name, name)));
  byId("of-seeds").hidden = data.groups.length === 0;
  for (const id of ["axis", "log", "mean"]) byId(id).addEventListener("change", redraw);
  byId("smoothing").addEventListener("input", ({ target }) => {
    target.nextElementSibling.value = target.value;
    redraw();
  });
  byId("find").addEventListener("input", find);
  if (charts.length === 0) byId("charts").append(make("p", { className: "quiet", textContent: "No run has logged numbers." }));
}

function find({ target }) {
  const wanted = target.value.trim().toLowerCase();
  for (const section of all("#charts > details")) {
    const cards = all(".chart", section);
    for (const card of cards) card.hidden = !card.firstChild.textContent.toLowerCase().includes(wanted);
    section.hidden = cards.every((card) => card.hidden);
    if (wanted && !section.hidden) section.open = true;
  }
}

/* Settings against a score */

function makeParallel() {
  const names = Object.keys(data.scores);
  byId("score").append(...names.map((name) => new Option(name, name)));
  byId("score").addEventListener("change", drawParallel);
  if (names.length && Object.keys(data.settings).length) return;
  const why = names.length
    ? "The runs differ in no setting."
    : "No run has a score; `ganctl evaluate <run>` measures one.";
  byId("of-settings").textContent = why;
  byId("score").closest(".controls").hidden = byId("parallel").hidden = true;
}

function drawParallel() {
  if (byId("parallel").hidden) return;
  const score = byId("score").value;
  const runs = data.runs.map((_, number) => number).filter((each) => data.scores[score][each] !== null);
  const settings = withoutEchoes(Object.entries(data.settings), runs);
  const axes = [...settings, [score, data.scores[score]]].map(([name, values]) => axisOf(name, values, runs));
  const traces = runs.map((number, place) => ({
    x: axes.map((_, each) => each),
    y: axes.map((axis) => axis.at[place]),
    text: axes.map((axis) => `${axis.label}: ${axis.told[place]}`),
    ...seen(number),
  }));
  byId("parallel").style.minWidth = `${axes.length * 7}rem`;
  const more = {
    dragmode: "select",
    selections: [],
    margin: { l: 60, r: 60, t: 40, b: 16 },
    xaxis: { visible: false, range: [-0.1, axes.length - 0.9], fixedrange: true },
    yaxis: { visible: false, range: [-0.06, 1.06], fixedrange: true },
    ...drawnAxes(axes),
  };
  Plotly.react("parallel", traces, layout(more), { ...TOOLS, modeBarButtons: [["toImage"]] });
}

function seen(number) {
  const run = data.runs[number];
  const marker = { size: 6, color: run.colour };
  const look = { mode: "lines+markers", marker, line: { width: 2 }, selectedpoints: null };
  return { ...look, name: escaped(run.name), hovertemplate: "%{text}", opacity: away.has(number) ? 0.12 : 0.9 };
}

function drawnAxes(axes) {
  const line = { color: colour("--quiet"), width: 1 };
  const plain = { showarrow: false, xref: "x", yref: "y", bgcolor: `${colour("--panel")}b3` };
  const beside = (x) => (x === axes.length - 1 ? { xshift: 8, xanchor: "left" } : { xshift: -8, xanchor: "right" });
  return {
    shapes: axes.map((_, x) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, line, layer: "below" })),
    annotations: axes.flatMap(({ label, ticks }, x) => [
      { ...plain, x, y: 1, yshift: 22, text: `<b>${label}</b>` },
      ...ticks.map(([y, text]) => ({ ...plain, ...beside(x), x, y, text })),
    ]),
  };
}

/* Runs that are selected on an axis are kept everywhere; a double click shows all again. */
function keepSelected() {
  const element = byId("parallel");
  const keep = (event) => {
    away.clear();
    const kept = new Set(event?.points?.map((point) => point.data.name) ?? []);
    data.runs.forEach((run, number) => kept.size && !kept.has(escaped(run.name)) && away.add(number));
    showRuns();
  };
  element.on?.("plotly_selected", (event) => event && keep(event));
  element.on?.("plotly_deselect", () => keep());
}

/* Of settings that part the runs in the same way, such as a loss and its own settings, the first; none that is one. */
function withoutEchoes(settings, runs) {
  const met = new Set();
  return settings.filter(([, values]) => {
    const own = runs.map((run) => values[run]);
    const distinct = [...new Set(own)];
    const parts = own.map((value) => distinct.indexOf(value)).join();
    return distinct.length > 1 && !met.has(parts) && met.add(parts);
  });
}

/* Where runs lie on an axis, 0 to 1, and what stands beside it: numbers by size, words in alphabetical order. */
function axisOf(name, values, runs) {
  const label = escaped(shortened(name.replace(/\.name$/, "")));
  const own = runs.map((run) => values[run]);
  const told = own.map(spelt);
  if (own.every((value) => typeof value === "number")) return { label, told, ...numbersOn(own) };
  const words = [...new Set(told)].sort();
  const place = (word) => (words.length > 1 ? words.indexOf(word) / (words.length - 1) : 0.5);
  return { label, told, at: told.map(place), ticks: words.slice(0, 30).map((word) => [place(word), shortened(word)]) };
}

function numbersOn(own) {
  const [low, high] = [Math.min(...own), Math.max(...own)];
  const log = low > 0 && high / low >= 50;
  const scaled = (value) => (log ? Math.log10(value) : value);
  const share = (value) => (high > low ? (scaled(value) - scaled(low)) / (scaled(high) - scaled(low)) : 0.5);
  const distinct = [...new Set(own)].sort((a, b) => a - b);
  const apart = distinct.every((value, place) => place === 0 || share(value) - share(distinct[place - 1]) > 0.06);
  const even = [0, 0.25, 0.5, 0.75, 1].map((part) => (log ? low * (high / low) ** part : low + part * (high - low)));
  const ticks = apart ? distinct : even;
  return { at: own.map(share), ticks: ticks.map((value) => [share(value), spelt(value)]) };
}

function spelt(value) {
  if (value === null) return "–";
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : escaped(String(value));
}

const shortened = (text) => (text.length > 22 ? `…${text.slice(-21)}` : text);
