"""The stream that survives: one run's events, each once, over as many calls as it takes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeAlias

import grpc

from fabula.errors import Closed, CursorOutOfRange, FabulaError, ProtocolError, RunFailed, TokenExpired, Unavailable
from fabula.retry import Backoff, Deadline, RetryPolicy, raise_if_closed
from fabula.status import from_rpc_error, from_run_error
from fabula.story.v1.story_pb2 import Complete, GenerateStoryRequest, StoryEvent, WatchStoryRequest
from fabula.text import StandingText

Call: TypeAlias = "grpc.aio.UnaryStreamCall[Any, StoryEvent]"
Origin: TypeAlias = GenerateStoryRequest | WatchStoryRequest
OpenCall: TypeAlias = Callable[[Origin, float | None], Call]

_GOODBYE_SECONDS = 1.0


class StoryStream:
    """The events of one run in the order of their sequence, each exactly once.

    The call is made when the iteration begins, and `timeout` (seconds, for all of it) counts from then. When the
    connection breaks, the stream resumes after `last_sequence` by itself, as the RetryPolicy says. The iteration ends
    after `complete`. After an `error` event it raises the RunFailed that the event describes; a refusal of the
    service raises its own class, and Unavailable says that the attempts are used up.

    Leaving the loop cancels the call; the run then fares as its `on_disconnect` says. `async with` cancels it at the
    end of the block; without it, a `break` does so as soon as the interpreter drops the iterator: in CPython at once,
    elsewhere some time later. A loop begun anew goes on after `last_sequence`. One loop at a time: a second one ends
    the first with Closed.
    """

    def __init__(
        self,
        open_call: OpenCall,
        origin: Origin,
        policy: RetryPolicy,
        timeout: float | None,
        *,
        heartbeats: bool,
        renews: bool = False,
    ) -> None:
        """Not for callers: `FabulaClient` makes streams."""
        self._open_call = open_call
        self._origin = origin
        self._backoff = Backoff(policy)
        self._deadline = Deadline(timeout)
        self._heartbeats = heartbeats
        self._renews = renews
        self._renewed = False
        self._line = _Line(self._dial)
        self._closed = False
        self._standing = StandingText()
        self._reconnects = 0
        self._run_id = origin.run_id if isinstance(origin, WatchStoryRequest) else ""
        self._last_sequence = origin.after_sequence if isinstance(origin, WatchStoryRequest) else 0
        self._terminal: StoryEvent | None = None
        self._nothing_left = False
        self._outage = False
        self.on_outage: Callable[[FabulaError | None], None] | None = None
        """Called when the connection breaks, with the error, before the stream tries again; and with None when the
        next event, or a heartbeat, has come. Once each an outage. A stream that gives up or is left calls it no more.
        """

    @property
    def run_id(self) -> str:
        """The run; empty before its first event."""
        return self._run_id

    @property
    def request_id(self) -> str:
        """The idempotency key of the request; empty for a watched run."""
        return self._origin.request_id if isinstance(self._origin, GenerateStoryRequest) else ""

    @property
    def last_sequence(self) -> int:
        """The sequence of the last event received: the cursor to watch the run from."""
        return self._last_sequence

    @property
    def text(self) -> str:
        """The text that stands so far, of the events that this stream has received."""
        return self._standing.text

    @property
    def complete(self) -> Complete | None:
        """The chapter, once the run has ended well."""
        if self._terminal is None or not self._terminal.HasField("complete"):
            return None
        return self._terminal.complete

    @property
    def reconnects(self) -> int:
        """How many calls were made beyond the first."""
        return self._reconnects

    def __aiter__(self) -> AsyncGenerator[StoryEvent, None]:
        # A fresh generator, held by the loop alone: on `break` CPython finalises it and with it the call.
        return self._events()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancels the call. A loop that still waits for an event, in another task, raises Closed."""
        self._closed = True
        self._line.close()

    async def result(self) -> Complete:
        """Reads to the end and returns the chapter.

        Raises what the iteration raises, and CursorOutOfRange when the run's end lies before the cursor that the
        watch began at.
        """
        async with aclosing(self._events()) as events:
            async for _ in events:
                pass
        if self.complete is None:
            message = f"The run has no event after {self._last_sequence}: watch it from an earlier sequence."
            raise CursorOutOfRange(message, grpc.StatusCode.OUT_OF_RANGE)
        return self.complete

    async def _events(self) -> AsyncGenerator[StoryEvent, None]:
        line = self._take_over()
        try:
            while not self._over:
                event = await self._receive(line)
                if event is not None and self._accept(event):
                    yield event
            await line.goodbye()
        finally:
            line.close()
        if self._failure is not None:
            raise self._failure

    @property
    def _over(self) -> bool:
        return self._terminal is not None or self._nothing_left

    @property
    def _failure(self) -> RunFailed | None:
        if self._terminal is None or not self._terminal.HasField("error"):
            return None
        return from_run_error(self._terminal.error, self._run_id)

    def _take_over(self) -> "_Line":
        self._line.close()
        self._line = _Line(self._dial)
        if self._closed:
            self._line.close()
        return self._line

    async def _receive(self, line: "_Line") -> StoryEvent | None:
        try:
            return await line.read()
        except grpc.aio.AioRpcError as error:
            await self._reconnect(line, from_rpc_error(error))
        except asyncio.CancelledError:
            raise_if_closed()
            raise
        except StopAsyncIteration:
            await self._ended_early(line)
        return None

    def _dial(self) -> Call:
        return self._open_call(self._request(), self._deadline.remaining())

    def _request(self) -> Origin:
        if isinstance(self._origin, GenerateStoryRequest) and not self._last_sequence:
            return self._origin
        return WatchStoryRequest(run_id=self._run_id, after_sequence=self._last_sequence)

    async def _ended_early(self, line: "_Line") -> None:
        # A run that had ended is answered so when it is watched after its very last event.
        begun = self._origin.after_sequence if isinstance(self._origin, WatchStoryRequest) else 0
        if begun and begun == self._last_sequence:
            self._nothing_left = True
            return
        message = "The service ended the stream before the run's last event."
        await self._reconnect(line, Unavailable(message, grpc.StatusCode.UNAVAILABLE))

    async def _reconnect(self, line: "_Line", error: FabulaError) -> None:
        line.hang_up()
        if isinstance(error, TokenExpired) and self._renews and not self._renewed:
            # The next call has another token; if that one is refused as well, it is not for want of a new one.
            self._renewed = True
            self._reconnects += 1
            return
        if isinstance(error, Unavailable | RunFailed):
            error.run_id = error.run_id or self._run_id
        if isinstance(error, Unavailable):
            error.last_sequence = self._last_sequence
        if error.transient:
            self._notify(error)
        await self._backoff.pause(error, self._deadline)
        self._reconnects += 1

    def _notify(self, error: FabulaError | None) -> None:
        changed = self._outage != (error is not None)
        self._outage = error is not None
        if changed and self.on_outage is not None:
            self.on_outage(error)

    def _accept(self, event: StoryEvent) -> bool:
        self._backoff.reset()
        self._renewed = False
        self._notify(None)
        if event.HasField("heartbeat"):
            return self._heartbeats
        self._check(event)
        self._run_id = event.run_id
        self._last_sequence = event.sequence
        self._standing.apply(event)
        if event.HasField("complete") or event.HasField("error"):
            self._terminal = event
        return True

    def _check(self, event: StoryEvent) -> None:
        due = self._last_sequence + 1
        if event.sequence != due:
            raise ProtocolError(f"The service sent sequence {event.sequence} where {due} was due.")
        if self._run_id and event.run_id != self._run_id:
            raise ProtocolError(f"The service sent an event of run {event.run_id} on the stream of {self._run_id}.")


