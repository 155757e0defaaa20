"""A paused run ends as any other: by a cancel, a deadline, a stop or a crash; and no pause lasts for ever."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from fabula import (
    FabulaClient,
    FabulaError,
    NotFound,
    RunCancelled,
    RunDeadlineExceeded,
    RunInterrupted,
    RunStateConflict,
)
from fabula.run.v1 import run_pb2
from tests.conftest import Serve
from tests.harness import QUICK, WITHIN, ServerProcess, collect, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.test_pausing import PAUSED, STALLED, telling
from tests.stories import TEXT, chapter


@pytest.mark.parametrize("reply", [STALLED, Reply(content=chapter(), stall_before_headers=True)])
async def test_a_paused_run_is_cancelled_as_any_other(serve: Serve, ollama: OllamaServer, reply: Reply) -> None:
    ollama.reply_with(reply)
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        assert (await served.client.cancel_run(run_id)).state == run_pb2.RUN_STATE_CANCELLED
        await ollama.wait_for_chats(0)
        events, error = await listening
        for again in (served.client.pause_run, served.client.continue_run):
            with pytest.raises(RunStateConflict, match="CANCELLED"):
                await again(run_id)
    assert isinstance(error, RunCancelled)
    assert ollama.chats_aborted == 1
    assert bool(events[-1].error.partial_text_id) == bool(standing(events))


async def test_a_pause_that_is_too_long_cancels_the_run_and_keeps_its_text(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=60))
    async with serve(pause_seconds=0.05) as served, telling(served, ollama) as (run_id, listening):
        with suppress(RunStateConflict):  # on a machine that took that long to store the pause
            assert (await served.client.pause_run(run_id)).state == PAUSED
        await ollama.wait_for_chats(0)
        events, error = await listening
    assert isinstance(error, RunCancelled)
    assert "paused for longer than the 0.05 s" in error.message
    assert events[-1].error.partial_text_id == run_id
    assert TEXT.startswith(standing(events))
    assert standing(events)


async def test_a_pause_that_nobody_watches_lapses_with_the_linger(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve(linger_seconds=0.05) as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        listening.cancel()
        await ollama.wait_for_chats(0)
        _, error = await outcome(served.client.watch(run_id))
    assert isinstance(error, RunCancelled)
    assert "watcher" in error.message


async def test_the_deadline_of_the_call_counts_on_in_a_pause(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve() as served, asyncio.timeout(WITHIN):
        stream = served.client.tell("night", timeout=0.5)
        listening = asyncio.create_task(outcome(stream))
        await ollama.wait_stalled(1)
        [run] = [run async for run in served.client.list_runs()]
        with suppress(RunStateConflict):  # on a machine that took half a second for this much
            await served.client.pause_run(run.run_id)
        await listening
        await ollama.wait_for_chats(0)
        _, error = await outcome(served.client.watch(run.run_id))
    assert isinstance(error, RunDeadlineExceeded)


async def test_erasing_a_child_ends_its_paused_run(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        await served.client.delete_child("1")
        assert ollama.open_chats == 0
        await listening
        with pytest.raises(NotFound):
            await served.client.continue_run(run_id)


async def test_a_service_that_stops_does_not_wait_for_what_is_paused(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        await served.app.runner.drain(WITHIN * 2)
        await ollama.wait_for_chats(0)
        _, error = await listening
    assert isinstance(error, RunInterrupted)


async def test_a_run_that_has_ended_can_neither_be_paused_nor_go_on(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        run_id = (await collect(served.client.tell("night")))[0].run_id
        for change in (served.client.pause_run, served.client.continue_run):
            with pytest.raises(RunStateConflict, match="SUCCEEDED"):
                await change(run_id)
            with pytest.raises(NotFound):
                await change("nothing")


async def test_kill_9_in_a_pause_ends_the_run_as_interrupted(tmp_path: Path, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    model = {"model": "ollama:llama3.2", "ollama_base_url": ollama.base_url}
    async with (
        asyncio.timeout(WITHIN),
        ServerProcess(tmp_path, environment=None, **model) as server,
        FabulaClient(server.address, retry=QUICK) as client,
    ):
        listening = asyncio.create_task(outcome(client.tell("night")))
        await ollama.wait_stalled(1)
        [run] = [run async for run in client.list_runs()]
        paused = await client.pause_run(run.run_id)
        await server.kill()
        await server.start()
        events, error = await listening
        again = await client.get_run(run.run_id)
    assert isinstance(error, RunInterrupted)
    assert again.state == run_pb2.RUN_STATE_FAILED
    assert len(events) == again.last_sequence == paused.last_sequence + 1


async def test_pause_continue_and_cancel_at_once_leave_one_end(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(STALLED)
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        client = served.client
        calls = [client.pause_run, client.continue_run, client.pause_run, client.cancel_run, client.continue_run]
        answers = await asyncio.gather(*(call(run_id) for call in calls), return_exceptions=True)
        assert {type(each) for each in answers if isinstance(each, BaseException)} <= {RunStateConflict}
        events, error = await listening
        assert (await client.get_run(run_id)).state == run_pb2.RUN_STATE_CANCELLED
    assert isinstance(error, FabulaError)
    assert [event.HasField("error") for event in events] == [False] * (len(events) - 1) + [True]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
