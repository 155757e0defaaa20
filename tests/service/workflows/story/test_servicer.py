"""The story servicer by itself: no server and no network, over memory and a model that speaks by script."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc_testing  # type: ignore[import-untyped]  # it has no stubs
import pytest
from google.rpc import error_details_pb2, status_pb2

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2, story_service_pb2
from service.backends import open_backends
from service.errors import FabulaError, ModelNotFound, ModelTimeout
from service.runtime.eraser import Eraser
from service.runtime.model import Prompt, Schema, TextChunk
from service.runtime.runner import Runner
from service.runtime.spec import LOCAL_PRINCIPAL, Limits
from service.runtime.stores import ChildRecord
from service.safety.policy import load_policy
from service.workflows.story.desk import Desk
from service.workflows.story.events import StoryCodec
from service.workflows.story.graph import Budget, StoryWorkflow
from service.workflows.story.library import Library
from service.workflows.story.reviewer import Reviewer
from service.workflows.story.servicer import StoryServicer
from tests.adapter import LoopThread, Synchronous
from tests.stories import TEXT, UNFIT, chapter

SERVICE = story_service_pb2.DESCRIPTOR.services_by_name["StoryService"]
CHILD = child_pb2.Child(child_id="1", nickname="Robin", age=8, interests=["stars"])


@dataclass
class ScriptedModel:
    """Implements LanguageModel: answers one after the other, seven characters at a time.

    An answer that is an error is raised after half a chapter. It waits before each until it may `go`.
    """

    answers: list[dict[str, Any] | FabulaError] = field(default_factory=lambda: [chapter()])
    prompts: list[Prompt] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "scripted:model"

    async def stream(self, prompt: Prompt, schema: Schema) -> AsyncGenerator[TextChunk, None]:
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        told = chapter() if isinstance(answer, FabulaError) else answer
        text = json.dumps({name: told[name] for name in schema["properties"] if name in told})
        await self.go.wait()
        for at in range(0, len(text), 7):
            if isinstance(answer, FabulaError) and at > len(text) // 2:
                raise answer
            yield TextChunk(text[at : at + 7])


class Bench:
    """A servicer as grpcio-testing calls it."""

    def __init__(self, thread: LoopThread, servicer: StoryServicer, model: ScriptedModel) -> None:
        self.model = model
        self._thread = thread
        self._server = grpc_testing.server_from_dictionary(
            {SERVICE: Synchronous(servicer, thread)}, grpc_testing.strict_real_time()
        )

    def go(self) -> None:
        """Lets the model speak."""
        self._thread.loop.call_soon_threadsafe(self.model.go.set)

    def pause(self) -> None:
        """Lets it be silent from its next answer on."""
        self._thread.loop.call_soon_threadsafe(self.model.go.clear)

    def open(self, name: str, request: Any) -> Any:
        return self._server.invoke_unary_stream(SERVICE.methods_by_name[name], (), request, None)

    def stream(self, name: str, request: Any) -> tuple[list[story_pb2.StoryEvent], status_pb2.Status]:
        """Every event of a streaming call, heartbeats left out, and how it ended."""
        rpc, events = self.open(name, request), []
        while (event := take(rpc)) is not None:
            if not event.HasField("heartbeat"):
                events.append(event)
        return events, ending(*rpc.termination())

    def unary(self, name: str, request: Any) -> tuple[Any, status_pb2.Status]:
        rpc = self._server.invoke_unary_unary(SERVICE.methods_by_name[name], (), request, None)
        response, *end = rpc.termination()
        return response, ending(*end)


def take(rpc: Any) -> story_pb2.StoryEvent | None:
    """The next event; None at the end of the call."""
    try:
        response = rpc.take_response()
    except ValueError:
        return None
    return story_pb2.StoryEvent.FromString(response) if isinstance(response, bytes) else response


def ending(trailing_metadata: Any, code: grpc.StatusCode, message: str) -> status_pb2.Status:
    """The google.rpc.Status of a call; its code and message are those of the call itself."""
    details = dict(trailing_metadata).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(details)
    assert (status.code, status.message) == (code.value[0], message)
    return status


def reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert info.domain == "fabula"
    return str(info.reason)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The servicer with a model that speaks at once."""
    with LoopThread() as thread:
        stack, model = AsyncExitStack(), ScriptedModel()
        bench = Bench(thread, thread.run(build(stack, model)), model)
        bench.go()
        yield bench
        thread.run(stack.aclose())


