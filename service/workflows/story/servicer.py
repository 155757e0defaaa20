"""StoryService: requests to runs, and the events of runs to the wire."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import grpc.aio

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from service.errors import ChildNotFound, Internal, NotImplementedYet, RunEnded, StoryNotFound
from service.runtime.ports import Store
from service.runtime.run import fingerprint, timestamp
from service.runtime.runner import Runner
from service.runtime.spec import LOCAL_PRINCIPAL, RunSpec
from service.runtime.subscription import Subscription
from service.workflows.story.events import StoryCodec
from service.workflows.story.graph import StoryWorkflow
from service.workflows.story.task import story_task

Context = grpc.aio.ServicerContext[object, object]


class StoryServicer(story_service_pb2_grpc.StoryServiceServicer):
    """Streams are yielded as the bytes that the log holds: an event is serialised once, for every watcher."""

    def __init__(self, runner: Runner, store: Store, workflow: StoryWorkflow, heartbeat_seconds: float) -> None:
        self._runner = runner
        self._store = store
        self._workflow = workflow
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
        watching = await self._runner.watch(LOCAL_PRINCIPAL, request.run_id, request.after_sequence)
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
        raise NotImplementedYet("GetStory is not implemented yet. WatchStory replays the run that told the story.")

    async def ListStories(
        self, request: story_pb2.ListStoriesRequest, context: Context
    ) -> story_pb2.ListStoriesResponse:
        raise NotImplementedYet("ListStories is not implemented yet. ListRuns lists the runs that told stories.")

    async def DeleteStory(
        self, request: story_pb2.DeleteStoryRequest, context: Context
    ) -> story_pb2.DeleteStoryResponse:
        raise NotImplementedYet("DeleteStory is not implemented yet.")

    async def _start(self, request: story_pb2.GenerateStoryRequest, context: Context) -> Subscription:
        deadline = _deadline(context)
        child = await self._store.get_child(request.child_id)
        if child is None:
            raise ChildNotFound('There is no such child. A fresh install has the child "1".')
        await self._check_story(request.story_id)
        story_id = uuid.uuid4().hex
        spec = RunSpec(
            codec=self._codec,
            job=self._workflow.job(story_task(request, child, story_id)),
            principal=LOCAL_PRINCIPAL,
            fingerprint=_fingerprint(request),
            child_id=request.child_id,
            story_id=story_id,
            model=self._workflow.model_name,
            request_id=request.request_id,
            cancel_on_disconnect=request.on_disconnect == run_pb2.ON_DISCONNECT_CANCEL,
            deadline=deadline,
        )
        return await self._runner.start(spec)

    async def _check_story(self, story_id: str) -> None:
        if not story_id:
            return
        if not await self._store.has_story(LOCAL_PRINCIPAL, story_id):
            raise StoryNotFound("There is no such story. Leave story_id empty to begin a new one.")
        raise NotImplementedYet("Continuing a story is not implemented yet. Leave story_id empty to begin a new one.")

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


def _fingerprint(request: story_pb2.GenerateStoryRequest) -> bytes:
    body = story_pb2.GenerateStoryRequest()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return fingerprint(body)


def _heartbeat(run_id: str) -> story_pb2.StoryEvent:
    return story_pb2.StoryEvent(run_id=run_id, emit_time=timestamp(time.time_ns()), heartbeat=run_pb2.Heartbeat())
