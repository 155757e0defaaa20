"""A real grpc.aio server that plays what a test tells it to: a run's events, cut where the test wants."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from fabula.story.v1.story_pb2 import StoryEvent

RUN_ID = "run-1"
SENTENCES = ("Once there was a fox. ", "She feared the dark. ", "A glow-worm came.")
STORY = "".join(SENTENCES)
PATIENCE = 20.0
"""Seconds that a test waits for what must happen at once."""

Play: TypeAlias = Callable[[Sequence[StoryEvent], Any], AsyncIterator[StoryEvent]]


def packed(message: Message) -> any_pb2.Any:
    """The message as a detail of a google.rpc.Status."""
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


def status(code: grpc.StatusCode, reason: str = "", *details: Message, **metadata: str) -> status_pb2.Status:
    """A google.rpc.Status as the service makes it; without a reason, one as gRPC or a proxy makes it."""
    info = [error_details_pb2.ErrorInfo(domain="fabula", reason=reason, metadata=metadata)] if reason else []
    return status_pb2.Status(
        code=code.value[0], message=f"{code.name} {reason}.", details=[packed(each) for each in (*info, *details)]
    )


def retry_in(seconds: float) -> error_details_pb2.RetryInfo:
    """A RetryInfo of so many seconds."""
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(seconds * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


LOST = status(grpc.StatusCode.UNAVAILABLE)


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


def complete(text: str = STORY) -> StoryEvent:
    """The last event of a good run."""
    return StoryEvent(
        complete=story_pb2.Complete(
            success=True,
            story_content=text,
            title="The Fox and the Glow-worm",
            chapter_number=1,
            choices=[story_pb2.Choice(id="c1", text="Follow the light"), story_pb2.Choice(id="c2", text="Go home")],
            choice_question="What does the fox do?",
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


class Heard:
    """One call that reached the server."""

    def __init__(self, method: str, request: Any, context: Any) -> None:
        self.method = method
        self.request = request
        self.metadata = dict(context.invocation_metadata())
        self.seconds_left = context.time_remaining()
        self.cancelled = asyncio.Event()
        self.ended_by_itself = asyncio.Event()


class Scripted(story_service_pb2_grpc.StoryServiceServicer, run_service_pb2_grpc.RunServiceServicer):
    """Both services over one run. Each call on a stream takes the next of `plays`; without one it gets the whole run.

    Each single call takes the next of `refusals`, and is answered when there is none. ListRuns pages through `runs`.
    While `answer` is not set, no single call is answered; `asked` says that one has come.
    """

    def __init__(self, events: Sequence[StoryEvent]) -> None:
        self.events = list(events)
        self.plays: deque[Play] = deque()
        self.heard: list[Heard] = []
        self.refusals: deque[status_pb2.Status] = deque()
        self.runs: list[run_pb2.Run] = []
        self.answer = asyncio.Event()
        self.answer.set()
        self.asked = asyncio.Event()

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

    async def GetRun(self, request: Any, context: Any) -> run_pb2.GetRunResponse:  # noqa: N802
        await self._single("GetRun", request, context)
        return run_pb2.GetRunResponse(run=run_pb2.Run(run_id=request.run_id, state=run_pb2.RUN_STATE_RUNNING))

    async def ListRuns(self, request: Any, context: Any) -> run_pb2.ListRunsResponse:  # noqa: N802
        await self._single("ListRuns", request, context)
        begin = int(request.page_token or 0)
        end = begin + (request.page_size or 50)
        token = str(end) if end < len(self.runs) else ""
        return run_pb2.ListRunsResponse(runs=self.runs[begin:end], next_page_token=token)

    async def CancelRun(self, request: Any, context: Any) -> run_pb2.CancelRunResponse:  # noqa: N802
        await self._single("CancelRun", request, context)
        run = run_pb2.Run(run_id=request.run_id, state=run_pb2.RUN_STATE_CANCELLED, child_id="1")
        return run_pb2.CancelRunResponse(run=run)

    async def GetStory(self, request: Any, context: Any) -> story_pb2.GetStoryResponse:  # noqa: N802
        raise NotImplementedError

    async def ListStories(self, request: Any, context: Any) -> story_pb2.ListStoriesResponse:  # noqa: N802
        raise NotImplementedError

    async def DeleteStory(self, request: Any, context: Any) -> story_pb2.DeleteStoryResponse:  # noqa: N802
        raise NotImplementedError

    async def PauseRun(self, request: Any, context: Any) -> run_pb2.PauseRunResponse:  # noqa: N802
        raise NotImplementedError

    async def ContinueRun(self, request: Any, context: Any) -> run_pb2.ContinueRunResponse:  # noqa: N802
        raise NotImplementedError

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

    async def _single(self, method: str, request: Any, context: Any) -> None:
        self.heard.append(Heard(method, request, context))
        self.asked.set()
        await self.answer.wait()
        if self.refusals:
            await context.abort_with_status(rpc_status.to_status(self.refusals.popleft()))


@asynccontextmanager
async def serving(service: Scripted, port: int = 0) -> AsyncIterator[int]:
    """Serves on 127.0.0.1 and gives the port; at the end every open call is cut."""
    server = grpc.aio.server()
    story_service_pb2_grpc.add_StoryServiceServicer_to_server(service, server)
    run_service_pb2_grpc.add_RunServiceServicer_to_server(service, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
