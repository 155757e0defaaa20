"""Runs start once, within the limits, go on while somebody watches, and end when the process does."""

import asyncio

import pytest

from fabula.run.v1 import run_pb2
from service.errors import RequestIdReused, ShuttingDown, StoreUnavailable, TooManyRuns, TooManyStreams
from service.runtime.runner import Runner
from service.runtime.stores import RunQuery
from tests.harness import WITHIN
from tests.service.runtime.scripted import (
    ScriptedLog,
    ScriptedStore,
    Work,
    committed,
    complete,
    read_on,
    running,
    spec,
    telling,
    turns,
    whole_run,
)


async def all_runs(runner: Runner) -> list[run_pb2.Run]:
    return list(await runner.list_runs(RunQuery("house", 1_000)))


async def test_racing_starts_with_one_request_id_are_one_run() -> None:
    work = Work()
    async with running(max_runs=1) as runner, asyncio.timeout(WITHIN):
        starts = [runner.start(spec(work, request_id="once")) for _ in range(20)]
        subscriptions = await asyncio.gather(*starts)
        assert len({each.run.run_id for each in subscriptions}) == len(await all_runs(runner)) == 1
        work.go.set()
        streams = [await read_on(each) for each in subscriptions]
        assert all(events == streams[0] for events in streams)
    assert work.runs == 1


async def test_a_run_says_what_it_was_written_with() -> None:
    async with running() as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(telling(), prompt_version="2"))
        await read_on(subscription)
        run = await runner.get_run("house", subscription.run.run_id)
    assert (run.model, run.prompt_version) == ("scripted", "2")


async def test_a_request_id_is_its_principals_own() -> None:
    async with running() as runner, asyncio.timeout(WITHIN):
        first = await runner.start(spec(telling(), request_id="once"))
        second = await runner.start(spec(telling(), request_id="once", principal="other"))
        assert first.run.run_id != second.run.run_id
        await read_on(first)
        await read_on(second)


async def test_a_request_id_with_another_fingerprint_is_refused_and_gives_its_stream_back() -> None:
    async with running(max_streams=1) as runner, asyncio.timeout(WITHIN):
        await read_on(await runner.start(spec(telling(), request_id="once")))
        with pytest.raises(RequestIdReused):
            await runner.start(spec(telling(), request_id="once", fingerprint=b"other"))
        await read_on(await runner.start(spec(telling(), request_id="once")))


async def test_no_more_runs_are_started_than_the_limit_but_their_callers_may_attach() -> None:
    work = Work()
    async with running(max_runs=1, max_streams=3) as runner, asyncio.timeout(WITHIN):
        first = await runner.start(spec(work, request_id="once"))
        for request_id in ("", "other"):
            with pytest.raises(TooManyRuns):
                await runner.start(spec(telling(), request_id=request_id))
        attached = await runner.start(spec(work, request_id="once"))
        work.go.set()
        assert await read_on(first) == await read_on(attached)
        await read_on(await runner.start(spec(telling())))


async def test_a_repeated_call_finds_its_run_however_full_the_service_is() -> None:
    async with running(max_runs=1) as runner, asyncio.timeout(WITHIN):
        told = await read_on(await runner.start(spec(telling(), request_id="once")))
        async with await runner.start(spec(Work())):
            assert await read_on(await runner.start(spec(telling(), request_id="once"))) == told
            with pytest.raises(TooManyRuns):
                await runner.start(spec(telling(), request_id="twice"))


async def test_whoever_has_seen_the_end_finds_room_for_the_next_run() -> None:
    async with running(max_runs=1, max_streams=1) as runner, asyncio.timeout(WITHIN):
        for _ in range(50):
            subscription = await runner.start(spec(telling()))
            await read_on(subscription)
            assert (await runner.get_run("house", subscription.run.run_id)).state == run_pb2.RUN_STATE_SUCCEEDED


async def test_racing_starts_never_pass_the_limit() -> None:
    store, work = ScriptedStore(), Work()
    store.gate.shut()
    async with running(store=store, max_runs=3) as runner, asyncio.timeout(WITHIN):
        starts = [asyncio.create_task(runner.start(spec(work))) for _ in range(10)]
        await store.gate.reached.wait()
        await turns()
        store.gate.open()
        results = await asyncio.gather(*starts, return_exceptions=True)
        assert sum(isinstance(result, TooManyRuns) for result in results) == 7
        assert len(runner.active_runs) == 3


async def test_a_store_that_is_down_refuses_the_start_and_takes_no_stream_and_no_room() -> None:
    store = ScriptedStore()
    async with running(store=store, max_streams=1, max_runs=1) as runner, asyncio.timeout(WITHIN):
        store.down = True
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await runner.start(spec(telling()))
        store.down = False
        await read_on(await runner.start(spec(telling())))


async def test_a_start_whose_caller_leaves_gives_its_stream_back_and_is_cancelled_unwatched() -> None:
    log, store, work = ScriptedLog(), ScriptedStore(), Work()
    async with running(log, store, max_streams=1, linger_seconds=0) as runner, asyncio.timeout(WITHIN):
        store.gate.shut()
        starting = asyncio.create_task(runner.start(spec(work)))
        await store.gate.reached.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        with pytest.raises(TooManyStreams):
            await runner.start(spec(telling()))
        store.gate.open()
        await turns()
        [run] = await all_runs(runner)
        [*_, end] = await read_on(await runner.watch("house", run.run_id, 0))
    assert end.error.code == run_pb2.ERROR_REASON_RUN_CANCELLED


