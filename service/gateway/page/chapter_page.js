// A chapter as it lies on the table: picture, title, text and what comes beneath. The same for one that is being told
// and one from the shelf.

import { el, picture } from "./dom.js";
import { TextView } from "./textview.js";

/** `about` has picture, heading, chapterNumber, planned, turn and language. */
export function chapterPage(about) {
  const title = el("h1", { class: "story-title", dir: "auto", lang: about.language, text: about.heading });
  const number = el("p", { class: "chapter-number" });
  const text = el("div", { class: "story", lang: about.language, dir: "auto" });
  const below = el("div", { class: "below" });
  const controls = el("div", { class: "controls", role: "group", "aria-label": "Reading" });
  const element = el("div", { class: "table" }, el("article", { class: "page" },
    el("header", { class: "page-head" }, picture(about.picture, { class: "vignette", width: 200, height: 200 }), title, number),
    about.turn ? el("p", { class: "turn", dir: "auto" }, el("span", { class: "turn-label", text: "You chose " }), el("q", { text: about.turn })) : null,
    text, below), controls);
  const page = {
    element, title, below, controls, text: new TextView(text),
    /** The planned length is known only once a first chapter is done. */
    countChapters(chapterNumber, planned) {
      number.textContent = planned ? `Chapter ${chapterNumber} of ${planned}` : `Chapter ${chapterNumber}`;
    },
  };
  page.countChapters(about.chapterNumber, about.planned);
  return page;
}
