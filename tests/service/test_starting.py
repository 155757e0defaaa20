"""One request_id, one run; and no more at once than the service takes on."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from fabula import FabulaError, RequestIdReused
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, Served, collect, outcome
from tests.ollama_server import OllamaServer, Reply
from tests.stories import TEXT, chapter, told


async def test_fifty_racing_calls_with_one_request_id_make_one_run(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), tokens_per_second=2_000))
    async with serve() as served:
        tellings = [collect(served.client.tell("night", request_id="once")) for _ in range(50)]
        results = await asyncio.gather(*tellings)
        runs = [run async for run in served.client.list_runs()]
    assert len(runs) == len(told(ollama)) == 1
    assert all(events == results[0] for events in results)


async def test_a_request_id_attaches_after_the_run_has_ended_too(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        first = await collect(served.client.tell("night", request_id="once"))
        assert await collect(served.client.tell("night", request_id="once")) == first


async def test_a_request_id_with_another_body_is_refused(serve: Serve, ollama: OllamaServer) -> None:
    async with serve() as served:
        await collect(served.client.tell("night", request_id="once"))
        with pytest.raises(RequestIdReused):
            await served.client.tell("day", request_id="once").result()
    assert len(told(ollama)) == 1


async def test_without_a_request_id_every_call_is_a_run(serve: Serve, ollama: OllamaServer) -> None:
    request = story_pb2.GenerateStoryRequest(child_id="1", theme="night")
    async with serve() as served:
        for _ in range(2):
            await collect(served.stories().GenerateStory(request))
    assert len(told(ollama)) == 2


async def test_a_caller_who_leaves_while_the_run_starts_leaves_no_run_behind(
    serve: Serve, ollama: OllamaServer
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=0))
    async with serve(linger_seconds=0) as served, asyncio.timeout(WITHIN):
        for pause in range(40):
            call = served.stories().GenerateStory(story_pb2.GenerateStoryRequest(child_id="1", theme="night"))
            reading = asyncio.ensure_future(call.read())
            for _ in range(pause):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({reading})
        runs = [run.run_id async for run in served.client.list_runs()]
        for run_id in runs:
            await outcome(served.client.watch(run_id))
        await ollama.wait_for_chats(0)
        assert not served.app.runner.active_runs


async def test_more_than_a_hundred_runs_are_not_held_back(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=10))
    async with serve(max_runs=150, max_streams=150) as served, asyncio.timeout(WITHIN * 2):
        tellings = [asyncio.create_task(served.client.tell("night").result()) for _ in range(150)]
        await ollama.wait_stalled(150)
        assert ollama.open_chats == 150
        ollama.release()
        stories = await asyncio.gather(*tellings)
    assert {complete.story_content for complete in stories} == {TEXT}


def details(error: grpc.aio.AioRpcError) -> tuple[str, float]:
    """The reason, and after how many seconds to ask again."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    status.details[0].Unpack(info)
    status.details[1].Unpack(retry)
    return info.reason, retry.retry_delay.ToTimedelta().total_seconds()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"max_runs": 2}, "TOO_MANY_RUNS"), ({"max_streams": 2}, "TOO_MANY_STREAMS")],
)
async def test_what_is_too_much_is_refused_at_once_and_says_when_to_ask_again(
    serve: Serve, ollama: OllamaServer, limits: dict[str, int], reason: str
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=10))
    async with serve(**limits) as served, asyncio.timeout(WITHIN):
        tellings = [asyncio.create_task(served.client.tell("night").result()) for _ in range(2)]
        await ollama.wait_stalled(2)
        _, refusal = await outcome(one_more(served))
        assert isinstance(refusal, grpc.aio.AioRpcError)
        assert refusal.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details(refusal) == (reason, 1.0)
        ollama.release()
        await asyncio.gather(*tellings)
        ollama.reply_by_default(Reply(content=chapter()))
        assert (await collect(one_more(served)))[-1].complete.success


def one_more(served: Served) -> "grpc.aio.UnaryStreamCall[object, story_pb2.StoryEvent]":
    return served.stories().GenerateStory(story_pb2.GenerateStoryRequest(child_id="1", theme="one more"))  # type: ignore[return-value]


async def test_a_refused_call_starts_nothing(serve: Serve, ollama: OllamaServer) -> None:
    async with serve(max_streams=1, max_runs=1) as served:
        with pytest.raises(FabulaError):
            await served.client.tell("night", child_id="nobody").result()
        assert [run async for run in served.client.list_runs()] == []
        assert (await served.client.tell("night").result()).success
    assert len(told(ollama)) == 1


async def test_whoever_has_seen_the_end_finds_the_run_ended_and_its_place_free(
    serve: Serve, ollama: OllamaServer, tmp_path: Path
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    url = f"sqlite:///{tmp_path}/fabula.db"
    async with serve(log_url=url, store_url=url, max_runs=1) as served:
        for _ in range(10):
            events = await collect(one_more(served))
            run = await served.client.get_run(events[0].run_id)
            assert run.state == run_pb2.RUN_STATE_SUCCEEDED


async def test_a_repeated_request_id_attaches_even_when_there_is_no_room(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()), Reply(content=chapter(), stall_after=10))
    async with serve(max_runs=1) as served, asyncio.timeout(WITHIN):
        first = await collect(served.client.tell("night", request_id="once"))
        telling = asyncio.create_task(served.client.tell("day").result())
        await ollama.wait_stalled(1)
        assert await collect(served.client.tell("night", request_id="once")) == first
        ollama.release()
        await telling
