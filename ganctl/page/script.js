// The page: what is chosen goes into an address, and what the address answers is shown.
"use strict";

const token = new URLSearchParams(location.search).get("token") ?? "";
const find = (id) => document.getElementById(id);
const FRAMES_PER_SECOND = 15;
const DIRECTIONS = 20; // that can be chosen, the strongest

let model, frames = [], shown = [], forward = 1, timer = 0;

function address(name, keys) {
  return `${name}?${new URLSearchParams({ ...keys, token })}`;
}

async function ask(name, keys) {
  let response;
  try {
    response = await fetch(address(name, keys));
  } catch {
    throw new Error("the demo has ended; start `ganctl demo` again");
  }
  const found = await response.json().catch(() => ({ error: "the demo failed; its terminal says why" }));
  if (!response.ok) throw new Error(found.error);
  return found;
}

const view = () => document.querySelector("input[name=view]:checked").value;

function seedsOfSamples() {
  const first = Number(find("seed").value);
  const rows = find("class").value === "all" ? model.classes.length : 1;
  const count = Math.min(Number(find("num").value), Math.floor(model.most / rows));
  return Array.from({ length: count }, (_, place) => first + place);
}

// Returns the keys of the chosen view, by the names that the command line has for them.
function chosen() {
  const keys = {};
  if (view() === "samples") {
    const seeds = seedsOfSamples();
    keys.seeds = seeds.length > 1 ? `${seeds[0]}-${seeds.at(-1)}` : `${seeds[0]}`;
  } else {
    keys.seeds = `${Number(find("from").value)},${Number(find("to").value)}`;
    keys.steps = find("steps").value;
  }
  if (find("class").value) keys.class = find("class").value;
  if (find("truncate").checked) keys.truncation = find("truncation").value;
  if (view() === "samples" && find("direction").value) {
    keys.direction = find("direction").value;
    keys.strength = find("strength").value;
    if (find("method").value !== "sefa") keys.method = find("method").value;
  }
  return keys;
}

function tellValues() {
  document.body.dataset.view = view();
  find("truncation").disabled = !find("truncate").checked;
  find("truncation-told").value = find("truncate").checked ? find("truncation").value : "off";
  const moved = find("direction").value !== "";
  find("strength").disabled = find("method").disabled = !moved;
  find("strength-told").value = moved ? find("strength").value : "–";
  if (view() === "path" && find("class").value === "all") find("class").value = "";
}

// One request at a time: while one is answered, only the newest wish is kept.
let busy = false, again = false;
async function refresh() {
  tellValues();
  if (!find("controls").checkValidity()) return;
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  find("result").classList.add("waiting");
  const name = view(), keys = chosen();
  try {
    const found = await ask(name, keys);
    (name === "samples" ? showSamples : showPath)(found, keys);
    find("command").textContent = found.command;
    find("download").href = address(`${name}.png`, keys);
    find("download").download = `${[model.run, name, ...Object.entries(keys).flat()].join("-")}.png`;
    find("error").hidden = true;
  } catch (error) {
    find("error").textContent = error.message;
    find("error").hidden = false;
  }
  find("result").classList.remove("waiting");
  busy = false;
  if (again) {
    again = false;
    refresh();
  }
}

function show(image, source, alt) {
  image.onload = () => image.classList.toggle("coarse", model.images && image.naturalWidth < image.clientWidth);
  image.src = source;
  image.alt = alt;
}

function showSamples(found) {
  const seeds = seedsOfSamples(), count = found.images.length;
  const columns = found.columns ?? Math.ceil(Math.sqrt(count));
  shown = found.images.map((source, place) => {
    const seed = seeds[place % seeds.length], label = found.classes?.[place];
    return { source, seed, label, told: label === undefined ? `seed ${seed}` : `seed ${seed}, class ${label}` };
  });
  const grid = find("samples");
  grid.style.setProperty("--columns", columns);
  grid.style.setProperty("--shape", columns / Math.ceil(count / columns));
  while (grid.children.length > count) grid.lastChild.remove();
  while (grid.children.length < count) grid.append(cell(grid.children.length));
  shown.forEach(({ source, told }, place) => {
    const button = grid.children[place];
    button.title = model.images ? told : "";
    show(button.firstChild, source, model.images ? told : `plot of ${seeds.length} samples`);
  });
}

