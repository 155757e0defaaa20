// Adds a reader, or changes one.

import { CallError, children } from "./api.js";
import { chips } from "./chips.js";
import { confirm } from "./confirm.js";
import { button, el } from "./dom.js";
import { trouble } from "./trouble.js";

const LIKES = ["animals", "dinosaurs", "space", "the sea", "football", "music", "trains", "baking", "drawing", "dancing", "magic", "snow"];
const AVOIDS = ["spiders", "thunder", "big dogs", "getting lost", "ghosts", "doctors"];
const LANGUAGES = [["en", "English"], ["de", "Deutsch"], ["fr", "Français"], ["es", "Español"], ["it", "Italiano"], ["pl", "Polski"]];
const AGES = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

export async function show(app, childId) {
  const child = childId ? (await children.list()).find((each) => each.child_id === childId) : null;
  if (childId && !child) throw new CallError("CHILD_NOT_FOUND");
  const title = child ? `About ${child.nickname}` : "A new reader";
  return { element: el("div", { class: "narrow" }, el("h1", { text: title }), form(app, child)), title };
}

function form(app, child) {
  const nickname = el("input", {
    type: "text", id: "nickname", name: "nickname", required: true, maxlength: 40, autocomplete: "off",
    value: child?.nickname ?? "", "aria-describedby": "nickname-hint",
  });
  const likes = chips({
    legend: "What do you love?", hint: "It may turn up in the stories.", name: "interests",
    suggestions: LIKES, chosen: child?.interests ?? [], limit: 20,
  });
  const avoids = chips({
    legend: "What should no story bring?", hint: "For grown-ups: these topics are left out, always.", name: "avoid_topics",
    suggestions: AVOIDS, chosen: child?.avoid_topics ?? [], limit: 50,
  });
  const language = languages(child?.language || "en");
  const problem = el("div", {});
  const read = (ages) => ({
    nickname: nickname.value.trim(), age: Number(ages.get("age")), language: language.value,
    interests: likes.topics(), avoid_topics: avoids.topics(),
  });
  const submit = (event) => {
    event.preventDefault();
    save(app, child, read(new FormData(event.target)), problem);
  };
  return el("form", { class: "paper", on: { submit } },
    el("div", { class: "field" },
      el("label", { for: "nickname", text: "What shall the stories call you?" }),
      el("p", { class: "hint", id: "nickname-hint", text: "A nickname is enough. No full name, please." }), nickname),
    ages(child?.age ?? 6), likes.element, avoids.element,
    el("div", { class: "field" }, el("label", { for: "language", text: "Language of the stories" }), language),
    problem,
    el("div", { class: "row" },
      el("button", { type: "submit", class: "button main" }, el("span", { text: child ? "Keep the changes" : "Let us read" })),
      button("Back", () => app.go("#/readers")),
      child ? button("Forget this reader", () => forget(app, child, problem), { kind: "grave", symbol: "bin" }) : null));
}

function ages(chosen) {
  const numbers = AGES.map((age) => el("label", { class: "pill round" },
    el("input", { type: "radio", name: "age", value: age, checked: age === chosen }), el("span", { text: age })));
  return el("fieldset", { class: "choices-row" }, el("legend", { text: "How old are you?" }), el("div", { class: "pills" }, numbers));
}

function languages(chosen) {
  const known = LANGUAGES.some(([tag]) => tag === chosen) ? LANGUAGES : [...LANGUAGES, [chosen, chosen]];
  return el("select", { id: "language", name: "language" },
    known.map(([tag, name]) => el("option", { value: tag, text: name, selected: tag === chosen })));
}

async function save(app, child, profile, problem) {
  try {
    const changes = { ...profile, interests: { topics: profile.interests }, avoid_topics: { topics: profile.avoid_topics } };
    const saved = child ? await children.update(child.child_id, changes) : await children.create(profile);
    app.chooseChild(saved);
    app.go("#/themes");
  } catch (error) {
    complain(problem, error, () => save(app, child, profile, problem));
  }
}

async function forget(app, child, problem) {
  const agreed = await confirm({
    title: `Forget ${child.nickname}?`,
    text: "The reader and all stories on this reader's shelf are erased. This can't be undone.",
    yes: "Yes, forget", no: "No, keep",
  });
  if (!agreed) return;
  try {
    await children.remove(child.child_id);
    if (app.telling?.about.child.child_id === child.child_id) app.leaveTelling();
    if (app.child?.child_id === child.child_id) app.chooseChild(null);
    app.go("#/readers");
  } catch (error) {
    complain(problem, error, () => forget(app, child, problem));
  }
}

function complain(place, error, again) {
  place.replaceChildren(trouble(error.reason, { again, fields: error.fields, level: "h2" }));
  place.scrollIntoView({ block: "nearest" });
}
