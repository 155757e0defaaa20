// One story of the shelf: its chapters, on all the branches that were told.

import { stories } from "./api.js";
import { contents, newest, turnOf } from "./chapters.js";
import { el, icon, picture } from "./dom.js";
import { pictureFor } from "./themes.js";

export async function show(app, storyId) {
  const story = { chapters: [], ...(await stories.get(storyId)) };
  const language = app.child.language || "en";
  const title = story.title || story.theme;
  const address = (chapter) => `#/shelf/${encodeURIComponent(storyId)}/${encodeURIComponent(chapter.chapter_id)}`;
  const element = el("div", { class: "narrow" },
    el("a", { class: "quiet-link", href: "#/shelf" }, icon("back"), el("span", { text: "To the shelf" })),
    el("div", { class: "paper story-card" },
      picture(pictureFor(story.theme), { class: "vignette", width: 200, height: 200 }),
      el("h1", { text: title, lang: language, dir: "auto" }),
      story.chapters.length ? actions(story, address) : el("p", { text: "No chapter of it is finished." }),
      el("ol", { class: "contents" }, contents(story).map((line) => entry(story, line, address, language)))));
  return { element, title };
}

function actions(story, address) {
  const last = newest(story);
  const goesOn = (last.choices ?? []).length > 0;
  return el("div", { class: "row" },
    el("a", { class: "button main", href: address(story.chapters[0]) }, icon("book"), el("span", { text: "Read from the beginning" })),
    goesOn ? el("a", { class: "button plain", href: address(last) }, icon("arrow"), el("span", { text: "Go on where we stopped" })) : null);
}

function entry(story, { chapter, depth }, address, language) {
  const turn = turnOf(story, chapter);
  const isLast = !(chapter.choices ?? []).length;
  return el("li", { class: "entry", data: { depth: Math.min(depth, 4) } },
    el("a", { href: address(chapter) },
      el("span", { class: "entry-number", text: `Chapter ${chapter.chapter_number}` }),
      turn ? el("span", { class: "entry-turn", lang: language, dir: "auto", text: turn }) : null,
      depth > 0 ? el("small", { text: "another way" }) : null,
      isLast ? el("small", { text: "the end" }) : null));
}
