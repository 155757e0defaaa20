"""The single calls of the scripted server: a few runs, stories and children, kept in lists."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, TypeVar

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from fabula.child.v1 import child_pb2, child_service_pb2_grpc
from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from tests.clients.python.statuses import status

_Item = TypeVar("_Item")


class Heard:
    """One call that reached the server."""

    def __init__(self, method: str, request: Any, context: Any) -> None:
        self.method = method
        self.request = request
        self.metadata = dict(context.invocation_metadata())
        self.seconds_left = context.time_remaining()
        self.cancelled = asyncio.Event()
        self.ended_by_itself = asyncio.Event()


class SingleCalls(
    story_service_pb2_grpc.StoryServiceServicer,
    run_service_pb2_grpc.RunServiceServicer,
    child_service_pb2_grpc.ChildServiceServicer,
):
    """Each call takes the next of `refusals`, and is answered when there is none.

    One that changes something takes the next of `breaks` as well, after it has done so. While `answer` is not set, no
    call is answered; `asked` says that one has come.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.refusals: deque[status_pb2.Status] = deque()
        self.breaks: deque[status_pb2.Status] = deque()
        self.runs: list[run_pb2.Run] = []
        self.stories: list[story_pb2.Story] = []
        self.children: list[child_pb2.Child] = []
        self.answer = asyncio.Event()
        self.answer.set()
        self.asked = asyncio.Event()

    async def GetRun(self, request: Any, context: Any) -> run_pb2.GetRunResponse:  # noqa: N802
        await self._single("GetRun", request, context)
        known = {run.run_id: run for run in self.runs}
        run = run_pb2.Run(run_id=request.run_id, state=run_pb2.RUN_STATE_RUNNING, child_id="1")
        return run_pb2.GetRunResponse(run=known.get(request.run_id, run))

    async def ListRuns(self, request: Any, context: Any) -> run_pb2.ListRunsResponse:  # noqa: N802
        await self._single("ListRuns", request, context)
        page, token = _page(self.runs, request)
        return run_pb2.ListRunsResponse(runs=page, next_page_token=token)

    async def CancelRun(self, request: Any, context: Any) -> run_pb2.CancelRunResponse:  # noqa: N802
        await self._single("CancelRun", request, context)
        run = run_pb2.Run(run_id=request.run_id, state=run_pb2.RUN_STATE_CANCELLED, child_id="1")
        return run_pb2.CancelRunResponse(run=run)

    async def PauseRun(self, request: Any, context: Any) -> run_pb2.PauseRunResponse:  # noqa: N802
        await self._single("PauseRun", request, context)
        return run_pb2.PauseRunResponse(run=run_pb2.Run(run_id=request.run_id, state=run_pb2.RUN_STATE_PAUSED))

    async def ContinueRun(self, request: Any, context: Any) -> run_pb2.ContinueRunResponse:  # noqa: N802
        await self._single("ContinueRun", request, context)
        return run_pb2.ContinueRunResponse(run=run_pb2.Run(run_id=request.run_id, state=run_pb2.RUN_STATE_RUNNING))

    async def GetStory(self, request: Any, context: Any) -> story_pb2.GetStoryResponse:  # noqa: N802
        await self._single("GetStory", request, context)
        return story_pb2.GetStoryResponse(story=await self._story(request.story_id, context))

    async def ListStories(self, request: Any, context: Any) -> story_pb2.ListStoriesResponse:  # noqa: N802
        await self._single("ListStories", request, context)
        page, token = _page(self.stories, request)
        return story_pb2.ListStoriesResponse(stories=page, next_page_token=token)

    async def DeleteStory(self, request: Any, context: Any) -> story_pb2.DeleteStoryResponse:  # noqa: N802
        await self._single("DeleteStory", request, context)
        self.stories.remove(await self._story(request.story_id, context))
        await self._done(context)
        return story_pb2.DeleteStoryResponse()

    async def CreateChild(self, request: Any, context: Any) -> child_pb2.CreateChildResponse:  # noqa: N802
        await self._single("CreateChild", request, context)
        child = child_pb2.Child(
            child_id=f"child-{len(self.children) + 1}",
            nickname=request.nickname,
            age=request.age,
            reading_level=request.reading_level,
            interests=request.interests,
            language=request.language or "en",
            avoid_topics=request.avoid_topics,
        )
        self.children.insert(0, child)
        await self._done(context)
        return child_pb2.CreateChildResponse(child=child)

    async def GetChild(self, request: Any, context: Any) -> child_pb2.GetChildResponse:  # noqa: N802
        await self._single("GetChild", request, context)
        return child_pb2.GetChildResponse(child=await self._child(request.child_id, context))

    async def ListChildren(self, request: Any, context: Any) -> child_pb2.ListChildrenResponse:  # noqa: N802
        await self._single("ListChildren", request, context)
        page, token = _page(self.children, request)
        return child_pb2.ListChildrenResponse(children=page, next_page_token=token)

    async def UpdateChild(self, request: Any, context: Any) -> child_pb2.UpdateChildResponse:  # noqa: N802
        await self._single("UpdateChild", request, context)
        child = await self._child(request.child_id, context)
        for name in ("nickname", "age", "reading_level", "language"):
            if request.HasField(name):
                setattr(child, name, getattr(request, name))
        for name in ("interests", "avoid_topics"):
            if request.HasField(name):
                getattr(child, name)[:] = getattr(request, name).topics
        await self._done(context)
        return child_pb2.UpdateChildResponse(child=child)

    async def DeleteChild(self, request: Any, context: Any) -> child_pb2.DeleteChildResponse:  # noqa: N802
        await self._single("DeleteChild", request, context)
        self.children.remove(await self._child(request.child_id, context))
        await self._done(context)
        return child_pb2.DeleteChildResponse()

    async def _story(self, story_id: str, context: Any) -> story_pb2.Story:
        for story in self.stories:
            if story.story_id == story_id:
                return story
        raise await _not_found("STORY_NOT_FOUND", context)

    async def _child(self, child_id: str, context: Any) -> child_pb2.Child:
        for child in self.children:
            if child.child_id == child_id:
                return child
        raise await _not_found("CHILD_NOT_FOUND", context)

    async def _single(self, method: str, request: Any, context: Any) -> None:
        self.heard.append(Heard(method, request, context))
        self.asked.set()
        await self.answer.wait()
        if self.refusals:
            await context.abort_with_status(rpc_status.to_status(self.refusals.popleft()))

    async def _done(self, context: Any) -> None:
        if self.breaks:
            await context.abort_with_status(rpc_status.to_status(self.breaks.popleft()))


async def _not_found(reason: str, context: Any) -> AssertionError:
    await context.abort_with_status(rpc_status.to_status(status(grpc.StatusCode.NOT_FOUND, reason)))
    return AssertionError("abort_with_status always raises")


def _page(items: Sequence[_Item], request: Any) -> tuple[Sequence[_Item], str]:
    begin = int(request.page_token or 0)
    end = begin + (request.page_size or 50)
    return items[begin:end], str(end) if end < len(items) else ""
