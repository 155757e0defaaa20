"""The prompts, as files beside this one.

A change of any of them is a new VERSION, which every run carries; a test holds the two together.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from fabula.child.v1 import child_pb2
from service.runtime.model import Prompt, Schema
from service.safety.screen import Screen
from service.workflows.story.answers import CLOSED, OPEN
from service.workflows.story.recall import estimate_tokens, recall
from service.workflows.story.task import StoryTask

VERSION = "2"


FILES = {
    file.name.removesuffix(".md"): file.read_text(encoding="utf-8")
    for file in resources.files(__package__).iterdir()
    if file.name.endswith(".md")
}


class Prompts:
    """Makes the prompts of one run; `context_tokens` is what prompt and answer may take, `answer_tokens` the answer."""

    def __init__(self, task: StoryTask, screen: Screen, context_tokens: int, answer_tokens: int) -> None:
        self._task = task
        self._screen = screen
        self._room = context_tokens - answer_tokens

    @property
    def schema(self) -> Schema:
        """The form of the chapter that this run's model is to answer."""
        return CLOSED if self._task.is_last else OPEN

    def tell(self) -> Prompt:
        """Asks for the chapter."""
        return self._prompt("tell", {"task": "tell"})

    def rewrite(self, story: str, issues: Sequence[Mapping[str, str]]) -> Prompt:
        """Asks for the chapter anew; each issue holds a "category" and a "quote"."""
        return self._prompt("rewrite", {"task": "rewrite", "for": "safety", "story": story, "issues": list(issues)})

    def simplify(self, story: str) -> Prompt:
        """Asks for the chapter anew, at the reader's level."""
        return self._prompt("simplify", {"task": "rewrite", "for": "reading_level", "story": story, "issues": []})

    def finish(self, story: str, *, whole: bool) -> Prompt:
        """Asks for the end of a chapter that was cut short; of one that is whole, for what belongs to it."""
        return self._prompt("finish", {"task": "finish", "story": story, "whole": whole})

    def review(self, chapter: Mapping[str, Any]) -> Prompt:
        """Asks for a judgement of the chapter."""
        request = {"task": "review", "reader": self._reader(), "chapter": dict(chapter)}
        system = FILES["review_system"]
        return Prompt(system, _filled("review", request | self._recall(request, system)))

    def _prompt(self, name: str, request: Mapping[str, Any]) -> Prompt:
        system = FILES["system"]
        facts = dict(request) | self._facts()
        ending = FILES["closed" if self._task.is_last else "open"].strip()
        return Prompt(
            system,
            _filled(
                name,
                facts | self._recall(facts, system + FILES[name] + ending),
                chapter_number=str(self._task.chapter_number),
                planned_chapters=str(self._task.planned_chapters),
                ending=ending,
            ),
        )

    def _recall(self, request: Mapping[str, Any], frame: str) -> dict[str, Any]:
        taken = estimate_tokens(frame) + estimate_tokens(_fenced(request))
        return recall(self._task.branch, self._screen, self._room - taken)

    def _facts(self) -> dict[str, Any]:
        task = self._task
        turn = None
        if task.turn.text:
            turn = {"choice" if task.turn.choice_id else "custom": task.turn.text}
        return {
            "theme": task.theme,
            "title": task.title,
            "chapter_number": task.chapter_number,
            "planned_chapters": task.planned_chapters,
            "last": task.is_last,
            "reader": self._reader(),
            "turn": turn,
        }

    def _reader(self) -> dict[str, Any]:
        reader = self._task.reader
        return {
            "nickname": reader.nickname,
            "age": reader.age,
            "reading_level": child_pb2.ReadingLevel.Name(reader.reading_level).removeprefix("READING_LEVEL_").lower(),
            "interests": list(reader.interests),
            "avoid_topics": list(reader.avoid_topics),
            "language": reader.language,
        }


def _filled(name: str, request: Mapping[str, Any], **values: str) -> str:
    text = FILES[name]
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    # Last, so that nothing within the request is taken for a place to fill.
    return text.replace("{request}", _fenced(request))


def _fenced(request: Mapping[str, Any]) -> str:
    # Escaped so that no text of the request can close the fence that it stands in.
    return json.dumps(request, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
