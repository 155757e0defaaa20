"""A gRPC server that plays what a test tells it to, with the gateway in front."""
# ruff: noqa: N802 -- gRPC names the methods of a servicer

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc.aio
import httpx

from fabula.run.v1 import run_pb2, run_service_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_pb2, story_service_pb2, story_service_pb2_grpc
from fabula.story.v1.story_pb2 import StoryEvent
from service.gateway.app import Gateway
from service.gateway.server import HttpServer
from service.gateway.upstream import Upstream
from tests.service.gateway.browser import browser

RUN_ID = "run-1"
SERVICES = (
    story_service_pb2.DESCRIPTOR.services_by_name["StoryService"],
    run_service_pb2.DESCRIPTOR.services_by_name["RunService"],
)

Play = Callable[[Any, Any], AsyncIterator[StoryEvent]]


def numbered(*events: StoryEvent) -> list[StoryEvent]:
    """The events of one run, as the log gives them out."""
    for sequence, event in enumerate(events, 1):
        event.run_id, event.sequence = RUN_ID, sequence
        event.progress_percent = 100 * sequence // len(events)
    return list(events)


def told(*chunks: str) -> list[StoryEvent]:
    """A run that tells these chunks."""
    content = [
        StoryEvent(content=story_pb2.Content(chunk=chunk, segment=segment, revision=1))
        for segment, chunk in enumerate(chunks, 1)
    ]
    return numbered(*content, StoryEvent(complete=story_pb2.Complete(success=True, story_content="".join(chunks))))


class Scripted:
    """Plays events; without a play of the test's, those of `events` after the cursor. Notes what it was asked."""

    def __init__(self) -> None:
        self.events: Sequence[StoryEvent] = told("Once.")
        self.play: Play | None = None
        self.single: Callable[[Any, Any], Any] | None = None
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []
        self.cancelled = asyncio.Event()
        self.remaining: float | None = None

    async def GenerateStory(self, request: Any, context: Any) -> AsyncIterator[StoryEvent]:
        async for event in self._played("GenerateStory", request, context):
            yield event

    async def WatchStory(self, request: Any, context: Any) -> AsyncIterator[StoryEvent]:
        async for event in self._played("WatchStory", request, context):
            yield event

    async def GetRun(self, request: Any, context: Any) -> run_pb2.GetRunResponse:
        self._note("GetRun", request, context)
        try:
            answer = await self.single(request, context) if self.single else None
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return answer or run_pb2.GetRunResponse(run=run_pb2.Run(run_id=request.run_id))

    def as_story(self) -> "story_service_pb2_grpc.StoryServiceServicer":
        """What the server is given; calls of anything else are a fault of the test's."""
        return cast("story_service_pb2_grpc.StoryServiceServicer", _Partly(self))

    def as_run(self) -> "run_service_pb2_grpc.RunServiceServicer":
        """As `as_story`."""
        return cast("run_service_pb2_grpc.RunServiceServicer", _Partly(self))

    def _note(self, name: str, request: Any, context: Any) -> None:
        self.calls.append((name, request, dict(context.invocation_metadata())))
        self.remaining = context.time_remaining()

    async def _played(self, name: str, request: Any, context: Any) -> AsyncGenerator[StoryEvent, None]:
        self._note(name, request, context)
        try:
            if self.play is not None:
                async for event in self.play(request, context):
                    yield event
                return
            for event in self.events[getattr(request, "after_sequence", 0) :]:
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise


class _Partly:
    """A servicer of which a few methods are there."""

    def __init__(self, service: Scripted) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name, None)


class Fronted:
    """A scripted service, the gateway in front, and a browser of it."""

    def __init__(self, service: Scripted, http: httpx.AsyncClient, server: HttpServer, grpc: grpc.aio.Server) -> None:
        self.service = service
        self.http = http
        self.server = server
        self.grpc = grpc


@asynccontextmanager
async def fronted(**settings: Any) -> AsyncIterator[Fronted]:
    """The gateway with these settings, in front of a scripted service."""
    service, server = Scripted(), grpc.aio.server()
    story_service_pb2_grpc.add_StoryServiceServicer_to_server(service.as_story(), server)
    run_service_pb2_grpc.add_RunServiceServicer_to_server(service.as_run(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Upstream(f"127.0.0.1:{port}") as upstream:
            gateway = Gateway(SERVICES, upstream, **settings)
            async with HttpServer("127.0.0.1:0", gateway) as http, browser(http.url) as client:
                yield Fronted(service, client, http, server)
    finally:
        await server.stop(0)
