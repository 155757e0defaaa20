// Says what went wrong, kindly, with a way on.

import { announce } from "./announcer.js";
import { button, el, picture } from "./dom.js";
import { keyForm } from "./key_form.js";
import { fieldWords, troubleWords } from "./words.js";

/** `again` retries, `other` leads elsewhere; either may be missing. */
export function trouble(reason, { again, other, fields = [], level = "h1" } = {}) {
  const words = troubleWords(reason);
  const about = fieldWords(fields);
  const hint = about ? `It is about ${about}.` : "";
  announce(`${words.title}. ${words.text} ${hint}`);
  return el("section", { class: "trouble" },
    picture(reason === "RUN_CANCELLED" ? "rest" : "trouble", { class: "trouble-picture", width: 120, height: 120 }),
    el(level, { text: words.title }),
    el("p", { text: words.text }),
    hint ? el("p", { text: hint }) : null,
    keyForm(reason, again),
    el("div", { class: "row" },
      again && words.again ? button(words.again, again, { kind: "main", symbol: "again" }) : null,
      other ? button(words.other, other) : null));
}
