"""The request that Fabula's prompt carries, read leniently: later versions may add fields."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from service.models.storyteller.bible import Bible, read_bible

_BLOCK = re.compile(r"<request>\s*(.*?)\s*</request>", re.DOTALL)
_TASKS = ("tell", "rewrite", "finish")
_REFUSAL = "the embedded storyteller answers Fabula's story prompts only"
MIN_AGE, MAX_AGE, DEFAULT_AGE = 3, 12, 7


@dataclass(frozen=True, slots=True)
class StoryRequest:
    """What to tell, and to whom. Empty text means that nothing was said; `age` is in years, 3 to 12.

    `story` is the chapter to rewrite or to finish, `recent` holds the texts of earlier chapters, the newest last.
    """

    task: str
    theme: str = ""
    title: str = ""
    chapter_number: int = 1
    nickname: str = ""
    age: int = DEFAULT_AGE
    reading_level: str = "intermediate"
    interests: tuple[str, ...] = ()
    turn: str = ""
    story: str = ""
    quotes: tuple[str, ...] = ()
    last: bool = False
    bible: Bible = field(default_factory=Bible)
    recent: tuple[str, ...] = ()

    def key(self) -> str:
        """The same text for the same request, whatever else its JSON held: what a telling is seeded with."""
        return repr(self)


def read_request(messages: Sequence[BaseMessage]) -> StoryRequest:
    """The request within the last human message.

    Raises ValueError when there is not exactly one readable request block, or when its task is unknown.
    """
    texts = [str(message.text) for message in messages if isinstance(message, HumanMessage)]
    blocks = _BLOCK.findall(texts[-1]) if texts else []
    if len(blocks) != 1:
        raise ValueError(_REFUSAL)
    try:
        fields = json.loads(blocks[0])
    except ValueError as error:
        raise ValueError(_REFUSAL) from error
    if not isinstance(fields, dict) or fields.get("task") not in _TASKS:
        raise ValueError(_REFUSAL)
    return _request(fields)


def _request(fields: Mapping[str, Any]) -> StoryRequest:
    reader = _mapping(fields.get("reader"))
    return StoryRequest(
        task=fields["task"],
        theme=_text(fields.get("theme")),
        title=_text(fields.get("title")),
        chapter_number=max(1, _number(fields.get("chapter_number"), 1)),
        nickname=_text(reader.get("nickname")),
        age=min(MAX_AGE, max(MIN_AGE, _number(reader.get("age"), DEFAULT_AGE))),
        reading_level=_text(reader.get("reading_level")) or "intermediate",
        interests=tuple(filter(None, map(_text, _items(reader.get("interests"))))),
        turn=_turn(fields.get("turn")),
        story=_text(fields.get("story")),
        quotes=tuple(filter(None, (_text(_mapping(issue).get("quote")) for issue in _items(fields.get("issues"))))),
        last=fields.get("last") is True,
        bible=read_bible(fields.get("bible")),
        recent=tuple(filter(None, map(_text, _items(fields.get("recent"))))),
    )


def _turn(value: object) -> str:
    turn = _mapping(value)
    return _text(turn.get("choice")) or _text(turn.get("custom"))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
