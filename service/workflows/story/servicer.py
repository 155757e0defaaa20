"""StoryService: requests to runs, and the events of runs to the wire."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import grpc.aio

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from service.errors import Internal, RunEnded
from service.runtime.caller import current_principal
from service.runtime.run import timestamp
from service.runtime.runner import Runner
from service.runtime.subscription import Subscription
from service.workflows.story.desk import Desk, request_fingerprint
from service.workflows.story.events import StoryCodec
from service.workflows.story.library import Library

Context = grpc.aio.ServicerContext[object, object]


class StoryServicer(story_service_pb2_grpc.StoryServiceServicer):
    """Streams are yielded as the bytes that the log holds: an event is serialised once, for every watcher."""

    def __init__(self, runner: Runner, desk: Desk, library: Library, heartbeat_seconds: float) -> None:
        self._runner = runner
        self._desk = desk
        self._library = library
        self._codec = StoryCodec()
        self._heartbeat_seconds = heartbeat_seconds

    async def GenerateStory(
        self, request: story_pb2.GenerateStoryRequest, context: Context
    ) -> AsyncIterator[story_pb2.StoryEvent]:
        async with await self._start(request, context) as subscription, aclosing(self._events(subscription)) as events:
            async for event in events:
                yield event

    async def WatchStory(
        self, request: story_pb2.WatchStoryRequest, context: Context
    ) -> AsyncIterator[story_pb2.StoryEvent]:
        watching = await self._runner.watch(current_principal(), request.run_id, request.after_sequence)
        async with watching as subscription, aclosing(self._events(subscription)) as events:
            async for event in events:
                yield event

    async def CreateStory(
        self, request: story_pb2.CreateStoryRequest, context: Context
    ) -> story_pb2.CreateStoryResponse:
        async with await self._start(request.story, context) as subscription:
            async with aclosing(self._events(subscription)) as events:
                async for _ in events:
                    pass
            if subscription.terminal is None:
                raise Internal("The run's events ended without a terminal one.")
            complete = story_pb2.StoryEvent.FromString(subscription.terminal.payload).complete
            return story_pb2.CreateStoryResponse(run_id=subscription.run.run_id, complete=complete)

    async def GetStory(self, request: story_pb2.GetStoryRequest, context: Context) -> story_pb2.GetStoryResponse:
        return story_pb2.GetStoryResponse(story=await self._library.get(current_principal(), request.story_id))

    async def ListStories(
        self, request: story_pb2.ListStoriesRequest, context: Context
    ) -> story_pb2.ListStoriesResponse:
        return await self._library.list(current_principal(), request)

    async def DeleteStory(
        self, request: story_pb2.DeleteStoryRequest, context: Context
    ) -> story_pb2.DeleteStoryResponse:
        await self._library.delete(current_principal(), request.story_id)
        return story_pb2.DeleteStoryResponse()

    async def _start(self, request: story_pb2.GenerateStoryRequest, context: Context) -> Subscription:
        deadline = _deadline(context)
        # First of all: a repeated call attaches to its run, whatever has changed since that began.
        if request.request_id:
            mark = request_fingerprint(request)
            if (begun := await self._runner.attach(current_principal(), request.request_id, mark)) is not None:
                return begun
        return await self._runner.start(await self._desk.spec(current_principal(), request, deadline))

    async def _events(self, subscription: Subscription) -> AsyncGenerator[story_pb2.StoryEvent, None]:
        async with aclosing(subscription.batches(self._heartbeat_seconds)) as batches:
            async for batch in batches:
                if not batch:
                    yield _heartbeat(subscription.run.run_id)
                for event in batch:
                    # Bytes where the stub says StoryEvent: the server's serializer passes them through.
                    yield cast("story_pb2.StoryEvent", event.payload)
        if subscription.terminal is not None:
            error = self._codec.error(subscription.terminal.payload)
            if error is not None:
                raise RunEnded(error.status)


def _deadline(context: Context) -> float | None:
    """When the call must be over, in the event loop's time; None when the caller gave it no deadline."""
    remaining = context.time_remaining()
    return None if remaining is None else asyncio.get_running_loop().time() + remaining


def _heartbeat(run_id: str) -> story_pb2.StoryEvent:
    return story_pb2.StoryEvent(run_id=run_id, emit_time=timestamp(time.time_ns()), heartbeat=run_pb2.Heartbeat())
