"use strict";

const byId = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const away = new Set(); // the numbers of runs that are hidden
let data = null; // what the page holds for its script, as document.py makes it

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function unpacked(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/* Tables */

function makeSortable(table) {
  const headings = all("thead th", table);
  headings.forEach((heading, column) => {
    const button = make("button", { type: "button", textContent: heading.textContent });
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const rising = heading.ariaSort !== "ascending";
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
      sortRows(table.tBodies[0], column, rising);
    });
  });
}

function sortRows(body, column, rising) {
  const keyOf = (row) => row.cells[column].dataset.value;
  const known = (key) => key !== undefined && key !== "";
  const rows = [...body.rows];
  const numeric = rows.map(keyOf).filter(known).every((key) => Number.isFinite(Number(key)));
  const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, undefined, { numeric: true });
  rows.sort((first, second) => {
    const [a, b] = [keyOf(first), keyOf(second)];
    if (!known(a) || !known(b)) return known(b) - known(a);
    return rising ? compare(a, b) : compare(b, a);
  });
  body.append(...rows);
}

/* Which runs are shown */

function makeLegend(runs) {
  runs.forEach((run, number) => {
    const dot = make("span", { className: "dot" });
    dot.style.setProperty("--colour", run.colour);
    const button = make("button", { type: "button" }, dot, run.name);
    button.dataset.run = number;
    button.title = "Click: hide or show. Double click: show this run alone, or all again.";
    byId("legend").append(button);
  });
  for (const button of all("[data-run]")) {
    const number = Number(button.dataset.run);
    button.addEventListener("click", () => {
      if (!away.delete(number)) away.add(number);
      showRuns();
    });
    button.addEventListener("dblclick", () => {
      const alone = away.size === runs.length - 1 && !away.has(number);
      away.clear();
      if (!alone) runs.forEach((_, other) => other !== number && away.add(other));
      showRuns();
    });
  }
}

function markRuns() {
  for (const button of all("[data-run]")) {
    const hidden = away.has(Number(button.dataset.run));
    button.setAttribute("aria-pressed", String(!hidden));
    if (button.closest("tr")) {
      button.closest("tr").classList.toggle("away", hidden);
      button.ariaLabel = button.ariaLabel.replace(/is (shown|hidden)$/, hidden ? "is hidden" : "is shown");
    }
  }
}

function showRuns() {
  markRuns();
  redraw();
  showPictures();
  drawParallel();
}

/* Samples */

let steps = [];

function makePictures() {
  steps = [...new Set(data.runs.flatMap((run) => run.pictures.map(([step]) => step)))].sort((a, b) => a - b);
  if (steps.length === 0) {
    byId("samples").replaceChildren(make("h2", { textContent: "Samples" }), make("p", { className: "quiet", textContent: "No run has drawn samples." }));
    return;
  }
  const slider = byId("step");
  slider.max = steps.length - 1;
  slider.value = slider.max;
  slider.addEventListener("input", showPictures);
  data.runs.forEach((run, number) => {
    if (run.pictures.length === 0) return;
    const image = make("img", { loading: "lazy" });
    image.addEventListener("load", () => image.classList.toggle("coarse", image.naturalWidth <= 128));
    const button = make("button", { type: "button" }, image);
    const dot = make("span", { className: "dot" });
    dot.style.setProperty("--colour", run.colour);
    const figure = make("figure", {}, button, make("figcaption", {}, dot, make("span")));
    figure.dataset.of = number;
    button.addEventListener("click", () => enlarge(image));
    byId("pictures").append(figure);
  });
}

/* The picture of each run at the step of the slider, or the last before it; of a run that has none yet, its first. */
function showPictures() {
  if (steps.length === 0) return;
  const step = steps[byId("step").value];
  byId("of-step").value = step.toLocaleString("en");
  byId("step").ariaValueText = `step ${step}`;
  for (const figure of all("#pictures figure")) {
    const run = data.runs[figure.dataset.of];
    const [at, address] = run.pictures.findLast(([each]) => each <= step) ?? run.pictures[0];
    const image = figure.querySelector("img");
    figure.hidden = away.has(Number(figure.dataset.of));
    image.src = address;
    image.alt = `samples of ${run.name} at step ${at}`;
    figure.querySelector("figcaption span:last-child").textContent = `${run.name}, step ${at.toLocaleString("en")}`;
  }
}

function enlarge(image) {
  const dialog = byId("enlarged");
  const large = dialog.querySelector("img");
  large.src = image.src;
  large.alt = image.alt;
  large.className = image.className;
  dialog.querySelector("p").textContent = image.alt;
  dialog.showModal();
}

/* Start */

async function start() {
  document.body.classList.add("running");
  all("table.sortable").forEach(makeSortable);
  data = JSON.parse(await unpacked("data"));
  makeLegend(data.runs);
  markRuns();
  makePictures();
  showPictures();
  document.head.append(make("script", { textContent: await unpacked("plotly") }));
  makeCharts();
  makeParallel();
  drawParallel();
  keepSelected();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showRuns);
  document.body.dataset.ready = "true";
}

start().catch((error) => {
  byId("trouble").textContent = `Plots cannot be shown (${error.message}); a current browser shows them.`;
  byId("trouble").hidden = false;
});
