/* Player: several recordings of the same length, one of them heard; a change of recording keeps the
 * place. A page that lies on a disk may not read files, so this needs nothing but <audio>.
 *
 * All recordings play at once, all but one too quietly to hear: a change is a change of volumes,
 * without a gap. Their clocks drift by milliseconds. An unheard recording that is off plays faster
 * or slower until it is in step; one that is far off seeks. Give it WAV or Ogg Opus: in FLAC without a
 * table of places, as libsndfile writes it, Chromium fails at some seeks for good.
 *
 *     const player = new Player([{ name: "reference", url: "audio/1/reference.wav" }, ...]);
 *     player.onchange = () => draw(player);   // played, paused, selected, sought, loaded, ended
 *     player.play(); player.pause(); player.toggle();
 *     player.select("baseline");              // heard from now on, at the same place
 *     player.seek(1.5);                       // seconds
 *     player.loop(1, 2.5); player.loop();     // repeat a part; no more; up to Infinity is all
 *     await player.ready;                     // all recordings can play, or are in `failed`
 *     player.names, player.selected, player.playing, player.position, player.duration (seconds)
 *     player.failed                           // Set of names that cannot be played
 *     player.element("baseline")              // its <audio>
 *     player.close();                         // stop, and let go of all recordings
 *
 * The first play() must come from a click or a key, as browsers ask. Some browsers load nothing
 * before (iOS), so nothing waits for `ready`: what is said earlier holds once a recording is there. */

"use strict";

class Player {
  static STEP = 40; // ms between two looks at the clocks
  static CLOSE = 0.004; // s off that nobody minds
  static FAR = 0.25; // s off from where a seek is quicker than another speed
  static HEARD = 0.04; // s off that a recording may be when it is selected
  static START = 1e-6; // s; Chromium begins Ogg Opus 6.5 ms late where no seek came before
  static UNHEARD = 1e-5; // volume: -100 dB

  #elements = new Map();
  #loop = null;
  #timer = null;

  constructor(sources) {
    this.onchange = () => {};
    this.names = sources.map((source) => source.name);
    this.selected = this.names[0];
    this.playing = false;
    this.failed = new Set();
    const loading = sources.map(({ name, url }) => this.#add(name, url));
    this.ready = Promise.all(loading).then(() => this.#changed());
  }

  #add(name, url) {
    const element = new Audio();
    this.#elements.set(name, element);
    element.preload = "auto";
    this.#hear(element, name === this.selected);
    element.preservesPitch = false;
    element.addEventListener("ended", () => name === this.selected && this.#ended());
    return new Promise((done) => {
      element.addEventListener("canplaythrough", done, { once: true });
      element.addEventListener("error", () => {
        this.failed.add(name);
        if (name === this.selected) this.pause();
        done();
        this.#changed();
      });
      element.src = url;
      element.currentTime = Player.START;
    });
  }

  /** Chromium plays a muted element by another clock and stops for 70 ms when it is heard again; so
   * `muted` is for devices whose pages may set no volume (iOS). */
  #hear(element, heard) {
    const volume = heard ? 1 : Player.UNHEARD;
    element.volume = volume;
    element.muted = !heard && Math.abs(element.volume - volume) > 0.01;
  }

  element(name) {
    return this.#elements.get(name);
  }

  get position() {
    return this.element(this.selected).currentTime;
  }

  get duration() {
    const seconds = this.element(this.selected).duration;
    return Number.isFinite(seconds) ? seconds : 0;
  }

  /** The duration, also before it is known. */
  get #end() {
    return this.duration || Infinity;
  }

  /** Resolves when the selected recording plays. */
  async play() {
    if (this.playing) return;
    this.playing = true;
    const [start, end] = this.#loop ?? [0, this.#end];
    if (this.position < start || this.position >= end - 0.01) this.seek(start);
    this.#timer = setInterval(() => this.#tend(), Player.STEP);
    const starting = this.names.map((name) => this.#start(name));
    this.#changed();
    await starting[this.names.indexOf(this.selected)];
  }

  async #start(name) {
    try {
      await this.element(name).play();
    } catch (error) {
      // AbortError: paused before it played. Others: the browser allows no sound yet, or no file.
      if (name === this.selected && error.name !== "AbortError") this.pause();
    }
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    clearInterval(this.#timer);
    const position = this.position;
    for (const element of this.#elements.values()) {
      element.pause();
      element.playbackRate = 1;
      if (element.currentTime !== position) element.currentTime = position;
    }
    this.#changed();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  select(name) {
    if (name === this.selected || !this.#elements.has(name) || this.failed.has(name)) return;
    const [before, after] = [this.element(this.selected), this.element(name)];
    after.playbackRate = 1;
    if (Math.abs(after.currentTime - before.currentTime) > Player.HEARD) {
      after.currentTime = before.currentTime;
    }
    this.#hear(after, true);
    this.#hear(before, false);
    this.selected = name;
    if (this.playing && after.paused) this.#start(name);
    this.#changed();
  }

  seek(seconds) {
    const place = Math.min(Math.max(seconds, 0), this.#end);
    for (const element of this.#elements.values()) {
      element.playbackRate = 1;
      element.currentTime = place;
    }
    if (this.playing) this.names.forEach((name) => this.element(name).paused && this.#start(name));
    this.#changed();
  }

  /** Repeats from `start` to `end` (s); without them plays to the end again. */
  loop(start, end) {
    this.#loop = end > start ? [start, end] : null;
    if (this.#loop && (this.position < start || this.position >= end)) this.seek(start);
    this.#changed();
  }

  close() {
    this.pause();
    this.onchange = () => {};
    for (const element of this.#elements.values()) {
      element.removeAttribute("src");
      element.load();
    }
  }

  /** Keeps the unheard recordings in step, and the loop. */
  #tend() {
    if (this.#loop && this.position >= this.#loop[1]) this.seek(this.#loop[0]);
    const heard = this.element(this.selected);
    if (heard.seeking || heard.ended) return;
    for (const element of this.#elements.values()) {
      if (element === heard || element.seeking || element.paused) continue;
      const late = heard.currentTime - element.currentTime;
      const rate = Math.abs(late) < Player.CLOSE ? 1 : 1 + Math.min(Math.max(5 * late, -0.5), 0.5);
      if (Math.abs(late) > Player.FAR) element.currentTime = heard.currentTime;
      if (element.playbackRate !== rate) element.playbackRate = rate;
    }
  }

  #ended() {
    if (this.#loop && this.playing) return this.seek(this.#loop[0]);
    this.pause();
  }

  #changed() {
    this.onchange(this);
  }
}
