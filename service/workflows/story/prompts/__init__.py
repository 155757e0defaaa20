"""The prompts, as files beside this one, and the JSON form of the answer."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from fabula.child.v1 import child_pb2
from service.runtime.model import Prompt, Schema
from service.workflows.story.task import StoryTask

_TEXT = {"type": "string"}

ANSWER: Schema = {
    "title": "Chapter",
    "description": "One chapter of a story for a child.",
    "type": "object",
    "properties": {
        # The text first: it streams while the rest is still to be written.
        "story_content": _TEXT,
        "title": _TEXT,
        "choice_question": _TEXT,
        "choices": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 3},
        "educational_elements": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 3},
    },
    "required": ["story_content", "title", "choice_question", "choices", "educational_elements"],
    "additionalProperties": False,
}


def _read(name: str) -> str:
    return (resources.files(__package__) / f"{name}.md").read_text(encoding="utf-8")


_SYSTEM, _TELL, _REWRITE = _read("system"), _read("tell"), _read("rewrite")


def tell(task: StoryTask) -> Prompt:
    """Asks for the chapter."""
    return _prompt(_TELL, task, {"task": "tell"} | _facts(task))


def rewrite(task: StoryTask, story: str, issues: Sequence[Mapping[str, str]]) -> Prompt:
    """Asks for the chapter anew; each issue holds a "category" and a "quote"."""
    return _prompt(_REWRITE, task, {"task": "rewrite"} | _facts(task) | {"story": story, "issues": list(issues)})


def _prompt(template: str, task: StoryTask, request: Mapping[str, Any]) -> Prompt:
    # Escaped so that no text of the request can close the fence that it stands in.
    fenced = json.dumps(request, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    user = template.replace("{chapter_number}", str(task.chapter_number)).replace("{request}", fenced)
    return Prompt(_SYSTEM, user)


def _facts(task: StoryTask) -> dict[str, Any]:
    level = child_pb2.ReadingLevel.Name(task.reading_level).removeprefix("READING_LEVEL_").lower()
    return {
        "theme": task.theme,
        "title": task.title,
        "chapter_number": task.chapter_number,
        "reader": {
            "nickname": task.nickname,
            "age": task.age,
            "reading_level": level,
            "interests": list(task.interests),
            "avoid_topics": list(task.avoid_topics),
            "language": task.language,
        },
        "turn": {"custom": task.turn} if task.turn else None,
    }
