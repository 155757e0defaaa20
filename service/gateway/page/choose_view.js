// What shall the story be about? A picture, a surprise, or own words.

import { button, el, icon, picture } from "./dom.js";
import { device } from "./keep.js";
import { THEMES, pictureFor } from "./themes.js";
import { greeting } from "./words.js";

const LENGTHS = [[2, "Short"], [5, "Middling"], [8, "Long"]];

export function show(app) {
  const lengths = lengthPills();
  const tell = (theme) => app.tell(
    { child: app.child, picture: pictureFor(theme), heading: asHeading(theme), chapterNumber: 1, turn: "" },
    { child_id: app.child.child_id, theme, planned_chapters: lengths.chapters() });
  const element = el("div", { class: "wide" },
    el("header", { class: "lead-in" },
      el("p", { class: "lead", text: `${greeting(new Date().getHours(), app.child.nickname)}!` }),
      el("h1", { text: "What shall the story be about?" }),
      button("I have an idea of my own", toOwnIdea, { symbol: "quill", kind: "quiet-link" })),
    el("ul", { class: "themes" }, THEMES.map((each) => themeCard(each, tell)), surprise(tell)),
    el("div", { class: "paper own-idea" }, ownIdea(tell), lengths.element));
  return { element, title: "A new story" };
}

/** The theme stands for the title until the story has found its own. */
function asHeading(theme) {
  return theme.charAt(0).toLocaleUpperCase() + theme.slice(1);
}

function themeCard({ file, name, theme }, tell) {
  return el("li", {}, el("button", { type: "button", class: "theme", on: { click: () => tell(theme) } },
    picture(file, { width: 200, height: 200 }), el("span", { text: name })));
}

function surprise(tell) {
  const any = () => tell(THEMES[Math.floor(Math.random() * THEMES.length)].theme);
  return el("li", {}, el("button", { type: "button", class: "theme", on: { click: any } },
    picture("surprise", { width: 200, height: 200 }), el("span", { text: "Surprise me" })));
}

function toOwnIdea() {
  const field = document.getElementById("theme");
  field.focus({ preventScroll: true });
  field.scrollIntoView({ block: "center" });
}

function ownIdea(tell) {
  const input = el("input", {
    type: "text", id: "theme", name: "theme", maxlength: 200, required: true, autocomplete: "off", enterkeyhint: "go",
    "aria-describedby": "theme-hint",
  });
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) tell(input.value.trim());
  };
  return el("form", { class: "field", on: { submit } },
    el("label", { for: "theme", text: "Or have you an idea of your own?" }),
    el("p", { class: "hint", id: "theme-hint", text: "For example: a lost key, or the day the clouds came down" }),
    el("div", { class: "row nowrap" }, input,
      el("button", { type: "submit", class: "button main" }, icon("quill"), el("span", { text: "Tell it" }))));
}

/** How many chapters a new tale has; remembered on this device. */
function lengthPills() {
  let chosen = device.get("chapters") ?? 5;
  const choose = (chapters) => {
    chosen = chapters;
    device.set("chapters", chapters);
  };
  const pills = LENGTHS.map(([chapters, name]) => el("label", { class: "pill" },
    el("input", { type: "radio", name: "length", value: chapters, checked: chapters === chosen, on: { change: () => choose(chapters) } }),
    el("span", { text: `${name}, ${chapters} chapters` })));
  const element = el("fieldset", { class: "choices-row" }, el("legend", { text: "How long shall the tale be?" }),
    el("div", { class: "pills" }, pills));
  return { element, chapters: () => chosen };
}
