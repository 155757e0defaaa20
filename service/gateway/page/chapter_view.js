// A chapter from the shelf: to be read again, and to go on from.

import { stories, CallError } from "./api.js";
import { aloudControls } from "./aloud_controls.js";
import { chapterPage } from "./chapter_page.js";
import { newest, pathTo, told, turnOf } from "./chapters.js";
import { el, icon } from "./dom.js";
import { pictureFor } from "./themes.js";
import { theEnd, turns } from "./turns.js";

export async function show(app, storyId, chapterId) {
  const story = { chapters: [], ...(await stories.get(storyId)) };
  const chapter = story.chapters.find((each) => each.chapter_id === chapterId);
  if (!chapter) throw new CallError("CHAPTER_NOT_FOUND");
  const language = app.child.language || "en";
  const about = {
    picture: pictureFor(story.theme), heading: story.title || story.theme, language, turn: turnOf(story, chapter),
    chapterNumber: chapter.chapter_number, planned: story.planned_chapters,
  };
  const page = chapterPage(about);
  page.text.replace(chapter.story_content ?? "", language);
  page.below.append(ways(app, story, chapter, about), leaves(story, chapter));
  const { elements, aloud } = aloudControls(page.text, language, () => false);
  page.controls.append(...elements);
  return { element: page.element, title: about.heading, leave: () => aloud?.stop() };
}

function address(story, chapter) {
  return `#/shelf/${encodeURIComponent(story.story_id)}/${encodeURIComponent(chapter.chapter_id)}`;
}

function ways(app, story, chapter, about) {
  if (!(chapter.choices ?? []).length) {
    return theEnd({
      onNew: () => app.go("#/themes"), onShelf: () => app.go("#/shelf"),
      onAgain: () => app.go(address(story, story.chapters[0])),
    });
  }
  const before = told(story, chapter.chapter_id);
  const onTurn = (words, turn) => app.tell(
    { child: app.child, picture: about.picture, heading: about.heading, turn: words, planned: about.planned,
      chapterNumber: chapter.chapter_number + 1 },
    { child_id: story.child_id, story_id: story.story_id, chapter_id: chapter.chapter_id, ...turn });
  return turns({
    choices: chapter.choices, question: chapter.choice_question, language: about.language, onTurn,
    told: new Map([...before.choices].map(([choiceId, each]) => [choiceId, address(story, each)])),
    ownTold: before.own.map((each) => ({ words: each.custom_user_input, href: address(story, each) })),
  });
}

/** Leafing: back along the way that led here, and to the list of chapters. */
function leaves(story, chapter) {
  const parent = pathTo(story, chapter.chapter_id).at(-2);
  const last = newest(story);
  const link = (href, symbol, words) => el("a", { class: "quiet-link", href }, icon(symbol), el("span", { text: words }));
  return el("nav", { class: "leaves", "aria-label": "Chapters" },
    parent ? link(address(story, parent), "back", "The chapter before") : null,
    link(`#/shelf/${encodeURIComponent(story.story_id)}`, "list", "All chapters"),
    last !== chapter ? link(address(story, last), "arrow", "The newest chapter") : null);
}