async def build(stack: AsyncExitStack, model: ScriptedModel) -> StoryServicer:
    backends = await stack.enter_async_context(
        open_backends(
            "memory:", "memory:", commit_interval_seconds=0, fresh_children=[ChildRecord(CHILD, LOCAL_PRINCIPAL)]
        )
    )
    runner = await stack.enter_async_context(Runner(backends.log, backends.store, {"story": StoryCodec()}, Limits()))
    eraser = Eraser(backends.log, backends.store, runner, 0)
    policy = load_policy()
    workflow = StoryWorkflow(
        model, Reviewer(None, None, policy.categories, 5), backends.store, Budget(1, 300, 8_192, 2_048)
    )
    desk = Desk(backends.store, policy, workflow, planned_chapters=5)
    return StoryServicer(runner, desk, Library(backends.store, eraser), heartbeat_seconds=0.02)


def request(**fields: Any) -> story_pb2.GenerateStoryRequest:
    return story_pb2.GenerateStoryRequest(**{"child_id": "1", "theme": "night"} | fields)


def told(events: list[story_pb2.StoryEvent]) -> str:
    return "".join(event.content.chunk for event in events)


def test_generate_story_streams_the_story_to_its_end(bench: Bench) -> None:
    events, status = bench.stream("GenerateStory", request())
    assert status.code == grpc.StatusCode.OK.value[0]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert told(events) == events[-1].complete.story_content == TEXT
    assert events[-1].complete.model == "scripted:model"


def test_watch_story_gives_the_same_events_after_any_sequence(bench: Bench) -> None:
    events, _ = bench.stream("GenerateStory", request())
    for after in (0, 1, len(events) - 1, len(events)):
        watch = story_pb2.WatchStoryRequest(run_id=events[0].run_id, after_sequence=after)
        rest, status = bench.stream("WatchStory", watch)
        assert rest == events[after:]
        assert status.code == grpc.StatusCode.OK.value[0]


def test_create_story_answers_with_the_end_of_the_same_run(bench: Bench) -> None:
    response, status = bench.unary("CreateStory", story_pb2.CreateStoryRequest(story=request()))
    assert status.code == grpc.StatusCode.OK.value[0]
    events, _ = bench.stream("WatchStory", story_pb2.WatchStoryRequest(run_id=response.run_id))
    assert response.complete == events[-1].complete


def test_the_same_request_id_is_the_same_run_on_both_calls(bench: Bench) -> None:
    events, _ = bench.stream("GenerateStory", request(request_id="once"))
    again, _ = bench.stream("GenerateStory", request(request_id="once"))
    response, _ = bench.unary("CreateStory", story_pb2.CreateStoryRequest(story=request(request_id="once")))
    assert again == events
    assert response.run_id == events[0].run_id
    assert len(bench.model.prompts) == 1


def test_another_body_under_the_same_request_id_is_refused(bench: Bench) -> None:
    bench.stream("GenerateStory", request(request_id="once"))
    events, status = bench.stream("GenerateStory", request(request_id="once", theme="day"))
    assert (events, reason(status)) == ([], "REQUEST_ID_REUSED")


def test_unfit_text_is_retracted_and_told_anew(bench: Bench) -> None:
    bench.model.answers[:] = [chapter(UNFIT), chapter()]
    events, status = bench.stream("GenerateStory", request())
    assert status.code == grpc.StatusCode.OK.value[0]
    assert [event.retraction.revision for event in events if event.HasField("retraction")] == [2]
    assert events[-1].complete.story_content == TEXT


