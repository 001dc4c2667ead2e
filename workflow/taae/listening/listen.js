/* A listening test. Sections are shown one after the other: welcome, volume, a trial many times, done.
 *
 * TEST says which files a trial has, and in no way which codec each comes from. Letters play a
 * signal, digits rate it, N goes on. What is rated so far is kept in the browser (localStorage), and
 * leaves as a file at the end. */

"use strict";

const FORMAT = "taae-ratings/1";
const TEST = JSON.parse(document.getElementById("test").textContent);
const STORE = `taae-listening/${TEST.test}`;
const LETTERS = "ABCDEFGHIJKL";
const HEARD = 0.3; // seconds of a signal that have to be heard before it is rated
const WORDS = ["bad", "poor", "fair", "good", "excellent"];
const MASK = (1n << 64n) - 1n;
const $ = (id) => document.getElementById(id);

let state = null; // {listener, place, answers: {trial: {ratings: {signal: number}, seconds}}}
let player = null; // of the files of a trial
let trial = null; // of TEST.trials, with `shown`: its signals in the order of this listener
let heard = new Map(); // seconds that were played of each signal of the trial
let last = null; // which signal played where, a moment ago
let region = null; // [start, end] of the loop in seconds
let since = 0; // ms; when the seconds of this trial were last counted

/* ---- The order that a listener hears, as in order.py ---- */

/** FNV-1a of the UTF-8 bytes, mixed as in MurmurHash3. */
function hash64(text) {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = ((value ^ BigInt(byte)) * 0x100000001b3n) & MASK;
  }
  for (const factor of [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n]) {
    value = ((value ^ (value >> 33n)) * factor) & MASK;
  }
  return value ^ (value >> 33n);
}

function shuffled(names, ...seed) {
  const keyed = names.map((name) => [hash64([name, ...seed].join("/")), name]);
  return keyed.sort(([one], [other]) => (one < other ? -1 : 1)).map(([, name]) => name);
}

/** The trials of this listener in order, training first. */
function trials() {
  const training = TEST.trials.filter((each) => each.training);
  const rated = TEST.trials.filter((each) => !each.training);
  const order = shuffled(rated.map((each) => each.trial), TEST.test, state.listener);
  return [...training, ...order.map((name) => rated.find((each) => each.trial === name))];
}

const signalsOf = (each) => shuffled(each.signals, TEST.test, state.listener, each.trial);

/* ---- What is kept ---- */

/** The ratings of a listener, by themselves of the last one. */
function stored(listener) {
  try {
    const last = localStorage.getItem(STORE);
    return JSON.parse(localStorage.getItem(`${STORE}/${listener ?? last}`));
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

function keep() {
  try {
    localStorage.setItem(STORE, state.listener);
    localStorage.setItem(`${STORE}/${state.listener}`, JSON.stringify(state));
  } catch {
    tell("This browser cannot keep your ratings: do not close the page before the end.");
  }
}

function answer() {
  return (state.answers[trial.trial] ??= { ratings: {}, seconds: 0 });
}

/** The file: what it says is fixed by a checksum. */
function file() {
  const rated = trials().filter((each) => !each.training);
  const content = {
    format: FORMAT,
    test: TEST.test,
    listener: state.listener,
    trials: rated.map((each) => ({
      trial: each.trial,
      signals: signalsOf(each),
      ...state.answers[each.trial],
    })),
  };
  const checksum = hash64(JSON.stringify(content)).toString(16).padStart(16, "0");
  return JSON.stringify({ ...content, checksum });
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file()], { type: "application/json" }));
  link.download = $("file").textContent;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* ---- Sections ---- */

function show(name) {
  player?.close();
  player = null;
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== name;
  const heading = document.querySelector(`#${name} h1`);
  heading.focus();
  scrollTo(0, 0);
}

