"""Runs, stories and children on one line each, and whole stories as text."""

import re
from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.message import Message

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from fabula.terminal import one_line

# JSON escapes the control characters below 0x20 alone; a terminal obeys those of 0x80 to 0x9f as well.
_UNESCAPED_CONTROL = re.compile(r"[\x7f-\x9f]")


def run_line(run: run_pb2.Run) -> str:
    """One run."""
    state = run_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()
    begun = run.create_time.ToJsonString()
    return one_line(f"{run.run_id}  {state:<9}  {begun}  child {run.child_id}  {run.last_sequence} events")


def story_line(story: story_pb2.Story) -> str:
    """One story of a list."""
    told, planned = story.update_time.ToJsonString(), chapters(story.planned_chapters)
    return one_line(f"{story.story_id}  {told}  child {story.child_id}  {planned} planned  {story.title}")


def child_line(child: child_pb2.Child) -> str:
    """One child."""
    level = f"level {level_name(child.reading_level)}" if child.reading_level else "level by age"
    parts = [f"{child.child_id}  {child.nickname}  age {child.age}", level, child.language]
    parts += [f"likes {', '.join(child.interests)}"] if child.interests else []
    parts += [f"without {', '.join(child.avoid_topics)}"] if child.avoid_topics else []
    return one_line("  ".join(parts))


def level_name(level: "child_pb2.ReadingLevel.ValueType") -> str:
    """The reading level as the program takes it, for example "beginner"."""
    return child_pb2.ReadingLevel.Name(level).removeprefix("READING_LEVEL_").lower()


def chapters(count: int) -> str:
    """So many chapters, in words."""
    return "1 chapter" if count == 1 else f"{count} chapters"


def newest_branch(told: Sequence[story_pb2.Chapter]) -> list[story_pb2.Chapter]:
    """The chapters from the first one to the one that was told last, along their parents."""
    by_id = {chapter.chapter_id: chapter for chapter in told}
    branch: list[story_pb2.Chapter] = []
    newest = told[-1].chapter_id if told else ""
    # Taken out as they are found: parents that go in a circle are an end, not an endless story.
    while (chapter := by_id.pop(newest, None)) is not None:
        branch.append(chapter)
        newest = chapter.parent_chapter_id
    return branch[::-1]


def json_line(message: Message) -> str:
    """The message as one line of JSON with the names of the protos."""
    text = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
    return _UNESCAPED_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
