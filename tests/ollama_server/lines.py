"""The JSON that goes over the wire, byte for byte in the manner of Ollama."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from tests.ollama_server.request import ChatRequest
from tests.ollama_server.script import Piece

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
TEXT = "text/plain; charset=utf-8"

MALFORMED = b'{"model":"llama3.2","created_at":"2026-05-01T08:'
"""A line that broke off."""

_GO_ESCAPES = (
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # `json.dumps` would build one a line


def encode(value: object) -> bytes:
    """JSON as Go writes it: compact, UTF-8 as it is, but HTML's special characters escaped."""
    text = _ENCODER.encode(value)
    for plain, escaped in _GO_ESCAPES:
        text = text.replace(plain, escaped)
    return text.encode(errors="replace")


class Answer:
    """Writes the JSON objects of one answer and counts for its last one."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._began = time.monotonic_ns()
        self._pieces = 0

    def piece(self, piece: Piece) -> bytes:
        """The object for one piece of the message."""
        self._pieces += 1
        thinking = piece.text if piece.kind == "thinking" else ""
        content = piece.text if piece.kind == "content" else ""
        return encode(self._frame(content, thinking, done=False))

    def done(self, reason: str, content: str = "", thinking: str = "") -> bytes:
        """The last object, with the counts; unstreamed it carries the whole message as well."""
        return encode({**self._frame(content, thinking, done=True), "done_reason": reason, **self._metrics()})

    def undone(self, content: str, thinking: str) -> bytes:
        """The whole message in an object that does not say it is the last."""
        return encode(self._frame(content, thinking, done=False))

    def count(self) -> None:
        """One piece more that was not written on its own."""
        self._pieces += 1

    def _frame(self, content: str, thinking: str, *, done: bool) -> dict[str, Any]:
        message = {"role": "assistant", "content": content}
        if thinking:
            message["thinking"] = thinking
        return {"model": self._request.model, "created_at": _now(), "message": message, "done": done}

    def _metrics(self) -> dict[str, int]:
        elapsed = time.monotonic_ns() - self._began
        return {
            "total_duration": elapsed,
            "load_duration": elapsed // 10,
            "prompt_eval_count": max(1, len(self._request.prompt.split())),
            "prompt_eval_duration": elapsed // 10,
            "eval_count": self._pieces,
            "eval_duration": elapsed - elapsed // 5,
        }


def load_reply(request: ChatRequest) -> bytes:
    """What Ollama says to a chat without messages: the model is loaded and nothing was generated."""
    message = {"role": "assistant", "content": ""}
    frame = {"model": request.model, "created_at": _now(), "message": message}
    return encode({**frame, "done": True, "done_reason": "load"})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
