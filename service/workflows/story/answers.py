"""The JSON forms of what a model is asked to answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.runtime.model import Schema

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "maxItems": 8}
_CHARACTERS = {
    "type": "array",
    "maxItems": 8,
    "items": {
        "type": "object",
        "properties": {"name": _TEXT, "about": _TEXT},
        "required": ["name", "about"],
        "additionalProperties": False,
    },
}


def _object(title: str, description: str, properties: Mapping[str, Any]) -> Schema:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _answer(choices: Mapping[str, Any]) -> Schema:
    bible = _object(
        "Bible",
        "What later chapters must know.",
        {"characters": _CHARACTERS, "places": _TEXTS, "open_threads": _TEXTS},
    )
    return _object(
        "Chapter",
        "One chapter of a story for a child.",
        {
            # The text first: it streams while the rest is still to be written.
            "story_content": _TEXT,
            "title": _TEXT,
            "choice_question": _TEXT,
            "choices": {"type": "array", "items": _TEXT, **choices},
            "educational_elements": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 3},
            "bible": bible,
        },
    )


OPEN: Schema = _answer({"minItems": 2, "maxItems": 3})
"""The answer for a chapter after which the tale goes on."""

CLOSED: Schema = _answer({"maxItems": 0})
"""The answer for the last chapter of a tale."""


def review_schema(categories: Sequence[str]) -> Schema:
    """The answer of a reviewer, with the categories that an issue may have."""
    issue = _object("Issue", "What must be mended.", {"category": {"enum": list(categories)}, "quote": _TEXT})
    return _object(
        "Review",
        "Whether a chapter is fit for its reader.",
        {
            "approved": {"type": "boolean"},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "issues": {"type": "array", "items": issue, "maxItems": 20},
        },
    )
