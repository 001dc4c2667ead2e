/* One sentence through several codecs. What is known of them is the JSON in #data: `arms`, `groups`
 * of arms that are compared, `metrics`, `ending` of the sounds' files, and `utterances` with gain, bit
 * rate and scores by arm. */

"use strict";

const $ = (id) => document.getElementById(id);

/** A new element with text; never with markup, as names and transcripts are anyone's. */
function make(kind, text = "", attributes = {}) {
  const element = document.createElement(kind);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

class Listening {
  static STEP = 1; // seconds of an arrow key
  static DRAG = 0.03; // of the width, below which a drag is a click

  constructor(data) {
    this.data = data;
    this.group = 0;
    this.place = 0;
    data.groups.forEach(({ title }, number) =>
      $("group").append(make("option", title, { value: number })),
    );
    $("group").addEventListener("change", () => this.show({ group: Number($("group").value) }));
    $("previous").addEventListener("click", () => this.step(-1));
    $("next").addEventListener("click", () => this.step(1));
    $("play").addEventListener("click", () => this.player.toggle());
    $("whole").addEventListener("click", () => this.repeat(0, 0));
    $("keys").addEventListener("click", () => $("help").showModal());
    for (const link of document.querySelectorAll(".hear")) {
      const group = data.groups.findIndex(({ ablation }) => ablation === link.dataset.ablation);
      link.addEventListener("click", () => this.show({ group }));
    }
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keyup", (event) => {
      // Space plays, also where it would press the codec's button again.
      if (event.key === " " && event.target.closest?.("#arms")) event.preventDefault();
    });
    this.#followPointer($("picture"));
    $("listening").hidden = false;
    this.show({});
    const follow = () => {
      this.#drawPlace();
      requestAnimationFrame(follow);
    };
    follow();
  }

  get utterance() {
    return this.data.utterances[this.place];
  }

  get keys() {
    return this.data.groups[this.group].arms;
  }

  step(by) {
    const count = this.data.utterances.length;
    this.show({ place: (this.place + by + count) % count });
  }

  /** Shows another group of arms or another utterance; a playing one goes on. */
  show({ group = this.group, place = this.place }) {
    const before = this.player;
    const playing = before?.playing;
    const position = place === this.place ? (before?.position ?? 0) : 0;
    before?.close();
    [this.group, this.place, this.part] = [group, place, [0, 0]];
    const player = new Player(
      this.keys.map((key) => ({ name: key, url: this.#file("audio", key, this.data.ending) })),
    );
    this.player = player;
    if (before) player.select(before.selected);
    if (position) player.seek(position);
    if (playing) player.play(); // now, not once it is loaded: browsers ask for a key or a click
    player.onchange = () => this.#draw();
    $("group").value = group;
    $("count").textContent = `Sentence ${place + 1} of ${this.data.utterances.length}`;
    $("text").textContent = this.utterance.text || this.utterance.name;
    $("speaker").textContent = `Speaker ${this.utterance.speaker}, ${this.utterance.name}`;
    $("arms").replaceChildren(...this.keys.map((key, digit) => this.#button(key, digit)));
    this.pictures = new Map(this.keys.map((key) => [key, this.#picture(key)]));
    this.head = make("i", "", { class: "head" });
    this.shade = make("i", "", { class: "loop" });
    $("picture").replaceChildren(...this.pictures.values(), this.shade, this.head);
    this.#draw();
  }

  /** Repeats a part (s); an empty one: all, once. */
  repeat(start, end) {
    this.part = [start, end];
    this.player.loop(start, end);
  }

  #file(folder, key, kind) {
    return `${folder}/${this.utterance.number}/${encodeURIComponent(key)}.${kind}`;
  }

  #button(key, digit) {
    const button = make("button", "", { type: "button", "data-arm": key });
    const { bitrate } = this.utterance.sounds[key];
    if (digit < 10) button.append(make("kbd", digit));
    button.append(make("span", this.data.arms[key].name));
    if (bitrate) button.append(make("span", `${(bitrate / 1000).toFixed(1)} kbit/s`, { class: "aside" }));
    button.addEventListener("click", () => this.player.select(key));
    return button;
  }

  #picture(key) {
    const alt = `Spectrogram of ${this.data.arms[key].name}`;
    return make("img", "", { src: this.#file("spectrograms", key, "png"), alt });
  }

  #draw() {
    const { selected, playing, failed } = this.player;
    const arm = this.data.arms[selected];
    const sound = this.utterance.sounds[selected];
    for (const button of $("arms").children) {
      button.setAttribute("aria-pressed", button.dataset.arm === selected);
      button.disabled = failed.has(button.dataset.arm);
    }
    for (const [key, picture] of this.pictures) picture.hidden = key !== selected;
    $("play").textContent = playing ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    $("whole").hidden = !this.part[1];
    $("heard").textContent = arm.name;
    const gain = sound.gain ? `, played at ${sound.gain > 0 ? "+" : "−"}${Math.abs(sound.gain)} dB` : "";
    $("about").textContent = arm.about + gain;
    const { base } = this.data.groups[this.group];
    const compared = sound.bitrate && selected !== base;
    $("scores").replaceChildren(...this.#scores(sound.scores, compared ? base : ""));
    $("against").textContent = compared ? `Scores of this file; behind, the change from ${this.data.arms[base].name}.` : "";
  }

  /** The scores of a file, and how they differ from the scores of `base`, if there is one. */
  #scores(scores, base) {
    const others = base ? this.utterance.sounds[base].scores : {};
    return Object.entries(scores).map(([metric, value]) => {
      const { label, digits } = this.data.metrics[metric];
      const row = make("div");
      const cell = make("dd", value.toFixed(digits).replace("-", "−"));
      if (metric in others) {
        const change = value - others[metric];
        const size = Math.abs(change).toFixed(digits);
        const sign = Number(size) ? (change < 0 ? "−" : "+") : "±";
        cell.append(make("span", ` ${sign}${size}`, { class: "aside" }));
      }
      row.append(make("dt", label), cell);
      return row;
    });
  }

  #drawPlace() {
    const { position, duration } = this.player;
    const percent = (seconds) => `${(100 * seconds) / (duration || 1)}%`;
    this.head.style.left = percent(position);
    this.shade.style.left = percent(this.part[0]);
    this.shade.style.width = percent(this.part[1] - this.part[0]);
    const text = `${position.toFixed(1)} of ${duration.toFixed(1)} s`;
    if ($("time").textContent === text) return;
    $("time").textContent = text;
    $("picture").setAttribute("aria-valuemax", duration.toFixed(1));
    $("picture").setAttribute("aria-valuenow", position.toFixed(1));
    $("picture").setAttribute("aria-valuetext", text);
  }

  /** A click on the spectrogram goes there; a drag repeats what it covers. */
  #followPointer(box) {
    const share = (event) => {
      const { left, width } = box.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - left) / width, 0), 1);
    };
    let start = null;
    let before = null; // the part, for a drag that is cancelled
    box.addEventListener("pointerdown", (event) => {
      start = share(event);
      before = this.part;
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      if (start === null || Math.abs(share(event) - start) < Listening.DRAG) return;
      this.part = [start, share(event)].sort((a, b) => a - b).map((at) => at * this.player.duration);
    });
    box.addEventListener("pointercancel", () => {
      if (start !== null) this.part = before;
      start = null;
    });
    box.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const ends = [start, share(event)].sort((a, b) => a - b);
      start = null;
      const [from, to] = ends.map((at) => at * this.player.duration);
      if (ends[1] - ends[0] >= Listening.DRAG) {
        this.repeat(from, to);
        this.player.play();
      } else {
        this.repeat(0, 0);
        this.player.seek(from);
      }
    });
  }

  #key(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
    if (key === "?") return $("help").showModal();
    const inside = target.closest?.("#listening");
    const digit = /^[0-9]$/.test(key);
    // A list of groups takes letters and arrows itself.
    if (target.closest?.("select") && !digit) return;
    if (!(inside || this.#onScreen())) return;
    // Elsewhere they scroll.
    if ((key === "ArrowUp" || key === "ArrowDown") && !inside) return;
    // Elsewhere Space presses buttons and opens what is folded.
    if (key === " " && target.closest?.("button, summary, a") && !target.closest("#arms")) return;
    const actions = {
      " ": () => this.player.toggle(),
      ArrowLeft: () => this.player.seek(this.player.position - Listening.STEP),
      ArrowRight: () => this.player.seek(this.player.position + Listening.STEP),
      ArrowUp: () => this.step(-1),
      ArrowDown: () => this.step(1),
    };
    if (digit && key < this.keys.length) this.player.select(this.keys[key]);
    else if (key in actions) actions[key]();
    else return;
    event.preventDefault();
  }

  /** Whether the middle of the window shows what is heard: then keys are meant for it. */
  #onScreen() {
    const { top, bottom } = $("listening").getBoundingClientRect();
    return top < innerHeight / 2 && bottom > innerHeight / 2;
  }
}

const listening = new Listening(JSON.parse($("data").textContent));