class _Line:
    """The call that one loop reads from, if it has one at the moment."""

    def __init__(self, dial: Callable[[], Call]) -> None:
        self._dial = dial
        self._call: Call | None = None
        self._closed = False

    def close(self) -> None:
        """Hangs up for good."""
        self._closed = True
        self.hang_up()

    def hang_up(self) -> None:
        """Cancels the call: gRPC does not when its iterator is dropped. The next read makes another."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    async def read(self) -> StoryEvent:
        """The next message; StopAsyncIteration at the end of a call with status OK, AioRpcError otherwise."""
        if self._closed:
            raise Closed
        self._call = self._call or self._dial()
        event = await anext(aiter(self._call))
        if event is None:  # what gRPC makes of bytes that are no StoryEvent
            raise ProtocolError("The service sent bytes that are not a StoryEvent.")
        return event

    async def goodbye(self) -> None:
        """Lets the service end the call after the terminal event, so that both sides count it as ended, not cut.

        ProtocolError when another event follows. What else becomes of the call does not matter any more.
        """
        if self._call is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                event = await self.read()
        except (StopAsyncIteration, grpc.aio.AioRpcError, TimeoutError):
            return
        except asyncio.CancelledError:
            raise_if_closed()
            raise
        if not event.HasField("heartbeat"):
            raise ProtocolError(f"The service sent sequence {event.sequence} after the run's last event.")
