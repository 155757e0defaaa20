"""Whatever ends a run, the connection to the model closes, and the run has one terminal event."""

import asyncio

import grpc
import pytest

from fabula import FabulaError, RunCancelled, RunDeadlineExceeded
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, Served, collect, outcome
from tests.ollama_server import OllamaServer, Reply
from tests.stories import chapter

STALLS = [
    Reply(content=chapter(), stall_after=15),
    Reply(content=chapter(), stall_after=0),
    Reply(content=chapter(), stall_before_headers=True),
    Reply(content=chapter(), chunk_chars=1, tokens_per_second=50),
]


async def end_of(served: Served, run_id: str) -> story_pb2.StoryEvent:
    """The terminal event of a run, awaited; it must be the only one."""
    events, _ = await outcome(served.client.watch(run_id))
    terminal = [event for event in events if event.HasField("complete") or event.HasField("error")]
    assert terminal == events[-1:]
    return terminal[0]


async def begin(served: Served, ollama: OllamaServer, **options: object) -> str:
    """Starts a story, leaves it once the model is at work, and returns the run."""
    started = ollama.chats_started
    async with served.client.tell("night", **options) as stream:  # type: ignore[arg-type]
        events = aiter(stream)
        await anext(events)
        await ollama.wait_started(started + 1)
        return stream.run_id


@pytest.mark.parametrize("reply", STALLS)
async def test_cancel_run_closes_the_connection_to_the_model(serve: Serve, ollama: OllamaServer, reply: Reply) -> None:
    ollama.reply_with(reply)
    async with serve() as served, asyncio.timeout(WITHIN):
        telling = asyncio.create_task(outcome(served.client.tell("night")))
        await ollama.wait_started(1)
        [run] = [run async for run in served.client.list_runs()]
        cancelled = await served.client.cancel_run(run.run_id)
        await ollama.wait_for_chats(0)
        events, error = await telling
    assert cancelled.state == run_pb2.RUN_STATE_CANCELLED
    assert cancelled.error.code == run_pb2.ERROR_REASON_RUN_CANCELLED
    assert isinstance(error, RunCancelled)
    assert events[-1].error.status.code == grpc.StatusCode.CANCELLED.value[0]
    assert ollama.chats_aborted == 1


async def test_a_hundred_cancelled_runs_leave_no_connection(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=10))
    async with serve() as served, asyncio.timeout(WITHIN):
        tellings = [asyncio.create_task(outcome(served.client.tell("night"))) for _ in range(100)]
        await ollama.wait_stalled(100)
        runs = [run.run_id async for run in served.client.list_runs(state=run_pb2.RUN_STATE_RUNNING)]
        assert len(runs) == 100
        await asyncio.gather(*map(served.client.cancel_run, runs))
        await ollama.wait_for_chats(0)
        errors = [error for _, error in await asyncio.gather(*tellings)]
    assert all(isinstance(error, RunCancelled) for error in errors)
    assert ollama.chats_aborted == 100


async def test_cancelling_a_run_that_has_ended_changes_nothing(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        events = await collect(served.client.tell("night"))
        run = await served.client.cancel_run(events[0].run_id)
        assert run.state == run_pb2.RUN_STATE_SUCCEEDED
        assert run.last_sequence == len(events)


async def test_a_run_that_asked_for_it_is_cancelled_when_its_reader_goes(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLS[0])
    async with serve(linger_seconds=3_600) as served, asyncio.timeout(WITHIN):
        run_id = await begin(served, ollama, on_disconnect=run_pb2.ON_DISCONNECT_CANCEL)
        await ollama.wait_for_chats(0)
        assert (await end_of(served, run_id)).error.code == run_pb2.ERROR_REASON_RUN_CANCELLED


async def test_a_run_lingers_after_its_last_reader_and_is_then_cancelled(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLS[0])
    async with serve(linger_seconds=0.05) as served, asyncio.timeout(WITHIN):
        run_id = await begin(served, ollama)
        await ollama.wait_for_chats(0)
        assert (await end_of(served, run_id)).error.code == run_pb2.ERROR_REASON_RUN_CANCELLED


async def test_a_reader_who_comes_back_in_time_finds_the_run_alive(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLS[0])
    async with serve(linger_seconds=3_600) as served, asyncio.timeout(WITHIN):
        run_id = await begin(served, ollama)
        async with served.client.watch(run_id) as stream:
            await ollama.wait_stalled(1)
            ollama.release()
            assert (await stream.result()).success


async def test_the_deadline_of_the_call_is_the_runs_as_well(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLS[0])
    async with serve(linger_seconds=3_600) as served, asyncio.timeout(WITHIN):
        stream = served.client.tell("night", timeout=0.3)
        with pytest.raises(FabulaError) as late:
            await stream.result()
        assert late.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
        await ollama.wait_for_chats(0)
        end = await end_of(served, stream.run_id)
    assert end.error.code == run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED


async def test_a_run_that_takes_longer_than_the_service_allows_ends(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLS[2])
    async with serve(run_timeout_seconds=0.2) as served, asyncio.timeout(WITHIN):
        events, error = await outcome(served.client.tell("night"))
        await ollama.wait_for_chats(0)
    assert isinstance(error, RunDeadlineExceeded)
    assert events[-1].error.retryable


async def test_create_story_whose_caller_leaves_is_cancelled_as_it_asked(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLS[0])
    async with serve() as served, asyncio.timeout(WITHIN):
        waiting = asyncio.create_task(served.client.create("night", on_disconnect=run_pb2.ON_DISCONNECT_CANCEL))
        await ollama.wait_stalled(1)
        waiting.cancel()
        await ollama.wait_for_chats(0)
        [run] = [run async for run in served.client.list_runs()]
        assert (await end_of(served, run.run_id)).error.code == run_pb2.ERROR_REASON_RUN_CANCELLED
