"""A real grpc.aio server that plays what a test tells it to: a run's events, cut where the test wants."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from fabula.child.v1 import child_pb2, child_service_pb2_grpc
from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from fabula.story.v1.story_pb2 import StoryEvent
from tests.clients.python.single_calls import Heard, SingleCalls
from tests.clients.python.statuses import LOST, status

RUN_ID = "run-1"
SENTENCES = ("Once there was a fox. ", "She feared the dark. ", "A glow-worm came.")
STORY = "".join(SENTENCES)
PATIENCE = 20.0
"""Seconds that a test waits for what must happen at once."""

Play: TypeAlias = Callable[[Sequence[StoryEvent], Any], AsyncIterator[StoryEvent]]


def numbered(*events: StoryEvent, run_id: str = RUN_ID) -> list[StoryEvent]:
    """The events with run_id, sequence and progress, as the log gives them out."""
    for sequence, event in enumerate(events, 1):
        event.run_id, event.sequence = run_id, sequence
        event.progress_percent = 100 * sequence // len(events)
        event.emit_time.GetCurrentTime()
    return list(events)


def step(node: str, node_status: "run_pb2.NodeStatus.ValueType" = run_pb2.NODE_STATUS_STARTED) -> StoryEvent:
    """A node_event."""
    return StoryEvent(node_event=run_pb2.NodeEvent(node=node, status=node_status, iteration=1))


def content(chunk: str, segment: int, *, revision: int = 1, end: bool = False, withdrawn: bool = False) -> StoryEvent:
    """A content event."""
    return StoryEvent(
        content=story_pb2.Content(chunk=chunk, segment=segment, revision=revision, is_complete=end, withdrawn=withdrawn)
    )


def retraction(from_segment: int, revision: int) -> StoryEvent:
    """A retraction after a review."""
    return StoryEvent(
        retraction=story_pb2.Retraction(
            from_segment=from_segment, revision=revision, reason=story_pb2.RETRACTION_REASON_SAFETY
        )
    )


CHOICES = (story_pb2.Choice(id="c1", text="Follow the light"), story_pb2.Choice(id="c2", text="Go home"))


def complete(text: str = STORY, choices: Sequence[story_pb2.Choice] = CHOICES) -> StoryEvent:
    """The last event of a good run; without choices, of a tale."""
    return StoryEvent(
        complete=story_pb2.Complete(
            success=True,
            story_content=text,
            title="The Fox and the Glow-worm",
            chapter_number=1,
            chapter_id="ch1",
            story_id="s1",
            planned_chapters=3,
            choices=choices,
            choice_question="What does the fox do?" if choices else "",
            estimated_reading_time=1,
            vocabulary_level=child_pb2.READING_LEVEL_BEGINNER,
            model="embedded:storyteller",
            finish_reason=story_pb2.FINISH_REASON_STOP,
        )
    )


def failed(reason: str, code: grpc.StatusCode, *, partial_text_id: str = "") -> StoryEvent:
    """The last event of a bad run."""
    return StoryEvent(
        error=run_pb2.RunError(
            message=f"It ended with {reason}.",
            code=run_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}"),
            retryable=True,
            status=status(code, reason),
            partial_text_id=partial_text_id,
        )
    )


def heartbeat() -> StoryEvent:
    """A heartbeat, as the service sends it beside the log."""
    return StoryEvent(run_id=RUN_ID, heartbeat=run_pb2.Heartbeat())


def good_run() -> list[StoryEvent]:
    """Eight events: steps, three sentences, a review, and the end."""
    return numbered(
        step("workflow"),
        step("generate_content"),
        content(SENTENCES[0], 1),
        content(SENTENCES[1], 2),
        content(SENTENCES[2], 3, end=True),
        step("safety_check"),
        StoryEvent(safety_check=story_pb2.SafetyCheck(approved=True, score=1, revision=1)),
        complete(),
    )


def whole() -> Play:
    """Everything after the cursor; after an `error` event its status."""
    return cut(None, None)


def cut(after: int | None, how: status_pb2.Status | None = LOST) -> Play:
    """So many events, and then that status (None: OK)."""

    async def play(events: Sequence[StoryEvent], context: Any) -> AsyncIterator[StoryEvent]:
        for event in events[:after]:
            yield event
        end = events[-1].error.status if after is None and events and events[-1].HasField("error") else how
        if end is not None:
            await context.abort_with_status(rpc_status.to_status(end))

    return play


def held(after: int, release: asyncio.Event) -> Play:
    """So many events, the rest once `release` is set."""

    async def play(events: Sequence[StoryEvent], context: Any) -> AsyncIterator[StoryEvent]:
        for event in events[:after]:
            yield event
        await release.wait()
        async for event in whole()(events[after:], context):
            yield event

    return play


def raw(*events: StoryEvent) -> Play:
    """Just these, whatever the cursor says, and OK."""

    async def play(_: Sequence[StoryEvent], context: Any) -> AsyncIterator[StoryEvent]:
        for event in events:
            yield event

    return play


class Scripted(SingleCalls):
    """All services over one run. Each call on a stream takes the next of `plays`; without one it gets the whole run."""

    def __init__(self, events: Sequence[StoryEvent]) -> None:
        super().__init__()
        self.events = list(events)
        self.plays: deque[Play] = deque()

    @property
    def methods(self) -> list[str]:
        """The calls so far, by their names."""
        return [call.method for call in self.heard]

    async def GenerateStory(self, request: Any, context: Any) -> AsyncIterator[StoryEvent]:  # noqa: N802
        async with aclosing(self._stream("GenerateStory", request, 0, context)) as events:
            async for event in events:
                yield event

    async def WatchStory(self, request: Any, context: Any) -> AsyncIterator[StoryEvent]:  # noqa: N802
        async with aclosing(self._stream("WatchStory", request, request.after_sequence, context)) as events:
            async for event in events:
                yield event

    async def CreateStory(self, request: Any, context: Any) -> story_pb2.CreateStoryResponse:  # noqa: N802
        await self._single("CreateStory", request, context)
        return story_pb2.CreateStoryResponse(run_id=RUN_ID, complete=self.events[-1].complete)

    async def _stream(self, method: str, request: Any, after: int, context: Any) -> AsyncGenerator[StoryEvent, None]:
        call = Heard(method, request, context)
        self.heard.append(call)
        play = self.plays.popleft() if self.plays else whole()
        try:
            async for event in play(self.events[after:], context):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            call.cancelled.set()
            raise
        call.ended_by_itself.set()


@asynccontextmanager
async def serving(
    service: Scripted, port: int = 0, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[int]:
    """Serves on 127.0.0.1, in plain text without credentials, and gives the port; at the end every open call is cut."""
    server = grpc.aio.server()
    story_service_pb2_grpc.add_StoryServiceServicer_to_server(service, server)
    run_service_pb2_grpc.add_RunServiceServicer_to_server(service, server)
    child_service_pb2_grpc.add_ChildServiceServicer_to_server(service, server)
    where = f"127.0.0.1:{port}"
    bound = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
