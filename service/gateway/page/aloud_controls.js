// The buttons that read a page aloud.

import { announce } from "./announcer.js";
import { button, el, relabel } from "./dom.js";
import { speechRate } from "./settings_view.js";
import { Aloud } from "./speech.js";

const LOOKS = {
  silent: ["Read aloud", "speak"],
  speaking: ["Pause reading", "pause"],
  paused: ["Go on reading", "speak"],
  waiting: ["Pause reading", "pause"],
  voiceless: ["Read aloud", "speak"],
};

/** `more()` tells whether the text may still grow. Answers the elements and the Aloud behind them. */
export function aloudControls(view, language, more) {
  if (!Aloud.possible) return { elements: [], aloud: null };
  const aloud = new Aloud({ view, language, rate: speechRate, more, onState: (state) => look(state) });
  const toggle = button("Read aloud", () => (isTalking(aloud) ? aloud.pause() : aloud.start()), { symbol: "speak" });
  const stop = button("Stop reading", () => aloud.stop(), { symbol: "hush", hidden: true });
  const note = el("p", { class: "control-note", hidden: true });
  const look = (state) => {
    relabel(toggle, ...LOOKS[state]);
    stop.hidden = state === "silent" || state === "voiceless";
    note.hidden = state !== "voiceless";
    note.textContent = `This device has no voice of its own for ${languageName(language)}.`;
    if (!note.hidden) announce(note.textContent);
  };
  return { elements: [toggle, stop, note], aloud };
}

export function isTalking(aloud) {
  return aloud?.state === "speaking" || aloud?.state === "waiting";
}

function languageName(language) {
  try {
    return new Intl.DisplayNames(["en-GB"], { type: "language" }).of(language || "en");
  } catch {
    return "this language";
  }
}
