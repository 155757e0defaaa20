"""Takes requests: finds child and tale, screens what was given, and says what run is to be started."""

import asyncio
import uuid

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import ChildNotFound, StoryNotFound
from service.runtime.run import fingerprint
from service.runtime.spec import RunSpec
from service.runtime.stores import Store
from service.safety.policy import Policy
from service.safety.screen import Screen
from service.workflows.story import prompts
from service.workflows.story.events import StoryCodec
from service.workflows.story.graph import StoryWorkflow
from service.workflows.story.inputs import check_choice, check_request
from service.workflows.story.tale import Tale
from service.workflows.story.task import StoryTask, make_reader, new_tale, next_chapter, reader_age


class Desk:
    """Makes the run of a request. `planned_chapters` is the length of a tale whose request does not say it."""

    def __init__(self, store: Store, policy: Policy, workflow: StoryWorkflow, planned_chapters: int) -> None:
        self._store = store
        self._policy = policy
        self._workflow = workflow
        self._planned_chapters = planned_chapters
        self._codec = StoryCodec()

    async def spec(self, principal: str, request: story_pb2.GenerateStoryRequest, deadline: float | None) -> RunSpec:
        """The run to be started.

        Raises ChildNotFound, StoryNotFound, ChapterNotFound, StoryEnded, InputUnfit, InvalidRequest.
        """
        child = await self._store.get_child(principal, request.child_id)
        if child is None:
            raise ChildNotFound("There is no such child. ListChildren names those that there are.")
        screen = self._policy.screen(reader_age(request, child), child.language or "en", child.avoid_topics)
        check_request(request, screen)
        task = await self._task(principal, request, child, screen)
        return RunSpec(
            codec=self._codec,
            job=self._workflow.job(task, screen, _left(deadline)),
            principal=principal,
            fingerprint=request_fingerprint(request),
            child_id=request.child_id,
            story_id=task.story_id,
            model=self._workflow.model_name,
            prompt_version=prompts.VERSION,
            request_id=request.request_id,
            cancel_on_disconnect=request.on_disconnect == run_pb2.ON_DISCONNECT_CANCEL,
            deadline=deadline,
        )

    async def _task(
        self, principal: str, request: story_pb2.GenerateStoryRequest, child: child_pb2.Child, screen: Screen
    ) -> StoryTask:
        reader = make_reader(request, child, screen)
        if not request.story_id:
            return new_tale(request, reader, uuid.uuid4().hex, self._planned_chapters)
        tale = Tale(await self._store.artifacts(principal, request.story_id))
        if not tale or tale.child_id != child.child_id:
            raise StoryNotFound("This child has no such story. Leave story_id empty to begin a new one.")
        # Whose profile changed since may have to be spared a choice of earlier.
        task = next_chapter(request, reader, tale.branch(request.chapter_id))
        check_choice(task.turn.text, screen)
        return task


def _left(deadline: float | None) -> float | None:
    """The seconds until a deadline in the event loop's time."""
    return None if deadline is None else max(deadline - asyncio.get_running_loop().time(), 0)


def request_fingerprint(request: story_pb2.GenerateStoryRequest) -> bytes:
    """What tells this request from another with the same request_id."""
    body = story_pb2.GenerateStoryRequest()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return fingerprint(body)
