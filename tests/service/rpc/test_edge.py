"""What holds for every call: its request id, its line in the log, and that a fault of ours stays inside."""
# ruff: noqa: ARG002, N802 -- gRPC names the methods of a servicer, and gives each a request and a context

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from fabula import FabulaClient
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from service.identity.anyone import Anyone
from service.rpc.server import RpcServer, Service
from tests.conftest import Serve
from tests.harness import QUICK, WITHIN, ServerProcess, collect, outcome, serving
from tests.ollama_server import OllamaServer, Reply
from tests.service.rpc.lines import heard
from tests.service.rpc.raw import REQUEST_ID_KEY, taken_apart, tells_internals, unary
from tests.stories import TEXT, UNFIT, chapter

CANARY = "canarytext"
STORY = "fabula.story.v1.StoryService"
NIGHT = story_pb2.GenerateStoryRequest(child_id="1", theme="night")


class Faulty(story_service_pb2_grpc.StoryServiceServicer):
    """A servicer whose every method has a fault."""

    async def GenerateStory(self, request: Any, context: Any) -> AsyncIterator[story_pb2.StoryEvent]:
        yield story_pb2.StoryEvent(sequence=1)
        raise RuntimeError(CANARY)

    async def WatchStory(self, request: Any, context: Any) -> AsyncIterator[story_pb2.StoryEvent]:
        if request.run_id == "never":
            yield story_pb2.StoryEvent()
        raise KeyError(CANARY) from ValueError(CANARY)

    async def CreateStory(self, request: Any, context: Any) -> story_pb2.CreateStoryResponse:
        raise RuntimeError(CANARY)

    async def GetStory(self, request: Any, context: Any) -> Any:
        return [CANARY]

    async def ListStories(self, request: Any, context: Any) -> Any:
        return None

    async def DeleteStory(self, request: Any, context: Any) -> Any:
        raise ExceptionGroup(CANARY, [OSError(CANARY)])


@asynccontextmanager
async def faulty() -> AsyncIterator["story_service_pb2_grpc.StoryServiceAsyncStub"]:
    """A stub of a server of faults."""

    def add(server: grpc.aio.Server) -> None:
        story_service_pb2_grpc.add_StoryServiceServicer_to_server(Faulty(), server)

    async with (
        RpcServer("127.0.0.1:0", [Service(STORY, add)], Anyone(), 10, 5) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield story_service_pb2_grpc.StoryServiceStub(channel)


@pytest.mark.parametrize(
    ("method", "request_", "events"),
    [
        ("GenerateStory", NIGHT, 1),
        ("WatchStory", story_pb2.WatchStoryRequest(run_id="a"), 0),
        ("CreateStory", story_pb2.CreateStoryRequest(story=NIGHT), 0),
        ("DeleteStory", story_pb2.DeleteStoryRequest(story_id="a"), 0),
        ("GetStory", story_pb2.GetStoryRequest(story_id="a"), 0),
        ("ListStories", story_pb2.ListStoriesRequest(), 0),
    ],
)
async def test_a_fault_of_ours_is_internal_and_its_text_goes_nowhere(
    method: str, request_: Any, events: int, caplog: pytest.LogCaptureFixture
) -> None:
    with heard() as lines, caplog.at_level(logging.DEBUG):
        async with faulty() as stub, asyncio.timeout(WITHIN):
            seen: list[Any] = []
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await drained(getattr(stub, method)(request_), seen)
            await lines.wait(lambda: bool(lines.of("rpc")))
    refusal = taken_apart(ended.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert not refusal.tells_internals()
    assert len(seen) == events
    [fault], [line] = lines.of("rpc_fault"), lines.of("rpc")
    assert line["code"] == "INTERNAL"
    assert fault["x_request_id"] == line["x_request_id"]
    assert fault["places"]
    assert CANARY not in f"{refusal.everything} {lines.all} {caplog.text}"


async def drained(call: Any, seen: list[Any]) -> None:
    if isinstance(call, grpc.aio.UnaryStreamCall):
        async for event in call:
            seen.append(event)  # noqa: PERF401 -- what came before the error counts
    else:
        await call


@pytest.mark.parametrize("given", ["a", "trace-7/b:c", "x" * 128, "~!"])
async def test_a_well_formed_request_id_is_taken_and_echoed(serve: Serve, given: str) -> None:
    assert await echoed(serve, given) == given


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 129])
async def test_any_other_request_id_is_replaced(serve: Serve, given: str | None) -> None:
    own = await echoed(serve, given)
    assert own != given
    assert len(own) == 32
    assert own.isalnum()


async def echoed(serve: Serve, given: str | None) -> str:
    """The request id of a told story: the same in the metadata and in every line of the call and of its run."""
    metadata = () if given is None else ((REQUEST_ID_KEY, given),)
    with heard() as lines:
        async with serve() as served, asyncio.timeout(WITHIN):
            call = served.stories().GenerateStory(NIGHT, metadata=metadata)
            own = dict(await call.initial_metadata())[REQUEST_ID_KEY]
            assert (await collect(call))[-1].HasField("complete")
            await lines.wait(lambda: bool(lines.of("rpc") and lines.of("run_ended")))
    for event in ("rpc", "run_started", "run_ended"):
        assert [line["x_request_id"] for line in lines.of(event)] == [own]
    assert isinstance(own, str)
    return own


