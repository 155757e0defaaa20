// The calm sign beneath a story that is being told: what happens now, how far it is.

import { el, picture } from "./dom.js";
import { stepWords } from "./words.js";

const OFFLINE = "The line is gone. We go on as soon as it is back.";
const RETELLING = "We are telling this part anew.";
const PAUSED = "Paused. The story waits for you.";
const STOPPING = "Stopping …";

export class Sign {
  constructor() {
    this.words = el("p", { class: "sign-words" });
    this.bar = el("progress", { max: 100, value: 0, "aria-label": "How far the story is" });
    this.owl = picture("sign", { class: "sign-picture", width: 72, height: 72 });
    this.element = el("div", { class: "sign" }, this.owl, el("div", { class: "sign-text" }, this.words, this.bar));
  }

  /** Draws how a telling stands. Answers the words when they are news. */
  draw(telling) {
    const words = wordsFor(telling);
    const isNew = words !== this.words.textContent;
    this.words.textContent = words;
    this.bar.value = telling.progress;
    this.element.dataset.state = stateOf(telling);
    return isNew ? words : "";
  }
}

function wordsFor(telling) {
  if (telling.stopping) return STOPPING;
  if (!telling.online) return OFFLINE;
  if (telling.paused) return PAUSED;
  if (telling.retelling) return RETELLING;
  return stepWords(telling.step);
}

function stateOf(telling) {
  if (!telling.online) return "offline";
  if (telling.paused) return "paused";
  if (telling.retelling) return "retelling";
  return telling.step === "safety_check" ? "checking" : "telling";
}