async def test_a_start_that_fails_after_its_caller_left_gives_its_stream_back() -> None:
    store = ScriptedStore()
    async with running(store=store, max_streams=1) as runner, asyncio.timeout(WITHIN):
        store.gate.shut()
        starting = asyncio.create_task(runner.start(spec(telling())))
        await store.gate.reached.wait()
        starting.cancel()
        store.down = True
        store.gate.open()
        await asyncio.wait({starting})
        await turns()
        store.down = False
        await read_on(await runner.start(spec(telling())))


async def test_a_start_that_is_cancelled_at_any_moment_keeps_no_stream() -> None:
    async with running(max_streams=1, linger_seconds=0) as runner, asyncio.timeout(WITHIN):
        for pause in range(12):
            starting = asyncio.create_task(runner.start(spec(Work())))
            for _ in range(pause):
                await asyncio.sleep(0)
            starting.cancel()
            await asyncio.wait({starting})
            if not starting.cancelled():
                starting.result().close()
            await turns()
        await read_on(await runner.start(spec(telling())))


async def test_streams_are_bounded_for_watchers_too() -> None:
    work = Work()
    async with running(max_streams=2) as runner, asyncio.timeout(WITHIN):
        first = await runner.start(spec(work))
        second = await runner.watch("house", first.run.run_id, 0)
        for refused in (runner.watch("house", first.run.run_id, 0), runner.start(spec(work))):
            with pytest.raises(TooManyStreams):
                await refused
        second.close()
        (await runner.watch("house", first.run.run_id, 0)).close()
        first.close()


async def test_a_run_goes_on_while_one_watcher_is_left_and_ends_with_the_last() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log, linger_seconds=0) as runner, asyncio.timeout(WITHIN):
        first = await runner.start(spec(work))
        second = await runner.watch("house", first.run.run_id, 0)
        await work.begun.wait()
        first.close()
        await turns()
        assert not work.cancelled.is_set()
        second.close()
        await work.cancelled.wait()
        await runner.active_runs[first.run.run_id].ended.wait()
    assert (await whole_run(log, first.run.run_id))[-1].error.code == run_pb2.ERROR_REASON_RUN_CANCELLED


async def test_a_run_lingers_and_is_then_cancelled() -> None:
    work = Work()
    async with running(linger_seconds=0.02) as runner, asyncio.timeout(WITHIN):
        (await runner.start(spec(work))).close()
        await work.cancelled.wait()


async def test_a_watcher_who_comes_back_disarms_the_timer() -> None:
    work = Work()
    async with running(linger_seconds=0.2) as runner, asyncio.timeout(WITHIN):
        first = await runner.start(spec(work))
        first.close()
        back = await runner.watch("house", first.run.run_id, 0)
        async for batch in back.batches(0.4):
            if not batch:
                assert not work.cancelled.is_set()
                work.go.set()
        back.close()
        assert back.terminal is not None
        assert not work.cancelled.is_set()


async def test_a_run_that_asked_for_it_does_not_linger() -> None:
    work = Work()
    async with running(linger_seconds=3_600) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work, cancel_on_disconnect=True))
        await work.begun.wait()
        subscription.close()
        await work.cancelled.wait()


async def test_draining_gives_runs_their_grace_and_takes_no_new_ones() -> None:
    work = Work()
    async with running() as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        draining = asyncio.create_task(runner.drain(3_600))
        await turns()
        with pytest.raises(ShuttingDown):
            await runner.start(spec(telling()))
        assert not work.cancelled.is_set()
        work.go.set()
        await draining
        assert (await read_on(subscription))[-1].complete == complete()


async def test_what_outlasts_the_grace_is_interrupted_and_its_readers_are_told() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        reading = asyncio.create_task(read_on(subscription))
        await work.begun.wait()
        await runner.drain(0.02)
        assert (await reading)[-1].error.code == run_pb2.ERROR_REASON_RUN_INTERRUPTED
        run = await runner.get_run("house", subscription.run.run_id)
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert run.error.retryable


@pytest.mark.parametrize("grace", [0.0, 0.02])
async def test_a_start_that_is_under_way_when_the_process_stops_has_its_end_too(grace: float) -> None:
    log, store, work = ScriptedLog(), ScriptedStore(), Work()
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        store.gate.shut()
        starting = asyncio.create_task(runner.start(spec(work)))
        await store.gate.reached.wait()
        draining = asyncio.create_task(runner.drain(grace))
        await turns()
        store.gate.open()
        [*_, end] = await read_on(await starting)
        await draining
        assert end.error.code == run_pb2.ERROR_REASON_RUN_INTERRUPTED
        assert (await all_runs(runner))[0].state == run_pb2.RUN_STATE_FAILED


async def test_a_start_that_is_under_way_when_the_grace_begins_has_the_grace_too() -> None:
    store, work = ScriptedStore(), Work()
    async with running(store=store) as runner, asyncio.timeout(WITHIN):
        store.gate.shut()
        starting = asyncio.create_task(runner.start(spec(work)))
        await store.gate.reached.wait()
        draining = asyncio.create_task(runner.drain(3_600))
        await turns()
        store.gate.open()
        subscription = await starting
        await work.begun.wait()
        work.go.set()
        assert (await read_on(subscription))[-1].HasField("complete")
        await draining


async def test_draining_with_a_store_that_stays_down_does_not_wait_for_ever() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log, settle_seconds=0.05) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        log.down = True
        await runner.drain(0)
        assert not runner.active_runs
        subscription.close()
    log.down = False
    assert len(await committed(log, subscription.run.run_id)) == 1
