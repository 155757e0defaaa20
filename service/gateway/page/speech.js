// Reads a TextView aloud, sentence by sentence, with the device's own voices.

import { calm } from "./dom.js";

/** The voice for a language: one of the device, as others would send the story to a stranger's server. */
export function chooseVoice(voices, language) {
  const wanted = (language || "en").toLowerCase();
  const base = wanted.split("-")[0];
  const own = voices.filter((each) => each.localService);
  const tag = (voice) => voice.lang.toLowerCase().replace("_", "-");
  const exact = own.filter((each) => tag(each) === wanted);
  const near = own.filter((each) => tag(each).split("-")[0] === base);
  const candidates = exact.length ? exact : near;
  return candidates.find((each) => each.default) ?? candidates[0] ?? null;
}

export class Aloud {
  #at = 0;
  #turn = 0;
  state = "silent";

  /** `more()` tells whether the text may still grow; `onState` gets silent, speaking, paused, waiting or voiceless. */
  constructor({ view, language, rate = () => 1, more = () => false, onState = () => {} }) {
    Object.assign(this, { view, language, rate, more, onState });
  }

  static get possible() {
    return "speechSynthesis" in globalThis;
  }

  start() {
    if (this.state === "silent" || this.state === "voiceless") this.#at = 0;
    this.#speak();
  }

  /** Not speechSynthesis.pause(), which some devices treat as an end: the sentence is begun again afterwards. */
  pause() {
    this.#hush();
    this.#become("paused");
  }

  stop() {
    this.#hush();
    this.#mark(null);
    this.#become("silent");
  }

  /** To be called when sentences came or the text is at its end. */
  textChanged() {
    if (this.state === "waiting") this.#speak();
  }

  /** To be called after sentences went: those that replace them are read, too. */
  withdrawn() {
    const left = this.view.sentences.length;
    if (this.#at < left) return;
    this.#at = left;
    if (this.state === "speaking") {
      this.#hush();
      this.#become("waiting");
    }
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.onState(state);
  }

  #hush() {
    this.#turn++;
    speechSynthesis.cancel();
  }

  #speak() {
    const sentence = this.view.sentences[this.#at];
    if (!sentence) return this.#rest();
    const voices = speechSynthesis.getVoices();
    const voice = chooseVoice(voices, this.language);
    // Some devices list no voices and speak all the same.
    if (voices.length && !voice) return this.#become("voiceless");
    this.#say(sentence, voice);
  }

  #rest() {
    if (this.more()) this.#become("waiting");
    else this.stop();
  }

  #say(sentence, voice) {
    this.#hush();
    const turn = this.#turn;
    const words = new SpeechSynthesisUtterance(sentence.text.trim());
    words.lang = this.language || "en";
    words.rate = this.rate();
    if (voice) words.voice = voice;
    words.onend = () => turn === this.#turn && this.#next();
    words.onerror = () => turn === this.#turn && this.stop();
    this.#mark(sentence);
    this.#become("speaking");
    speechSynthesis.speak(words);
  }

  #next() {
    this.#at++;
    this.#speak();
  }

  #mark(sentence) {
    this.view.container.querySelectorAll(".spoken").forEach((each) => each.classList.remove("spoken"));
    sentence?.spans.forEach((each) => each.classList.add("spoken"));
    sentence?.spans[0]?.scrollIntoView({ block: "center", behavior: calm() ? "auto" : "smooth" });
  }
}
