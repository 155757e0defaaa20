// The shelf: earlier stories, to be read again.

import { announce } from "./announcer.js";
import { stories } from "./api.js";
import { confirm } from "./confirm.js";
import { el, icon, picture } from "./dom.js";
import { pictureFor } from "./themes.js";
import { trouble } from "./trouble.js";
import { dayWords } from "./words.js";

export async function show(app) {
  const all = await stories.list(app.child.child_id);
  const title = `${app.child.nickname}’s shelf`;
  const element = el("div", { class: "wide" }, el("header", { class: "lead-in" }, el("h1", { text: title })),
    all.length ? shelf(app, all) : empty());
  return { element, title };
}

function empty() {
  return el("div", { class: "empty" }, picture("shelf", { width: 240, height: 180 }),
    el("p", { class: "lead", text: "There is nothing here yet. Every story you read finds its place on this shelf." }),
    el("a", { class: "button main", href: "#/themes" }, icon("quill"), el("span", { text: "Begin a story" })));
}

function shelf(app, all) {
  return el("ul", { class: "books" }, all.map((story) => book(app, story)));
}

function book(app, story) {
  const place = el("li", { class: "book" });
  const title = story.title || story.theme;
  place.append(
    el("a", { class: "cover", href: `#/shelf/${encodeURIComponent(story.story_id)}` },
      picture(pictureFor(story.theme), { width: 200, height: 200 }),
      el("span", { class: "cover-title", dir: "auto", lang: app.child.language || "en", text: title }),
      el("span", { class: "cover-day", text: dayWords(story.update_time ?? story.create_time) })),
    el("button", { type: "button", class: "quiet-link", on: { click: () => putAway(app, story, place) } },
      icon("bin"), el("span", { text: "Put away" }), el("span", { class: "visually-hidden", text: ` ${title}` })));
  return place;
}

async function putAway(app, story, place) {
  const agreed = await confirm({
    title: "Put this story away for good?",
    text: `“${story.title || story.theme}” leaves the shelf with all its chapters. This can't be undone.`,
    yes: "Yes, put away", no: "No, keep it",
  });
  if (!agreed) return;
  try {
    await stories.remove(story.story_id);
    if (app.telling?.request.story_id === story.story_id || app.telling?.result?.story_id === story.story_id) app.leaveTelling();
    announce("The story is put away.");
    app.go("#/shelf");
  } catch (error) {
    place.append(trouble(error.reason, { again: () => putAway(app, story, place), level: "h2" }));
  }
}
