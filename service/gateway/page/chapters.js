// A story's chapters as the tree that they are: every choice may lead to a chapter of its own.

/** The chapters that go on from one, in the order of their telling. */
export function following(story, chapterId) {
  return story.chapters.filter((each) => (each.parent_chapter_id ?? "") === chapterId);
}

/** The chapter told last, or undefined. */
export function newest(story) {
  return story.chapters.at(-1);
}

/** From the first chapter to this one. */
export function pathTo(story, chapterId) {
  const byId = new Map(story.chapters.map((each) => [each.chapter_id, each]));
  const path = [];
  for (let chapter = byId.get(chapterId); chapter && !path.includes(chapter); chapter = byId.get(chapter.parent_chapter_id)) {
    path.unshift(chapter);
  }
  return path;
}

/** What the reader said that led to a chapter; "" for the first. */
export function turnOf(story, chapter) {
  if (chapter.custom_user_input) return chapter.custom_user_input;
  const parent = story.chapters.find((each) => each.chapter_id === chapter.parent_chapter_id);
  return (parent?.choices ?? []).find((each) => each.id === chapter.choice_id)?.text ?? "";
}

/** Which choices of a chapter have been told, by choice id, and the own words that have. The newest telling counts. */
export function told(story, chapterId) {
  const next = following(story, chapterId);
  return {
    choices: new Map(next.filter((each) => each.choice_id).map((each) => [each.choice_id, each])),
    own: next.filter((each) => each.custom_user_input),
  };
}

/** Depth first, as a table of contents; `depth` counts the branchings on the way, not the chapters. */
export function contents(story) {
  const lines = [];
  const walk = (parentId, depth) => {
    const next = following(story, parentId);
    next.forEach((chapter, at) => {
      lines.push({ chapter, depth: depth + (at > 0 ? 1 : 0) });
      walk(chapter.chapter_id, depth + (at > 0 ? 1 : 0));
    });
  };
  walk("", 0);
  return lines;
}