/** Writes what is new: a screen reader says what changes. */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function tell(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

/** Gets ready to play these files in a loop. */
function load(names) {
  player = new Player(names.map((name) => ({ name, url: `audio/${name}.wav` })));
  region = null;
  player.loop(0, Infinity);
  player.onchange = ({ failed }) => {
    if (failed.size) tell("Some audio cannot be played: the folder is not whole.");
    draw();
  };
  draw();
}

function welcome() {
  show("welcome");
  const saved = stored();
  const rated = TEST.trials.length - 1;
  $("resume").hidden = !saved || saved.place > rated;
  if (!$("resume").hidden) {
    const done = Math.max(0, saved.place - 1);
    write("resumed", `Listener ${saved.listener} has done ${done} of ${rated} trials here.`);
    $("continue").focus();
  } else {
    $("listener").value = "";
    $("listener").focus();
  }
}

function begin(listener) {
  state = stored(listener) ?? { listener, place: 0, answers: {} };
  keep();
  if (state.place >= TEST.trials.length) return finish();
  show("volume");
  load([TEST.volume]);
}

function next() {
  if (state.place >= TEST.trials.length) return finish();
  show("trial");
  trial = { ...trials()[state.place] };
  trial.shown = signalsOf(trial);
  heard = new Map(Object.keys(answer().ratings).map((name) => [name, HEARD]));
  last = null;
  since = Date.now();
  const rated = TEST.trials.length - 1;
  $("heading").textContent = trial.training ? "Training" : `Trial ${state.place} of ${rated}`;
  $("missing").textContent = "";
  $("signals").replaceChildren(...trial.shown.map(row));
  for (const radio of document.getElementsByName("choice")) radio.checked = false;
  load(trial.reference ? [trial.reference, ...trial.shown] : trial.shown);
}

/** A signal's button, and its slider in a MUSHRA test. */
function row(name, number) {
  const letter = LETTERS[number];
  const group = document.createElement("div");
  group.className = "row";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `Version ${letter}`);
  const button = document.createElement("button");
  button.className = "signal";
  button.dataset.signal = name;
  const hint = document.createElement("kbd");
  hint.textContent = letter;
  button.append(TEST.design === "dcr" ? "Sample " : "Play ", hint);
  button.onclick = () => press(name);
  group.append(button);
  if (TEST.design === "mushra") {
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: 100, step: 1, value: 50 });
    slider.dataset.signal = name;
    slider.setAttribute("aria-label", `Rating of ${letter}`);
    slider.disabled = !isHeard(name);
    // A click on the handle changes nothing, and rates all the same.
    slider.oninput = slider.onpointerup = () => rate(name, Number(slider.value));
    const value = document.createElement("span");
    value.className = "value";
    group.append(slider, value);
  }
  return group;
}

function finish() {
  show("done");
  $("file").textContent = `ratings-${state.listener}-${TEST.test.slice(0, 8)}.json`;
  save();
}

/* ---- A trial ---- */

/** A click on a signal's button plays it; another one pauses. */
function press(name) {
  if (player?.selected === name && player.playing) return player.pause();
  hear(name);
}

function hear(name) {
  if (!player || !name) return;
  player.select(name);
  if (!player.playing) player.play();
  // Its slider takes the focus, or until that is enabled its button, so that digits mean it.
  const slider = document.querySelector(`input[data-signal="${name}"]`);
  if (slider?.disabled) slider.parentElement.querySelector("button").focus();
  else slider?.focus();
}

/** Rates a signal of a MUSHRA or DCR test, or prefers the one of this number in an AB test. */
function rate(name, value) {
  if (!everythingHeard(name)) return;
  const { ratings } = answer();
  if (TEST.design === "ab") {
    trial.shown.forEach((each, number) => (ratings[each] = Number(number === value - 1)));
  } else {
    ratings[name] = value;
  }
  count();
  keep();
  draw();
}

const isHeard = (name) => (heard.get(name) ?? 0) >= HEARD;

/** Whether what a rating is about has been played: in a MUSHRA test one signal, else all. */
function everythingHeard(name) {
  if (TEST.design === "mushra") return isHeard(name);
  const all = trial.reference ? [trial.reference, ...trial.shown] : trial.shown;
  return all.every(isHeard) || trial.shown[0] in answer().ratings;
}

/** Counts what was played since the last look; a seek counts little. */
function follow() {
  const now = player?.playing ? { name: player.selected, position: player.position } : null;
  if (now && now.name === last?.name) {
    const step = Math.min(Math.max(now.position - last.position, 0), 0.2);
    heard.set(now.name, (heard.get(now.name) ?? 0) + step);
  }
  last = now;
  if (now) draw();
}

function count() {
  const now = Date.now();
  answer().seconds += Math.round((now - since) / 1000);
  since = now;
}

function goOn() {
  const unrated = trial.shown.filter((name) => !(name in answer().ratings));
  if (unrated.length) {
    const letters = unrated.map((name) => LETTERS[trial.shown.indexOf(name)]).join(", ");
    $("missing").textContent =
      TEST.design === "mushra" ? `Not rated yet: ${letters}.` : "Not rated yet.";
    return;
  }
  count();
  state.place += 1;
  keep();
  next();
}

/** Loops a part, or all of it where the part is too short. */
function loop(start, end) {
  region = end - start >= 0.2 ? [start, end] : null;
  player.loop(...(region ?? [0, Infinity]));
}

function loopFromHere() {
  const here = player.position;
  loop(here, region && region[1] > here ? region[1] : player.duration);
}

function loopToHere() {
  const here = player.position;
  loop(region && region[0] < here ? region[0] : 0, here);
}

function loopAll() {
  loop(0, 0);
}

