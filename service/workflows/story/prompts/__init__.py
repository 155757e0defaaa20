"""The prompts, as files beside this one.

A change of any of them is a new VERSION, which every run carries; a test holds the two together.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from fabula.child.v1 import child_pb2
from service.errors import ReviewUnavailable
from service.runtime.model import Prompt, Schema
from service.safety.screen import Screen
from service.workflows.story.answers import CLOSED, OPEN
from service.workflows.story.recall import Recall, end_of, estimate_tokens
from service.workflows.story.task import StoryTask

VERSION = "3"


FILES = {
    file.name.removesuffix(".md"): file.read_text(encoding="utf-8")
    for file in resources.files(__package__).iterdir()
    if file.name.endswith(".md")
}


_MAX_ISSUES, _MAX_QUOTE = 20, 200


class Prompts:
    """Makes the prompts of one run, each with the room for its answer left in the model's context.

    `context_tokens` is what prompt and answer may take together, `answer_tokens` the answer.
    """

    def __init__(self, task: StoryTask, screen: Screen, context_tokens: int, answer_tokens: int) -> None:
        self._task = task
        self._room = context_tokens - answer_tokens
        self._recall = Recall(task.branch, screen)

    @property
    def schema(self) -> Schema:
        """The form of the chapter that this run's model is to answer."""
        return CLOSED if self._task.is_last else OPEN

    def tell(self, issues: Sequence[Mapping[str, str]] = ()) -> Prompt:
        """Asks for the chapter; it avoids the issues, each with a "category" and a "quote"."""
        request = {"task": "tell"} | ({"issues": _bounded(issues)} if issues else {})
        return self._prompt("tell", request)[0]

    def rewrite(self, story: str, issues: Sequence[Mapping[str, str]]) -> Prompt:
        """Asks for the chapter anew, without the issues. A chapter too long to be quoted is told from the beginning."""
        request = {"task": "rewrite", "for": "safety", "story": story, "issues": _bounded(issues)}
        prompt, fits = self._prompt("rewrite", request)
        return prompt if fits else self.tell(issues)

    def simplify(self, story: str) -> Prompt | None:
        """Asks for the chapter anew, at the reader's level; None when it is too long to be quoted."""
        request = {"task": "rewrite", "for": "reading_level", "story": story, "issues": []}
        prompt, fits = self._prompt("simplify", request)
        return prompt if fits else None

    def finish(self, story: str, *, whole: bool) -> Prompt:
        """Asks for the end of a chapter that was cut short; of one that is whole, for what belongs to it."""
        request = {"task": "finish", "story": "", "whole": whole}
        room = self._room - self._taken("finish", request | self._facts())
        return self._prompt("finish", request | {"story": end_of(story, room)})[0]

    def review(self, chapter: Mapping[str, Any]) -> Prompt:
        """Asks for a judgement of the chapter. Raises ReviewUnavailable when it can't be shown to the model whole."""
        reader = self._task.reader
        request = {
            "task": "review",
            "reader": {"age": reader.age, "language": reader.language, "avoid_topics": list(reader.avoid_topics)},
            "chapter": dict(chapter),
        }
        system = FILES["review_system"]
        left = self._room - estimate_tokens(system + FILES["review"] + _fenced(request))
        if left < 0:
            raise ReviewUnavailable(
                "The chapter is too long to be reviewed in the model's context. Raise FABULA_MODEL_CONTEXT_TOKENS."
            )
        return Prompt(system, _filled("review", request | self._recall.parts(left)))

    def _prompt(self, name: str, request: Mapping[str, Any]) -> tuple[Prompt, bool]:
        """The prompt, with as much of the tale as there is room for; and whether there was room at all."""
        request = dict(request) | self._facts()
        left = self._room - self._taken(name, request)
        if left < 0:
            request["reader"] |= {"interests": []}
            left = self._room - self._taken(name, request)
        parts = self._recall.parts(left) if left >= 0 else {}
        user = _filled(
            name,
            request | parts,
            chapter_number=str(self._task.chapter_number),
            planned_chapters=str(self._task.planned_chapters),
            ending=self._ending(),
        )
        return Prompt(FILES["system"], user), left >= 0

    def _taken(self, name: str, request: Mapping[str, Any]) -> int:
        return estimate_tokens(FILES["system"] + FILES[name] + self._ending() + _fenced(request))

    def _ending(self) -> str:
        return FILES["closed" if self._task.is_last else "open"].strip()

    def _facts(self) -> dict[str, Any]:
        task, reader = self._task, self._task.reader
        turn = None
        if task.turn.text:
            turn = {"choice" if task.turn.choice_id else "custom": task.turn.text}
        return {
            "theme": task.theme,
            "title": task.title,
            "chapter_number": task.chapter_number,
            "planned_chapters": task.planned_chapters,
            "last": task.is_last,
            "reader": {
                "nickname": reader.nickname,
                "age": reader.age,
                "reading_level": child_pb2.ReadingLevel.Name(reader.reading_level)
                .removeprefix("READING_LEVEL_")
                .lower(),
                "interests": list(reader.interests),
                "avoid_topics": list(reader.avoid_topics),
                "language": reader.language,
            },
            "turn": turn,
        }


def _bounded(issues: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"category": each["category"], "quote": each["quote"][:_MAX_QUOTE]} for each in issues[:_MAX_ISSUES]]


def _filled(name: str, request: Mapping[str, Any], **values: str) -> str:
    text = FILES[name]
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    # Last, so that nothing within the request is taken for a place to fill.
    return text.replace("{request}", _fenced(request))


def _fenced(request: Mapping[str, Any]) -> str:
    # Escaped so that no text of the request can close the fence that it stands in.
    return json.dumps(request, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
