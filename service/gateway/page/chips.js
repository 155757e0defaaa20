// A list of topics: some to tap, others to write.

import { announce } from "./announcer.js";
import { button, el } from "./dom.js";

/** `name` is the field's name in the contract; `topics()` answers what is chosen. */
export function chips({ legend, hint, name, suggestions, chosen = [], limit }) {
  const picked = new Set(chosen);
  const list = el("div", { class: "chips" });
  const input = el("input", { type: "text", id: `${name}-own`, maxlength: 60, autocomplete: "off", enterkeyhint: "done" });
  const draw = (topic) => list.append(chip(topic, picked, limit));
  [...new Set([...suggestions, ...chosen])].forEach(draw);

  const add = () => {
    const topic = input.value.trim();
    input.value = "";
    if (!topic || picked.has(topic) || picked.size >= limit) return;
    picked.add(topic);
    const shown = [...list.children].find((each) => each.textContent === topic);
    if (shown) shown.setAttribute("aria-pressed", "true");
    else draw(topic);
    announce(`${topic} added`);
  };
  input.addEventListener("keydown", (event) => {
    // Enter adds the topic; it must not send the form that the field stands in.
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  });
  const element = el("fieldset", { class: "choices-row" },
    el("legend", { text: legend }), el("p", { class: "hint", text: hint }), list,
    el("div", { class: "own-topic" },
      el("label", { for: input.id, text: "Something else" }), el("div", { class: "row nowrap" }, input, button("Add", add, { symbol: "plus" }))));
  // What was written and not added counts, too: nobody should lose it for want of a tap.
  return { element, topics: () => (add(), [...picked]) };
}

function chip(topic, picked, limit) {
  return el("button", {
    type: "button", class: "chip", text: topic, "aria-pressed": String(picked.has(topic)),
    on: { click: (event) => toggle(event.currentTarget, topic, picked, limit) },
  });
}

function toggle(element, topic, picked, limit) {
  if (picked.has(topic)) picked.delete(topic);
  else if (picked.size < limit) picked.add(topic);
  element.setAttribute("aria-pressed", String(picked.has(topic)));
}