/** Brings the page in line with the player and the ratings. */
function draw() {
  if (!player) return;
  for (const button of document.querySelectorAll(".play")) {
    button.firstChild.textContent = player.playing ? "Pause " : "Play ";
  }
  if ($("trial").hidden) return;
  const [position, duration] = [player.position, player.duration];
  $("position").max = duration;
  $("position").value = position;
  const seconds = `${position.toFixed(1)} of ${duration.toFixed(1)} s`;
  $("seconds").textContent = seconds;
  $("position").setAttribute("aria-valuetext", seconds);
  const looped = region ? `${region[0].toFixed(1)} to ${region[1].toFixed(1)} s` : "all of it";
  write("region", `Loop: ${looped}`);
  const { ratings } = answer();
  for (const button of document.querySelectorAll(".signal")) {
    const name = button.dataset.signal ?? trial.reference;
    button.setAttribute("aria-pressed", String(player.selected === name));
  }
  for (const slider of document.querySelectorAll("input[data-signal]")) {
    const name = slider.dataset.signal;
    const known = name in ratings;
    if (slider.disabled && isHeard(name)) {
      slider.disabled = false;
      if (document.activeElement.dataset.signal === name) slider.focus();
    }
    if (known) slider.value = ratings[name];
    slider.classList.toggle("unrated", !known);
    const word = WORDS[Math.min(4, Math.floor(slider.value / 20))];
    slider.setAttribute("aria-valuetext", known ? `${slider.value}, ${word}` : "not rated");
    slider.nextElementSibling.textContent = known ? slider.value : "–";
  }
  if ($("choices")) {
    $("choices").disabled = !everythingHeard();
    for (const radio of document.getElementsByName("choice")) {
      const shown = TEST.design === "ab" ? trial.shown[radio.value - 1] : trial.shown[0];
      const wanted = TEST.design === "ab" ? 1 : Number(radio.value);
      radio.checked = ratings[shown] === wanted;
    }
  }
}

/* ---- Mouse and keys ---- */

function key(event) {
  // Some keyboards write a bracket with Alt, and tell AltGr as Ctrl and Alt.
  const alters = (event.ctrlKey || event.altKey) && !"[]".includes(event.key);
  if (alters || event.metaKey || !player) return;
  const pressed = event.key.toLowerCase();
  if (pressed === " ") {
    if (event.target.matches("button")) return; // which it presses
    player.toggle();
  } else if (!$("volume").hidden) {
    if (pressed !== "n") return;
    next();
  } else if (pressed >= "0" && pressed <= "9") {
    digit(Number(pressed));
  } else if (pressed === "r") {
    hear(trial.reference);
  } else if (pressed === "[") {
    loopFromHere();
  } else if (pressed === "]") {
    loopToHere();
  } else if (pressed === "x") {
    loopAll();
  } else if (pressed === "n") {
    goOn();
  } else if (pressed.length === 1 && LETTERS.includes(pressed.toUpperCase())) {
    hear(trial.shown[LETTERS.indexOf(pressed.toUpperCase())]);
  } else {
    return;
  }
  event.preventDefault();
}

function digit(number) {
  if (TEST.design === "mushra") {
    const name = document.activeElement.dataset.signal ?? player.selected;
    if (name !== trial.reference) rate(name, 10 * number);
  } else if (number >= 1 && number <= (TEST.design === "ab" ? 2 : 5)) {
    rate(trial.shown[0], number);
  }
}

function listenToPage() {
  document.addEventListener("keydown", (event) => {
    if ($("welcome").hidden && $("done").hidden) key(event);
    else if (!$("done").hidden && event.key.toLowerCase() === "s") save();
  });
  document.addEventListener("mousedown", (event) => {
    // A click does not focus a button, which Space would press then instead of playing.
    if (event.target.closest("button")) event.preventDefault();
  });
  addEventListener("storage", (event) => {
    // Another tab goes on with this listener: what this one knows is old.
    if ($("welcome").hidden && event.key === `${STORE}/${state.listener}`) welcome();
  });
  $("begin").onsubmit = (event) => {
    event.preventDefault();
    begin($("listener").value.toLowerCase()); // P01 is p01
  };
  $("continue").onclick = () => begin(stored().listener);
  for (const button of document.querySelectorAll(".play")) button.onclick = () => player?.toggle();
  $("ready").onclick = next;
  $("position").oninput = () => player?.seek(Number($("position").value));
  $("from").onclick = () => player && loopFromHere();
  $("to").onclick = () => player && loopToHere();
  $("whole").onclick = () => player && loopAll();
  $("next").onclick = goOn;
  $("save").onclick = save;
  $("another").onclick = welcome;
  if ($("reference")) $("reference").onclick = () => press(trial.reference);
  for (const radio of document.getElementsByName("choice")) {
    radio.onchange = () => rate(trial.shown[0], Number(radio.value));
  }
  setInterval(follow, 100);
}

listenToPage();
welcome();