async def test_a_refused_call_has_its_request_id_too(serve: Serve) -> None:
    with heard() as lines:
        async with serve() as served, asyncio.timeout(WITHIN):
            call = served.stories().CreateStory(story_pb2.CreateStoryRequest(), metadata=((REQUEST_ID_KEY, "mine"),))
            assert dict(await call.initial_metadata())[REQUEST_ID_KEY] == "mine"
            assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT
            await lines.wait(lambda: bool(lines.of("rpc")))
    assert lines.of("rpc")[0]["x_request_id"] == "mine"


async def test_every_call_leaves_one_line_with_its_code(serve: Serve) -> None:
    with heard() as lines:
        async with serve() as served, asyncio.timeout(WITHIN):
            events = await collect(served.client.tell("night"))
            await served.client.get_run(events[0].run_id)
            await outcome(served.stories().WatchStory(story_pb2.WatchStoryRequest(run_id="nothing")))
            await lines.wait(lambda: len(lines.of("rpc")) == 3)
    assert [(line["method"].rpartition("/")[2], line["code"], line["level"]) for line in lines.of("rpc")] == [
        ("GenerateStory", "OK", "info"),
        ("GetRun", "OK", "info"),
        ("WatchStory", "NOT_FOUND", "info"),
    ]
    assert all(line["seconds"] >= 0 for line in lines.of("rpc"))


async def test_a_run_that_ends_badly_is_the_code_of_its_call(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(UNFIT)))
    with heard() as lines:
        async with serve() as served, asyncio.timeout(WITHIN):
            await outcome(served.stories().GenerateStory(NIGHT))
            await lines.wait(lambda: bool(lines.of("rpc")))
    assert [line["code"] for line in lines.of("rpc")] == ["FAILED_PRECONDITION"]
    assert lines.of("rpc_fault") == []


async def test_a_caller_who_leaves_at_any_moment_is_no_fault(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(TEXT * 20), chunk_chars=3))
    with heard() as lines:
        async with serve(linger_seconds=0) as served, asyncio.timeout(WITHIN):
            for moment in range(40):
                call = served.stories().GenerateStory(
                    story_pb2.GenerateStoryRequest(child_id="1", theme="night", release=run_pb2.RELEASE_TOKEN)
                )
                events = aiter(call)
                for _ in range(moment * 5):
                    await anext(events)
                call.cancel()
            begun = [line for line in lines.all if line["event"] == "run_started"]
            await lines.wait(lambda: len(lines.of("run_ended")) == len(lines.of("run_started")) >= len(begun))
    assert lines.of("rpc_fault") == lines.of("runner_fault") == lines.of("run_fault") == []
    assert {line["code"] for line in lines.of("rpc")} <= {"CANCELLED", "OK"}


async def test_the_log_of_a_told_story_has_nothing_of_it(tmp_path: Path) -> None:
    canaries = [f"{CANARY}{name}" for name in ("theme", "title", "turn")]
    theme, title, turn = canaries
    async with ServerProcess(tmp_path, embedded_tokens_per_second=0, log_level="debug") as server:
        async with FabulaClient(server.address, retry=QUICK) as client, asyncio.timeout(WITHIN):
            story = await client.tell(f"a fox and {theme}", title=title, custom_user_input=turn).result()
            await client.create(f"an owl and {theme}", title=title)
        await server.stop()
    assert nothing_of(story.story_content, server.lines)
    assert not any(canary in line for canary in canaries for line in server.lines)
    assert not any("Robin" in line or "fox" in line for line in server.lines)
    events = [json.loads(line)["event"] for line in server.lines]
    assert events.count("run_started") == events.count("run_ended") == events.count("rpc") == 2


FAILURES = [
    Reply(content=chapter(), error_line_after=30, error=CANARY),
    Reply(status=500, error=CANARY),
    Reply(status=404, error=CANARY),
    Reply(content=chapter(), cut_after=30),
    Reply(content=chapter(), malformed_line_after=30),
    Reply(content=f"no JSON but {CANARY}"),
    Reply(content=chapter(UNFIT)),
    Reply(content={"story_content": TEXT, "choices": CANARY}),
]


async def test_the_log_of_stories_that_fail_has_nothing_of_them(tmp_path: Path, ollama: OllamaServer) -> None:
    settings: dict[str, Any] = {"model": "ollama:llama3.2", "ollama_base_url": ollama.base_url, "log_level": "debug"}
    async with ServerProcess(tmp_path, **settings) as server:
        async with FabulaClient(server.address, retry=QUICK) as client, asyncio.timeout(WITHIN):
            for reply in FAILURES:
                ollama.reply_by_default(reply)
                events, error = await outcome(client.tell(f"a fox and {CANARY}"))
                assert error is not None
                assert CANARY not in f"{events} {error}"
                assert not tells_internals(f"{events[-1].error}")
        await server.stop()
    assert nothing_of(TEXT, server.lines)
    assert CANARY not in "".join(server.lines)
    assert all(json.loads(line)["event"] for line in server.lines)


def nothing_of(story: str, lines: list[str]) -> bool:
    sentences = [sentence.strip() for sentence in story.split(".") if len(sentence.strip()) > 10]
    assert sentences
    return not any(sentence in line for sentence in sentences for line in lines)


async def test_a_method_that_does_not_exist_is_unimplemented() -> None:
    async with serving() as served:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(served.channel, f"{STORY}/Nothing")(b"")
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
