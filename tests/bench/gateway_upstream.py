"""The service behind the gateway that is measured: plays stories, and does nothing else.

A request's theme says which one: "60" is a story of 60 events as fast as they are read, "60@20" the same at 20 a
second, "held" one that falls silent after its first event.
"""
# ruff: noqa: N802 -- gRPC names the methods of a servicer

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any, cast

import grpc
import grpc.aio

from fabula.story.v1.story_pb2 import Choice, Complete, Content, GenerateStoryRequest, StoryEvent
from fabula.story.v1.story_service_pb2_grpc import StoryServiceServicer, add_StoryServiceServicer_to_server

SERVICE, AT_REST = "bench.Upstream", "AtRest"
HELD = "held"

_SENTENCES = (
    "Once upon a time there was a small fox who did not like the dark at all.",
    "“Is anybody there?” she asked, and the wind in the old beeches said nothing.",
    "So she took the lantern, counted to three, and went down the path to the pond.",
    "There the moon lay on the water, round and quiet, as if it had waited for her.",
)
_GOLDEN = 0.6180339887


class Upstream:
    """Plays the stories, and knows how many are open."""

    def __init__(self) -> None:
        self._numbers = count()
        self._open = self._most = 0
        self._rest = asyncio.Event()
        self._rest.set()

    async def GenerateStory(self, request: GenerateStoryRequest, _: object) -> AsyncIterator[StoryEvent]:
        """The story that the theme names."""
        self._open += 1
        self._most = max(self._most, self._open)
        self._rest.clear()
        try:
            async for event in self._play(request.theme):
                yield event
        finally:
            self._open -= 1
            if not self._open:
                self._rest.set()

    async def at_rest(self, _: bytes, __: object) -> bytes:
        """Answers when no story is open: how many were at once since the last answer."""
        await self._rest.wait()
        most, self._most = self._most, 0
        return b"%d" % most

    async def _play(self, theme: str) -> AsyncIterator[StoryEvent]:
        if theme == HELD:
            yield next(_story(2))
            await asyncio.Event().wait()
        events, _, pace = theme.partition("@")
        if not pace:
            for event in _story(int(events)):
                yield event
            return
        # Readers that begin together do not read in step: each begins at a moment of its own within the first interval.
        due = time.monotonic() + (next(self._numbers) * _GOLDEN % 1) / float(pace)
        for event in _story(int(events), now=False):
            await asyncio.sleep(due - time.monotonic())
            yield _stamped(event)
            due += 1 / float(pace)


def _story(events: int, *, now: bool = True) -> Iterator[StoryEvent]:
    run_id, chunks = uuid.uuid4().hex, [_SENTENCES[number % len(_SENTENCES)] for number in range(events - 1)]
    for sequence, chunk in enumerate(chunks, 1):
        event = StoryEvent(run_id=run_id, sequence=sequence, progress_percent=90 * sequence // events)
        event.emit_time.GetCurrentTime()
        event.content.MergeFrom(Content(chunk=chunk, segment=sequence, revision=1))
        yield _stamped(event) if now else event
    yield StoryEvent(run_id=run_id, sequence=events, progress_percent=100, complete=_complete(" ".join(chunks)))


def _stamped(event: StoryEvent) -> StoryEvent:
    """The text with the time in nanoseconds before it: the clock is the same in every process of the machine."""
    if event.HasField("content"):
        event.content.chunk = f"{time.monotonic_ns()} {event.content.chunk}"
    return event


def _complete(text: str) -> Complete:
    choices = [Choice(id="1", text="They row to the island."), Choice(id="2", text="They go home and sleep.")]
    return Complete(success=True, story_content=text, choices=choices, choice_question="What now?", title="The fox")


def main() -> None:
    """Serves until it is killed; says where on stdout, once ready."""
    asyncio.run(_serve())


async def _serve() -> None:
    upstream, server = Upstream(), grpc.aio.server()
    at_rest: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(cast("Any", upstream.at_rest))
    add_StoryServiceServicer_to_server(cast("StoryServiceServicer", _Partly(upstream)), server)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {AT_REST: at_rest}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
    await server.wait_for_termination()


class _Partly:
    """A servicer of which one method is there."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._upstream, name, None)


if __name__ == "__main__":
    main()