function cell(place) {
  const button = document.createElement(model.images ? "button" : "div");
  button.append(document.createElement("img"));
  if (model.images) {
    button.type = "button";
    button.addEventListener("click", () => enlarge(shown[place]));
  }
  return button;
}

function enlarge({ source, seed, label, told }) {
  show(find("large"), source, told);
  find("single-told").textContent = told;
  find("download-single").href = source;
  find("download-single").download = `${model.run}-${told.replaceAll(/\W+/g, "-")}.png`;
  for (const [button, field] of [["path-from", "from"], ["path-to", "to"]]) {
    find(button).onclick = () => {
      find(field).value = seed;
      if (label !== undefined) find("class").value = label;
      document.querySelector("input[name=view][value=path]").checked = true;
      find("single").close();
      refresh();
    };
  }
  find("single").showModal();
}

function showPath(found, keys) {
  frames = found.images;
  const position = find("position"), [from, to] = keys.seeds.split(",");
  position.max = frames.length - 1;
  position.dataset.told = `from seed ${from} to seed ${to}`;
  showFrame();
}

function showFrame() {
  const position = find("position"), place = Number(position.value);
  show(find("frame"), frames[place], `frame ${place + 1} of ${frames.length}, ${position.dataset.told}`);
  find("position-told").value = `${place + 1} / ${frames.length}`;
}

function play(playing) {
  clearInterval(timer);
  timer = playing ? setInterval(advance, 1000 / FRAMES_PER_SECOND) : 0;
  find("play").textContent = playing ? "Pause" : "Play";
  find("play").setAttribute("aria-pressed", String(playing));
}

function advance() {
  if (view() !== "path" || !frames.length) return;
  const position = find("position"), last = frames.length - 1, place = Number(position.value);
  if (place >= last) forward = -1;
  if (place <= 0) forward = 1;
  position.value = place + forward;
  showFrame();
}

const anySeed = () => Math.floor(Math.random() * 1_000_000);

async function begin() {
  tellValues();
  try {
    model = await ask("model", {});
  } catch (error) {
    find("error").textContent = error.message;
    find("error").hidden = false;
    return;
  }
  document.title = `${model.run} – ganctl demo`;
  find("run").textContent = model.run;
  find("about").textContent = `step ${model.step.toLocaleString("en")}, ${model.samples}`;
  find("num").max = model.most;
  find("num").value = model.images ? Math.min(16, model.most) : model.most;
  for (const part of document.querySelectorAll(".of-images")) part.hidden = !model.images;
  find("truncating").hidden = !model.truncation;
  find("classes").hidden = !model.classes.length;
  find("rows").disabled = model.classes.length > model.most;
  for (const name of model.classes) find("class").append(new Option(name, name));
  find("moving").hidden = !model.directions;
  for (let number = 1; number <= Math.min(model.directions, DIRECTIONS); number++) {
    find("direction").append(new Option(number, number));
  }

  find("controls").addEventListener("input", refresh);
  find("controls").addEventListener("submit", (event) => event.preventDefault());
  find("another").addEventListener("click", () => { find("seed").value = anySeed(); refresh(); });
  find("others").addEventListener("click", () => {
    find("from").value = anySeed();
    find("to").value = anySeed();
    refresh();
  });
  find("position").addEventListener("input", () => { play(false); showFrame(); });
  find("play").addEventListener("click", () => play(!timer));
  find("close").addEventListener("click", () => find("single").close());
  find("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(find("command").textContent);
    find("copy").textContent = "Copied";
    setTimeout(() => { find("copy").textContent = "Copy"; }, 1500);
  });
  refresh();
}

begin();
