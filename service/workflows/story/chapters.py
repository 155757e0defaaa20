"""What a run made, as it is kept."""

import time

from service.runtime.stores import Artifact
from service.safety.screen import Screen
from service.workflows.story.decoding import Draft
from service.workflows.story.tale import StoredChapter
from service.workflows.story.task import StoryTask


def make_chapter(task: StoryTask, draft: Draft, run_id: str, screen: Screen) -> StoredChapter:
    """The approved draft as the chapter that this run told; a run tells one, so its id is the chapter's as well."""
    # A title of the request is a text that no review has seen in this place, and it may be from before a change.
    title = task.title if task.title and not screen.find(task.title) else draft.title.strip() or task.theme
    return StoredChapter(
        chapter_id=run_id,
        parent_chapter_id=task.parent_chapter_id,
        story_id=task.story_id,
        child_id=task.child_id,
        chapter_number=task.chapter_number,
        planned_chapters=task.planned_chapters,
        title=title,
        theme=task.theme,
        story_content=draft.story_content,
        choice_id=task.turn.choice_id,
        custom_user_input=task.turn.custom_user_input,
        turn=task.turn.text,
        choices=tuple(draft.choices),
        choice_question=draft.choice_question,
        bible=draft.bible,
    )


def make_artifact(chapter: StoredChapter, *, first: bool) -> Artifact:
    """The chapter as the store takes it."""
    return Artifact(
        run_id=chapter.chapter_id,
        series_id=chapter.story_id,
        first=first,
        create_time_ns=time.time_ns(),
        payload=chapter.model_dump_json().encode(),
    )