@pytest.mark.parametrize(
    ("answers", "named", "code"),
    [
        ([ModelTimeout("It was silent.")], "MODEL_TIMEOUT", grpc.StatusCode.UNAVAILABLE),
        ([ModelNotFound("Pull it.")], "MODEL_NOT_FOUND", grpc.StatusCode.FAILED_PRECONDITION),
        ([chapter(UNFIT), chapter(UNFIT)], "CONTENT_REJECTED", grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
def test_a_run_that_ends_badly_ends_every_call_with_its_status(
    bench: Bench, answers: list[Any], named: str, code: grpc.StatusCode
) -> None:
    bench.model.answers[:] = answers
    events, status = bench.stream("GenerateStory", request(request_id="once"))
    assert status == events[-1].error.status
    assert (status.code, reason(status)) == (code.value[0], named)
    again, same = bench.stream("WatchStory", story_pb2.WatchStoryRequest(run_id=events[0].run_id))
    assert (again[-1], same) == (events[-1], status)
    response, same = bench.unary("CreateStory", story_pb2.CreateStoryRequest(story=request(request_id="once")))
    assert (response, same) == (None, status)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"child_id": "2"}, "CHILD_NOT_FOUND"), ({"story_id": "unheard"}, "STORY_NOT_FOUND")],
)
def test_what_does_not_exist_is_refused_before_a_run_starts(bench: Bench, fields: dict[str, str], named: str) -> None:
    for events, status in (
        bench.stream("GenerateStory", request(**fields)),
        bench.unary("CreateStory", story_pb2.CreateStoryRequest(story=request(**fields))),
    ):
        assert not events
        assert reason(status) == named
    assert bench.model.prompts == []


def test_a_story_that_exists_is_continued_read_and_listed(bench: Bench) -> None:
    bench.model.answers.append(chapter())
    first = bench.stream("GenerateStory", request())[0][-1].complete
    second = bench.stream("GenerateStory", request(story_id=first.story_id, choice_id="2"))[0][-1].complete
    assert (second.story_id, second.chapter_number) == (first.story_id, 2)
    answer, _ = bench.unary("GetStory", story_pb2.GetStoryRequest(story_id=first.story_id))
    assert [each.chapter_id for each in answer.story.chapters] == [first.chapter_id, second.chapter_id]
    answer, _ = bench.unary("ListStories", story_pb2.ListStoriesRequest())
    assert [each.story_id for each in answer.stories] == [first.story_id]


def test_a_deleted_story_is_gone(bench: Bench) -> None:
    first = bench.stream("GenerateStory", request())[0][-1].complete
    assert bench.unary("DeleteStory", story_pb2.DeleteStoryRequest(story_id=first.story_id))[1].code == 0
    for name, asked in (
        ("GetStory", story_pb2.GetStoryRequest(story_id=first.story_id)),
        ("DeleteStory", story_pb2.DeleteStoryRequest(story_id=first.story_id)),
    ):
        assert reason(bench.unary(name, asked)[1]) == "STORY_NOT_FOUND"


@pytest.mark.parametrize(
    ("run_id", "after", "named"), [("nothing", 0, "RUN_NOT_FOUND"), ("", 10_000, "CURSOR_OUT_OF_RANGE")]
)
def test_what_cant_be_watched_is_refused(bench: Bench, run_id: str, after: int, named: str) -> None:
    events, _ = bench.stream("GenerateStory", request())
    watch = story_pb2.WatchStoryRequest(run_id=run_id or events[0].run_id, after_sequence=after)
    nothing, status = bench.stream("WatchStory", watch)
    assert (nothing, reason(status)) == ([], named)


def test_while_the_model_is_silent_heartbeats_come_that_move_no_cursor(bench: Bench) -> None:
    bench.pause()
    rpc = bench.open("GenerateStory", request())
    while (event := take(rpc)) is not None and not event.HasField("heartbeat"):
        pass
    assert event is not None
    assert (event.sequence, event.progress_percent) == (0, 0)
    assert event.run_id
    assert event.HasField("emit_time")
    bench.go()
    events = [event]
    while (event := take(rpc)) is not None:
        events.append(event)
    assert events[-1].HasField("complete")
    assert all(each.sequence for each in events if not each.HasField("heartbeat"))


def test_the_age_in_the_request_goes_before_the_childs(bench: Bench) -> None:
    bench.model.answers.append(chapter())
    bench.stream("GenerateStory", request())
    bench.stream("GenerateStory", request(age=4))
    assert ['"age": 8' in prompt.user for prompt in bench.model.prompts] == [True, False]
    assert '"age": 4' in bench.model.prompts[1].user


def test_the_events_of_a_run_name_its_nodes(bench: Bench) -> None:
    events, _ = bench.stream("GenerateStory", request())
    started = [e.node_event.node for e in events if e.node_event.status == run_pb2.NODE_STATUS_STARTED]
    assert started == ["workflow", "generate_content", "safety_check", "calculate_metrics"]
