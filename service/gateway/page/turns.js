// What happens next? The choices as big buttons, and room for the reader's own words. Or: the end.

import { button, el, icon, picture } from "./dom.js";

/**
 * `choices` and `question` as in the contract; `told` maps a choice's id to where its chapter is to be read; `ownTold`
 * are `{words, href}` of earlier own words. `onTurn(words, turn)` gets the request's part of what was chosen.
 */
export function turns({ choices, question, language, onTurn, told = new Map(), ownTold = [] }) {
  return el("section", { class: "turns", "aria-labelledby": "what-next" },
    el("h2", { id: "what-next", lang: language, dir: "auto", text: question || "What happens next?" }),
    el("ul", { class: "choices" },
      choices.map((choice) => el("li", {}, option(choice, language, onTurn, told.get(choice.id)))),
      ownTold.map((each) => el("li", {}, earlier(each.words, each.href, language)))),
    ownWords(onTurn));
}

function option(choice, language, onTurn, href) {
  if (href) return earlier(choice.text, href, language);
  return el("button", { type: "button", class: "choice", on: { click: () => onTurn(choice.text, { choice_id: choice.id }) } },
    el("span", { lang: language, dir: "auto", text: choice.text }), icon("arrow"));
}

function earlier(words, href, language) {
  return el("a", { class: "choice told", href }, el("span", { lang: language, dir: "auto", text: words }),
    el("small", { text: "read it again" }), icon("book"));
}

function ownWords(onTurn) {
  const input = el("textarea", { id: "own-words", maxlength: 500, rows: 2, required: true, autocomplete: "off" });
  const submit = (event) => {
    event.preventDefault();
    const words = input.value.trim();
    if (words) onTurn(words, { custom_user_input: words });
  };
  return el("form", { class: "own-words field", on: { submit } },
    el("label", { for: "own-words", text: "Or say it in your own words" }), input,
    el("button", { type: "submit", class: "button main" }, icon("quill"), el("span", { text: "And then …" })));
}

/** The end of a tale. */
export function theEnd({ onAgain, onNew, onShelf }) {
  return el("section", { class: "the-end" },
    picture("end", { width: 240, height: 120 }),
    el("h2", { text: "The end" }),
    el("div", { class: "row" },
      button("Another story", onNew, { kind: "main", symbol: "quill" }),
      onAgain ? button("From the beginning", onAgain, { symbol: "again" }) : null,
      button("To the shelf", onShelf, { symbol: "shelf" })));
}
