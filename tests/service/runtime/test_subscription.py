"""A reader of one run: the same events live, resumed and replayed, and it counts as a watcher until it closes."""

import asyncio

import pytest

from service.errors import CursorOutOfRange, RunNotFound, StoreUnavailable, TooManyStreams
from service.runtime.eraser import Eraser
from service.runtime.spec import new_record
from service.runtime.subscription import READ_LIMIT
from service.runtime.writer import RunWriter
from tests.harness import WITHIN
from tests.service.runtime.scripted import (
    CODEC,
    ScriptedLog,
    ScriptedStore,
    Work,
    committed,
    node,
    read_on,
    running,
    spec,
    telling,
    turns,
    whole_run,
)


async def test_a_reader_gets_every_event_in_order_up_to_the_terminal_one() -> None:
    log = ScriptedLog()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        started = await runner.start(spec(telling(*(node(str(number)) for number in range(300)))))
        live = await read_on(started)
        assert live == await whole_run(log, started.run.run_id)
        replayed = await read_on(await runner.watch("house", started.run.run_id, 0))
        assert replayed == live
        rest = await read_on(await runner.watch("house", started.run.run_id, 200))
        assert rest == live[200:]


async def test_a_reader_holds_few_events_at_once() -> None:
    async with running() as runner, asyncio.timeout(WITHIN):
        started = await runner.start(spec(telling(*(node(str(number)) for number in range(500)))))
        await read_on(started)
        async with await runner.watch("house", started.run.run_id, 0) as subscription:
            sizes = [len(batch) async for batch in subscription.batches(WITHIN)]
    assert sizes == [READ_LIMIT] * 3 + [501 - 3 * READ_LIMIT]


async def test_an_idle_reader_hears_that_nothing_came() -> None:
    work = Work()
    async with running() as runner, asyncio.timeout(WITHIN), await runner.start(spec(work)) as subscription:
        kinds = []
        async for batch in subscription.batches(0.01):
            kinds.append(len(batch))
            if not batch:
                work.go.set()
    assert 0 in kinds
    assert sum(kinds) == 2


async def test_the_terminal_event_is_known_once_the_reader_is_past_it() -> None:
    work = Work()
    async with running() as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        assert subscription.terminal is None
        work.go.set()
        await read_on(subscription)
        assert subscription.terminal is not None
        assert CODEC.error(subscription.terminal.payload) is None
        again = await runner.watch("house", subscription.run.run_id, subscription.terminal.sequence)
        assert again.terminal == subscription.terminal
        assert await read_on(again) == []


async def test_closing_twice_is_harmless() -> None:
    work = Work()
    async with running(max_streams=1) as runner, asyncio.timeout(WITHIN):
        first = await runner.start(spec(work))
        run_id = first.run.run_id
        first.close()
        first.close()
        async with await runner.watch("house", run_id, 0):
            assert runner.active_runs[run_id].watchers == 1
            first.close()
            assert runner.active_runs[run_id].watchers == 1
            with pytest.raises(TooManyStreams):
                await runner.watch("house", run_id, 0)
        assert runner.active_runs[run_id].watchers == 0


async def test_a_watcher_that_is_cancelled_in_its_waiting_is_one_no_more() -> None:
    async with running() as runner, asyncio.timeout(WITHIN):
        work = Work()
        subscription = await runner.start(spec(work))
        reading = asyncio.create_task(read_on(subscription))
        await turns()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert runner.active_runs[subscription.run.run_id].watchers == 0


async def test_a_reader_is_told_that_the_end_cant_be_stored_now() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        reading = asyncio.create_task(read_on(subscription, 0.01))
        await work.begun.wait()
        log.down = True
        work.go.set()
        with pytest.raises(StoreUnavailable):
            await reading
        log.down = False
        events = await read_on(await runner.watch("house", run_id, 0), WITHIN)
        assert events == await whole_run(log, run_id)


@pytest.mark.parametrize("after", [3, 4, 1_000_000])
async def test_a_cursor_beyond_the_newest_event_is_refused_and_takes_no_stream(after: int) -> None:
    log = ScriptedLog()
    async with running(log, max_streams=1) as runner, asyncio.timeout(WITHIN):
        started = await runner.start(spec(telling(node("one"))))
        await read_on(started)
        assert len(await committed(log, started.run.run_id)) == 2
        with pytest.raises(CursorOutOfRange) as refused:
            await runner.watch("house", started.run.run_id, after)
        assert refused.value.metadata == {"oldest_sequence": "1", "last_sequence": "2"}
        assert len(await read_on(await runner.watch("house", started.run.run_id, 0))) == 2


async def test_a_run_of_somebody_else_is_answered_as_a_missing_one() -> None:
    async with running() as runner, asyncio.timeout(WITHIN):
        started = await runner.start(spec(telling()))
        await read_on(started)
        for principal, run_id in (("stranger", started.run.run_id), ("house", "nothing")):
            for question in (
                runner.watch(principal, run_id, 0),
                runner.get_run(principal, run_id),
                runner.cancel_run(principal, run_id),
            ):
                with pytest.raises(RunNotFound) as missing:
                    await question
                assert run_id not in missing.value.message


async def test_a_reader_of_a_run_that_is_erased_is_told_so() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    async with running(log, store) as runner, Eraser(log, store, runner, 0) as eraser, asyncio.timeout(WITHIN):
        started = await runner.start(spec(telling(*(node(str(number)) for number in range(300)))))
        await read_on(started)
        halfway, before = [await runner.watch("house", started.run.run_id, after) for after in (0, 100)]
        batches = halfway.batches(3_600)
        assert len(await anext(batches)) == READ_LIMIT
        await eraser.erase_story("house", "tale")
        with pytest.raises(RunNotFound):
            await anext(batches)
        with pytest.raises(RunNotFound):
            await read_on(before)


async def test_a_reader_that_waits_for_an_event_that_was_erased_is_woken() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    async with running(log, store) as runner, Eraser(log, store, runner, 0) as eraser, asyncio.timeout(WITHIN):
        # Open and not under way here: nobody will write it on.
        record = new_record(spec(telling()))
        await store.create_run(record)
        writer = RunWriter(log, record.run.run_id, CODEC.encoder(record.run.run_id))
        await writer.emit(node("one"))
        await writer.flush()
        reading = asyncio.create_task(read_on(await runner.watch("house", record.run.run_id, 1)))
        await turns()
        assert not reading.done()
        await eraser.erase_story("house", "tale")
        with pytest.raises(RunNotFound):
            await reading
