"""Tasks and chapters for the tests of the workflow's parts."""

import time
from typing import Any

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from service.runtime.stores import Artifact
from service.safety.screen import Screen
from service.workflows.story.tale import Bible, Character, StoredChapter
from service.workflows.story.task import Reader, StoryTask, Turn

CLEAN = Screen({"violence": ["murder", "gory", "stabbed"]})

READER = Reader(
    nickname="Robin",
    age=7,
    reading_level=child_pb2.READING_LEVEL_INTERMEDIATE,
    interests=("stars",),
    avoid_topics=(),
    language="en",
)


def make_task(**changes: Any) -> StoryTask:
    """A task that begins a tale, or the one that `changes` make of it."""
    fields: dict[str, Any] = {
        "reader": READER,
        "theme": "a fox who fears the dark",
        "title": "",
        "child_id": "1",
        "story_id": "tale",
        "chapter_number": 1,
        "planned_chapters": 5,
        "branch": (),
        "turn": Turn(),
        "release": run_pb2.RELEASE_SENTENCE,
    }
    return StoryTask(**fields | changes)


def make_chapter(number: int = 1, **changes: Any) -> StoredChapter:
    """Chapter `number` of the tale, which continues the one before."""
    fields: dict[str, Any] = {
        "chapter_id": f"run-{number}",
        "parent_chapter_id": f"run-{number - 1}" if number > 1 else "",
        "story_id": "tale",
        "child_id": "1",
        "chapter_number": number,
        "planned_chapters": 5,
        "title": "Ember and the Night",
        "theme": "a fox who fears the dark",
        "story_content": f"This is what happened in chapter {number}.",
        "choices": ("She sings", "She sleeps"),
        "choice_question": "What now?",
        "bible": Bible(characters=(Character(name="Ember", about="a small fox"),), places=("the old oak",)),
    }
    return StoredChapter(**fields | changes)


def artifact(chapter: StoredChapter) -> Artifact:
    """The chapter as the store gives it."""
    return Artifact(
        run_id=chapter.chapter_id,
        series_id=chapter.story_id,
        first=not chapter.parent_chapter_id,
        create_time_ns=time.time_ns(),
        payload=chapter.model_dump_json().encode(),
    )
