"""A chat request as it came over the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class BadRequestError(ValueError):
    """Carries the text of a 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """The parsed body of `POST /api/chat`, with the defaults of Ollama filled in."""

    model: str
    messages: list[dict[str, Any]]
    format: dict[str, Any] | str | None
    options: dict[str, Any]
    stream: bool
    think: bool | str | None
    keep_alive: float | str | None
    raw: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def prompt(self) -> str:
        """The contents of all messages, for a script that decides by what was asked."""
        return "\n".join(str(message.get("content") or "") for message in self.messages)

    @property
    def num_predict(self) -> int | None:
        """The most lines allowed. Ollama takes zero and below as no limit."""
        limit = self.options.get("num_predict")
        return limit if isinstance(limit, int) and limit > 0 else None

    @classmethod
    def parse(cls, body: bytes, headers: Mapping[str, str]) -> "ChatRequest":
        """Read a body; BadRequestError if it is none."""
        raw = parse_object(body)
        return cls(
            model=_typed(raw, "model", str, ""),
            messages=_typed(raw, "messages", list, []),
            format=_typed(raw, "format", (dict, str), None) or None,
            options=_typed(raw, "options", dict, {}),
            stream=_typed(raw, "stream", bool, True),
            think=_typed(raw, "think", (bool, str), None),
            keep_alive=_typed(raw, "keep_alive", (int, float, str), None),
            raw=raw,
            headers=headers,
        )


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; BadRequestError if it is none."""
    if not body.strip():
        raise BadRequestError("missing request body")
    try:
        raw = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"invalid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadRequestError("json: cannot unmarshal the body into an object")
    return raw


def _typed(raw: dict[str, Any], key: str, types: type | tuple[type, ...], default: Any) -> Any:
    value = raw.get(key)
    if value is None:
        return default
    if not isinstance(value, types):
        raise BadRequestError(f"json: cannot unmarshal field {key} of type {type(value).__name__}")
    return value
