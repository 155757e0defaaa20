"""Pausing and continuing when the store or the log fails, or the run ends, at that very moment."""

import asyncio

import pytest

from fabula.run.v1 import run_pb2
from service.backends.memory import MemoryEventLog
from service.errors import RunNotFound, RunStateConflict, ShuttingDown, StoreUnavailable
from service.runtime.run import PAUSED, RUNNING, SUCCEEDED, transition
from service.runtime.runner import Runner
from service.runtime.spec import new_record
from service.runtime.stores import RunQuery, RunRecord
from service.runtime.writer import RunWriter
from tests.harness import WITHIN
from tests.service.runtime.scripted import (
    CODEC,
    Gate,
    ScriptedLog,
    ScriptedStore,
    Work,
    complete,
    node,
    read_on,
    running,
    spec,
    turns,
    whole_run,
)


async def test_a_run_that_cant_be_stored_as_paused_goes_on() -> None:
    store, work = ScriptedStore(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        store.down = True
        with pytest.raises(StoreUnavailable):
            await runner.pause_run("house", subscription.run.run_id)
        store.down = False
        work.go.set()
        assert (await read_on(subscription))[-1].HasField("complete")


async def test_a_run_that_cant_be_stored_as_running_stays_paused() -> None:
    store, work = ScriptedStore(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        await runner.pause_run("house", run_id)
        store.down = True
        with pytest.raises(StoreUnavailable):
            await runner.continue_run("house", run_id)
        work.go.set()
        await turns()
        store.down = False
        assert (await runner.get_run("house", run_id)).state == PAUSED
        assert (await runner.continue_run("house", run_id)).state == RUNNING
        assert (await read_on(subscription))[-1].HasField("complete")


async def test_what_was_said_before_the_pause_is_committed_before_its_answer() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        log.gate.shut()
        subscription = await runner.start(spec(work))
        await log.gate.reached.wait()
        pausing = asyncio.create_task(runner.pause_run("house", subscription.run.run_id))
        await turns()
        assert not pausing.done()
        log.gate.open()
        assert (await pausing).last_sequence == 1
        subscription.close()


async def test_a_run_whose_events_cant_be_committed_is_not_paused_and_fails() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        log.refusals.append(StoreUnavailable("Down."))
        subscription = await runner.start(spec(work))
        await log.refused.wait()
        with pytest.raises(StoreUnavailable):
            await runner.pause_run("house", subscription.run.run_id)
        work.go.set()
        assert (await read_on(subscription))[-1].error.code == run_pb2.ERROR_REASON_STORE_UNAVAILABLE


async def test_a_run_that_is_cancelled_while_it_is_being_paused_ends_so() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        log.gate.shut()
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        await log.gate.reached.wait()
        pausing = asyncio.create_task(runner.pause_run("house", run_id))
        await turns()
        cancelling = asyncio.create_task(runner.cancel_run("house", run_id))
        await work.cancelled.wait()
        log.gate.open()
        with pytest.raises(RunStateConflict, match="CANCELLED"):
            await pausing
        assert (await cancelling).state == run_pb2.RUN_STATE_CANCELLED
        await read_on(subscription)
    await whole_run(log, run_id)


@pytest.mark.parametrize("call", ["pause_run", "continue_run"])
async def test_a_run_whose_job_has_just_ended_is_told_of_as_ended(call: str) -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        await turns()
        log.gate.shut()
        work.go.set()
        await log.gate.reached.wait()
        asking = asyncio.create_task(getattr(runner, call)("house", subscription.run.run_id))
        await turns()
        log.gate.open()
        with pytest.raises(RunStateConflict, match="SUCCEEDED"):
            await asking
        assert (await read_on(subscription))[-1].HasField("complete")


async def test_a_run_whose_end_cant_be_stored_is_neither_paused_nor_said_to_have_ended() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        await turns()
        log.down = True
        work.go.set()
        await log.refused.wait()
        with pytest.raises(StoreUnavailable):
            await runner.pause_run("house", subscription.run.run_id)
        log.down = False
        await read_on(subscription)


async def test_a_caller_who_leaves_meanwhile_leaves_a_run_that_is_paused() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        log.gate.shut()
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        await log.gate.reached.wait()
        leaving = asyncio.create_task(runner.pause_run("house", run_id))
        await turns()
        leaving.cancel()
        await asyncio.wait({leaving})
        log.gate.open()
        await turns()
        assert (await runner.get_run("house", run_id)).state == PAUSED
        subscription.close()


class ForgetfulStore(ScriptedStore):
    """While it is `forgetful` its `update_run` stores the run, and its answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.forgetful = False

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        made = await super().update_run(run, expected)
        if made and self.forgetful:
            raise StoreUnavailable("Its answer was lost.")
        return made


async def test_a_run_that_goes_on_though_stored_as_paused_is_stored_as_running_when_it_is_asked_to() -> None:
    store, work = ForgetfulStore(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        store.forgetful = True
        with pytest.raises(StoreUnavailable):
            await runner.pause_run("house", run_id)
        store.forgetful = False
        assert (await runner.get_run("house", run_id)).state == PAUSED
        for _ in range(2):
            assert (await runner.continue_run("house", run_id)).state == RUNNING
            assert (await runner.get_run("house", run_id)).state == RUNNING
        work.go.set()
        assert (await read_on(subscription))[-1].HasField("complete")


async def test_a_run_that_stays_paused_though_stored_as_running_is_stored_as_paused_when_it_is_asked_to() -> None:
    store, work = ForgetfulStore(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        await runner.pause_run("house", run_id)
        store.forgetful = True
        with pytest.raises(StoreUnavailable):
            await runner.continue_run("house", run_id)
        store.forgetful = False
        assert (await runner.get_run("house", run_id)).state == RUNNING
        assert (await runner.pause_run("house", run_id)).state == PAUSED
        assert (await runner.get_run("house", run_id)).state == PAUSED
        subscription.close()


async def pause_and_go_on_for_ever(runner: Runner, run_id: str) -> None:
    while True:
        await runner.pause_run("house", run_id)
        await runner.continue_run("house", run_id)


async def test_pausing_and_continuing_for_ever_cancels_the_run_once_its_pauses_took_too_long_together() -> None:
    async with running(pause_seconds=0.02) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(Work()))
        run_id = subscription.run.run_id
        with pytest.raises(RunStateConflict, match="CANCELLED"):
            await pause_and_go_on_for_ever(runner, run_id)
        assert "paused for longer than the 0.02 s" in (await read_on(subscription))[-1].error.message


class LateStore(ScriptedStore):
    """Its `create_run` has stored the run when it waits at `stored`."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = Gate()

    async def create_run(self, record: RunRecord) -> RunRecord:
        made = await super().create_run(record)
        await self.stored.enter()
        return made


async def test_a_run_that_is_stored_and_about_to_begin_is_paused_as_soon_as_it_has() -> None:
    store = LateStore()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        store.stored.shut()
        starting = asyncio.create_task(runner.start(spec(Work())))
        await store.stored.reached.wait()
        [run] = await runner.list_runs(RunQuery("house", 1))
        pausing = asyncio.create_task(runner.pause_run("house", run.run_id))
        await turns()
        store.stored.open()
        assert (await pausing).state == PAUSED
        (await starting).close()


class SlowStore(ScriptedStore):
    """Its `update_run` waits at `changes` before it stores a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = Gate()

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        if run.state == PAUSED:
            await self.changes.enter()
        return await super().update_run(run, expected)


async def test_a_run_that_is_cancelled_while_its_pause_is_stored_stops_at_once_and_is_stored_as_cancelled() -> None:
    store, work = SlowStore(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        store.changes.shut()
        pausing = asyncio.create_task(runner.pause_run("house", run_id))
        await store.changes.reached.wait()
        cancelling = asyncio.create_task(runner.cancel_run("house", run_id))
        await work.cancelled.wait()
        store.changes.open()
        with pytest.raises(RunStateConflict, match="CANCELLED"):
            await pausing
        assert (await cancelling).state == run_pb2.RUN_STATE_CANCELLED
        await read_on(subscription)


async def test_a_foreign_run_is_a_missing_one() -> None:
    async with running() as runner:
        subscription = await runner.start(spec(Work()))
        for call in (runner.pause_run, runner.continue_run):
            with pytest.raises(RunNotFound):
                await call("neighbours", subscription.run.run_id)
        subscription.close()


async def test_a_service_that_is_stopping_pauses_nothing() -> None:
    work = Work()
    async with running() as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        draining = asyncio.create_task(runner.drain(WITHIN))
        await turns()
        with pytest.raises(ShuttingDown):
            await runner.pause_run("house", subscription.run.run_id)
        work.go.set()
        assert (await read_on(subscription))[-1].HasField("complete")
        await draining


class SlowReads(ScriptedStore):
    """Its `get_run` waits at `reads`."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = Gate()

    async def get_run(self, run_id: str) -> RunRecord | None:
        await self.reads.enter()
        return await super().get_run(run_id)


async def test_a_service_that_stops_while_it_looks_up_the_run_does_not_pause_it() -> None:
    store, work = SlowReads(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        store.reads.shut()
        pausing = asyncio.create_task(runner.pause_run("house", subscription.run.run_id))
        await store.reads.reached.wait()
        draining = asyncio.create_task(runner.drain(WITHIN))
        await turns()
        store.reads.open()
        with pytest.raises(ShuttingDown):
            await pausing
        work.go.set()
        assert (await read_on(subscription))[-1].HasField("complete")
        await draining


async def test_a_run_that_went_on_to_its_end_though_stored_as_paused_has_succeeded() -> None:
    # As a store leaves it whose answer was lost, and then the process.
    log, store = MemoryEventLog(), ScriptedStore()
    record = new_record(spec(Work()))
    await store.create_run(record)
    await store.update_run(transition(record.run, PAUSED), RUNNING)
    writer = RunWriter(log, record.run.run_id, CODEC.encoder(record.run.run_id))
    await writer.emit(node("one"))
    await writer.finish(complete())
    async with running(log, store) as runner:
        assert (await runner.get_run("house", record.run.run_id)).state == SUCCEEDED
