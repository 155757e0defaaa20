"""Plays the steps of one answer on a connection."""

from collections.abc import Callable, Iterable
from typing import Protocol

from tests.ollama_server.connection import Connection
from tests.ollama_server.gate import Gate
from tests.ollama_server.lines import JSON, MALFORMED, NDJSON, Answer, encode
from tests.ollama_server.pace import Pace
from tests.ollama_server.request import ChatRequest
from tests.ollama_server.script import Cut, End, Endless, Fail, Garble, Huge, Piece, Refuse, Stall, Step
from tests.ollama_server.tally import Tally

HUGE_PARTS, HUGE_PART = 64, b"a" * 1_000_000
"""A line of 64 MB."""


class Voice(Protocol):
    """How an answer is given: in a stream or at once."""

    def open(self) -> None:
        """Send the headers now, not with the first line."""

    def piece(self, piece: Piece) -> None:
        """Say one piece."""

    def fail(self, error: str) -> None:
        """End with an error."""

    def garble(self, line: bytes) -> None:
        """End with what is not JSON."""

    def end(self, done_reason: str | None) -> None:
        """End; with a done line if there is a reason."""


class Streamed:
    """A line for every piece. Headers go out with the first line: Ollama sends none before the first token."""

    def __init__(self, connection: Connection, request: ChatRequest) -> None:
        self._connection = connection
        self._answer = Answer(request)
        self._opened = False

    def open(self) -> None:
        """Send the headers, once."""
        if not self._opened:
            self._connection.begin_stream(NDJSON)
        self._opened = True

    def piece(self, piece: Piece) -> None:
        """Send a line of the message."""
        self._line(self._answer.piece(piece))

    def fail(self, error: str) -> None:
        """Send an error line and end."""
        self._line(encode({"error": error}))
        self._connection.end_stream()

    def garble(self, line: bytes) -> None:
        """Send a broken line and end."""
        self._line(line)
        self._connection.end_stream()

    def end(self, done_reason: str | None) -> None:
        """Send the done line, if there is a reason, and end."""
        self.open()
        if done_reason is not None:
            self._line(self._answer.done(done_reason))
        self._connection.end_stream()

    def _line(self, line: bytes) -> None:
        self.open()
        self._connection.send_chunk(line + b"\n")


class Whole:
    """Everything in one JSON object at the end."""

    def __init__(self, connection: Connection, request: ChatRequest) -> None:
        self._connection = connection
        self._answer = Answer(request)
        self._said = {"content": "", "thinking": ""}

    def open(self) -> None:
        """Nothing: the status is not known before the end."""

    def piece(self, piece: Piece) -> None:
        """Keep a piece for the end."""
        self._said[piece.kind] += piece.text
        self._answer.count()

    def fail(self, error: str) -> None:
        """Answer with the error and status 500: nothing has been sent yet."""
        self._connection.respond(500, JSON, encode({"error": error}))

    def garble(self, line: bytes) -> None:
        """Answer with what is not JSON."""
        self._connection.respond(200, JSON, line)

    def end(self, done_reason: str | None) -> None:
        """Answer with the whole message."""
        said = self._said
        body = self._answer.undone(**said) if done_reason is None else self._answer.done(done_reason, **said)
        self._connection.respond(200, JSON, body)


class Chat:
    """One answer from its start to its end, counted."""

    def __init__(self, connection: Connection, request: ChatRequest, tally: Tally, gate: Gate, pace: Pace) -> None:
        self._connection = connection
        self._tally = tally
        self._gate = gate
        self._pace = pace
        self._settled = False
        self._voice: Voice = (Streamed if request.stream else Whole)(connection, request)

    async def play(self, steps: Iterable[Step]) -> None:
        """Play the steps until the last one, or until the client leaves."""
        self._tally.start()
        try:
            if not await self._connection.while_client_stays(self._tell(steps)):
                self._settle(self._tally.abort)
        except ConnectionError:  # a write met the closed door before the read saw it
            self._settle(self._tally.abort)
        finally:  # still unsettled when the server is stopped: no client left
            self._settle(self._tally.finish)

    async def _tell(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, Piece):
                await self._say(step)
            elif isinstance(step, Endless):
                while True:
                    await self._say(step.piece)
            elif isinstance(step, Huge):
                await self._say_on_and_on()
            elif isinstance(step, Stall):
                await self._stall(step)
            else:
                self._close(step)
        self._settle(self._tally.finish)  # no await since the last byte: who reads that byte sees it counted

    async def _say(self, piece: Piece) -> None:
        await self._pace.tick()
        self._voice.piece(piece)
        await self._flush()

    async def _say_on_and_on(self) -> None:
        self._voice.open()
        for _ in range(HUGE_PARTS):
            self._connection.send_chunk(HUGE_PART)
            await self._connection.flush()
        self._voice.end(None)

    async def _flush(self) -> None:
        if not self._connection.is_full:
            return
        self._tally.hold_back(+1)
        try:
            await self._connection.flush()
        finally:
            self._tally.hold_back(-1)

    def _settle(self, count: Callable[[], None]) -> None:
        if not self._settled:
            self._settled = True
            count()

    async def _stall(self, step: Stall) -> None:
        if not step.before_headers:
            self._voice.open()
        await self._gate.stall()
        self._pace.restart()

    def _close(self, step: Refuse | Fail | Garble | Cut | End) -> None:
        if isinstance(step, Refuse):
            headers = {} if step.retry_after is None else {"Retry-After": step.retry_after}
            self._connection.respond(step.status, JSON, encode({"error": step.error}), headers=headers)
        elif isinstance(step, Fail):
            self._voice.fail(step.error)
        elif isinstance(step, Garble):
            self._voice.garble(MALFORMED if step.line is None else step.line.encode())
        elif isinstance(step, End):
            self._voice.end(step.done_reason)
        else:
            self._voice.open()
            self._connection.cut()
