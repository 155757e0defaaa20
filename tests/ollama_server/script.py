"""Turns a reply into the steps of an answer. No input or output here."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.ollama_server.reply import Reply
from tests.ollama_server.request import ChatRequest
from tests.ollama_server.synthesis import synthesise
from tests.ollama_server.texts import STORY, text_for


@dataclass(frozen=True, slots=True)
class Piece:
    """One streamed line of the message."""

    kind: Literal["content", "thinking"]
    text: str


@dataclass(frozen=True, slots=True)
class Endless:
    """The same line, until the client leaves."""

    piece: Piece


@dataclass(frozen=True, slots=True)
class Huge:
    """A line that is far too long."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence."""

    before_headers: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """An error instead of an answer."""

    status: int
    error: str
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """An error in the midst of an answer."""

    error: str


@dataclass(frozen=True, slots=True)
class Garble:
    """A line that is not JSON; None is one that breaks off."""

    line: str | None


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of the connection."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the answer; without a reason there is no done line."""

    done_reason: str | None


Step: TypeAlias = Piece | Endless | Huge | Stall | Refuse | Fail | Garble | Cut | End


def steps(reply: Reply, request: ChatRequest) -> Iterator[Step]:
    """The steps of an answer in their order. The last one ends it."""
    if reply.stall_before_headers:
        yield Stall(before_headers=True)
    if reply.status != 200:
        yield Refuse(reply.status, reply.error_text(request.model), reply.retry_after)
        return
    pieces = _pieces(reply, request)
    said = _allowed(pieces, request)
    for count in range(len(said) + 1):
        if _falls(reply.stall_after, count, len(said)):
            yield Stall()
        if _falls(reply.endless_after, count, len(said)):
            yield Endless([*pieces, Piece("content", " and so on")][count])
        if (fault := _fault(reply, request, count, len(said))) is not None:
            yield fault
            return
        if count < len(said):
            yield said[count]
    yield _end(reply, cut_short=len(said) < len(pieces))


def content_of(reply: Reply, request: ChatRequest) -> str:
    """The whole text of an answer."""
    if isinstance(reply.content, str):
        return reply.content
    if reply.content is not None:
        return json.dumps(reply.content, ensure_ascii=reply.ensure_ascii)
    if isinstance(request.format, dict):
        return json.dumps(synthesise(request.format), ensure_ascii=reply.ensure_ascii)
    if request.format == "json":
        return json.dumps({"title": text_for("title", 0), "story_content": STORY}, ensure_ascii=reply.ensure_ascii)
    return STORY


def _pieces(reply: Reply, request: ChatRequest) -> list[Piece]:
    thinking = "" if request.think is False else reply.thinking or ""
    size = reply.chunk_chars
    content = content_of(reply, request)
    thought = [Piece("thinking", thinking[at : at + size]) for at in range(0, len(thinking), size)]
    return thought + [Piece("content", content[at : at + size]) for at in range(0, len(content), size)]


def _allowed(pieces: list[Piece], request: ChatRequest) -> list[Piece]:
    """What `num_predict` lets be said. Ollama asks for JSON after thinking anew: each has it whole."""
    most = request.num_predict
    thought = [piece for piece in pieces if piece.kind == "thinking"]
    if most is None or request.format is None or len(thought) > most:
        return pieces[:most]
    return pieces[: len(thought) + most]


def _fault(reply: Reply, request: ChatRequest, count: int, last: int) -> Step | None:
    if _falls(reply.cut_after, count, last):
        return Cut()
    if _falls(reply.error_line_after, count, last):
        return Fail(reply.error_text(request.model))
    if _falls(reply.malformed_line_after, count, last):
        return Garble(reply.malformed_line)
    if _falls(reply.huge_line_after, count, last):
        return Huge()
    return None


def _falls(after: int | None, count: int, last: int) -> bool:
    return after is not None and count == min(after, last)


def _end(reply: Reply, *, cut_short: bool) -> End:
    if reply.end_without_done:
        return End(None)
    return End("length" if cut_short else reply.done_reason)
