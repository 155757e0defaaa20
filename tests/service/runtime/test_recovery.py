"""Entering a runner ends the runs that a crash left open: each once, with what its log holds."""

import asyncio

import pytest
from structlog.testing import capture_logs

from fabula.run.v1 import run_pb2
from service.errors import CursorOutOfRange, NotImplementedYet, StoreUnavailable
from service.runtime.spec import new_record
from service.runtime.stores import RunRecord
from service.runtime.writer import RunWriter
from tests.harness import WITHIN
from tests.service.runtime.scripted import (
    CODEC,
    ScriptedLog,
    ScriptedStore,
    complete,
    content,
    node,
    read_on,
    running,
    spec,
    telling,
    whole_run,
)


async def left_open(log: ScriptedLog, store: ScriptedStore, events: int, *, ended: bool = False) -> run_pb2.Run:
    """A run as a crash leaves it: stored as running, with some events, maybe even the terminal one."""
    record = new_record(spec(telling()))
    await store.create_run(record)
    writer = RunWriter(log, record.run.run_id, CODEC.encoder(record.run.run_id))
    for number in range(events):
        await writer.emit(content(f"Sentence {number}.", number + 1), 20)
    await writer.flush()
    if ended:
        await writer.finish(complete())
    return record.run


@pytest.mark.parametrize("events", [0, 1, 300])
async def test_a_run_that_was_under_way_ends_interrupted_after_what_it_said(events: int) -> None:
    log, store = ScriptedLog(), ScriptedStore()
    run = await left_open(log, store, events)
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        kept = await read_on(await runner.watch("house", run.run_id, 0))
        stored = await runner.get_run("house", run.run_id)
    assert kept == await whole_run(log, run.run_id)
    assert len(kept) == events + 1
    assert kept[-1].error.code == run_pb2.ERROR_REASON_RUN_INTERRUPTED
    assert kept[-1].error.partial_text_id == (run.run_id if events else "")
    assert kept[-1].progress_percent == (20 if events else 0)
    assert stored.state == run_pb2.RUN_STATE_FAILED
    assert stored.error == kept[-1].error


async def test_a_run_whose_log_has_its_end_keeps_it() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    run = await left_open(log, store, 3, ended=True)
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        stored = await runner.get_run("house", run.run_id)
    assert stored.state == run_pb2.RUN_STATE_SUCCEEDED
    assert not stored.HasField("error")
    assert (await whole_run(log, run.run_id))[-1].complete == complete()


async def test_entering_again_changes_nothing() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    run = await left_open(log, store, 1)
    async with running(log, store) as runner:
        first = await runner.get_run("house", run.run_id)
    async with running(log, store) as runner:
        assert await runner.get_run("house", run.run_id) == first
    assert len(await whole_run(log, run.run_id)) == 2


async def test_a_recovery_that_the_store_broke_off_is_done_at_the_next_start() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    run = await left_open(log, store, 1)
    store.down = True
    with pytest.raises(StoreUnavailable):
        async with running(log, store):
            pass
    store.down = False
    async with running(log, store) as runner:
        assert (await runner.get_run("house", run.run_id)).state == run_pb2.RUN_STATE_FAILED
    assert len(await whole_run(log, run.run_id)) == 2


async def test_a_run_of_a_workflow_that_is_not_known_is_left_as_it_is() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    record = new_record(spec(telling()))
    record.run.workflow = "travel"
    await store.create_run(RunRecord(record.run, "house", b""))
    with capture_logs() as logs:
        async with running(log, store) as runner:
            assert (await runner.get_run("house", record.run.run_id)).state == run_pb2.RUN_STATE_RUNNING
            with pytest.raises(NotImplementedYet):
                await runner.cancel_run("house", record.run.run_id)
    [warning] = [line for line in logs if line["event"] == "run_left_open"]
    assert (warning["run_id"], warning["workflow"]) == (record.run.run_id, "travel")


async def test_a_run_that_is_open_and_not_under_way_can_be_cancelled() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        run = await left_open(log, store, 2)
        watching = asyncio.create_task(read_on(await runner.watch("house", run.run_id, 0)))
        cancelled = await runner.cancel_run("house", run.run_id)
        assert cancelled.state == run_pb2.RUN_STATE_CANCELLED
        assert await watching == await whole_run(log, run.run_id)


async def test_a_run_that_ended_in_a_log_that_is_gone_cant_be_watched() -> None:
    store, asked = ScriptedStore(), spec(telling(), request_id="once")
    async with running(ScriptedLog(), store) as runner:
        subscription = await runner.start(asked)
        await read_on(subscription)
    async with running(ScriptedLog(), store) as runner, asyncio.timeout(WITHIN):
        with pytest.raises(CursorOutOfRange):
            await runner.watch("house", subscription.run.run_id, 0)
        with pytest.raises(CursorOutOfRange):
            await runner.start(asked)
        assert (await runner.get_run("house", subscription.run.run_id)).state == run_pb2.RUN_STATE_SUCCEEDED


async def test_a_recovered_run_is_attached_to_by_its_request_id() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    asked = spec(telling(node("never run")), request_id="once")
    record = new_record(asked)
    await store.create_run(record)
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(asked)
        assert subscription.run.run_id == record.run.run_id
        [end] = await read_on(subscription)
    assert end.error.code == run_pb2.ERROR_REASON_RUN_INTERRUPTED
