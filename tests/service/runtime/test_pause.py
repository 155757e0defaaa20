"""The gate and the clock of a pause."""

import asyncio
from contextlib import suppress

import pytest
from google.protobuf.message import Message

from service.errors import RunDeadlineExceeded
from service.runtime.pause import Pause, current_pause, pausable
from service.runtime.ports import Emitter
from tests.harness import WITHIN
from tests.service.runtime.scripted import Listener, complete, node, read_on, running, spec, turns

SHORT = 0.02


async def outlast(seconds: float) -> None:
    """Lets more time pass than this."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds * 2):
            await asyncio.Event().wait()


async def speaking(emitter: Emitter) -> Message:
    await emitter.emit(node("one"))
    current_pause().begin()
    await emitter.emit(node("two"))
    current_pause().begin()
    return complete()


async def test_a_job_neither_begins_nor_speaks_nor_ends_while_it_is_paused() -> None:
    pause, listener = Pause(), Listener()
    pause.begin()
    job = asyncio.create_task(pausable(speaking, pause)(listener))
    for said in ([], [node("one")], [node("one"), node("two")]):
        await turns()
        assert listener.heard == said
        assert not job.done()
        pause.end()
    assert await job == complete()


async def test_a_job_that_fails_in_a_pause_has_failed_when_it_goes_on() -> None:
    async def failing(_: Emitter) -> Message:
        current_pause().begin()
        raise LookupError

    pause = Pause()
    job = asyncio.create_task(pausable(failing, pause)(Listener()))
    await turns()
    assert not job.done()
    pause.end()
    with pytest.raises(LookupError):
        await job


async def test_a_job_that_is_cancelled_in_a_pause_ends_at_once() -> None:
    pause = Pause()
    job = asyncio.create_task(pausable(speaking, pause)(Listener()))
    await turns()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert pause.on


async def test_who_waits_does_not_miss_that_the_next_pause_began_at_once() -> None:
    pause = Pause()
    pause.begin()
    waiting = asyncio.create_task(pause.over())
    await turns()
    pause.end()
    pause.begin()
    await turns()
    assert not waiting.done()
    pause.end()
    await waiting


async def test_outside_of_a_run_there_is_no_pause() -> None:
    current_pause().begin()
    assert not current_pause().on


async def test_its_clock_stands_still() -> None:
    pause = Pause()
    pause.begin()
    paused_at = pause.time()
    await outlast(SHORT)
    assert pause.time() == paused_at
    pause.end()
    assert pause.time() - paused_at < asyncio.get_running_loop().time() - paused_at - SHORT


async def test_a_bound_does_not_lapse_in_a_pause_but_after_it() -> None:
    pause, survived = Pause(), False

    async def outlast_a_pause() -> None:
        nonlocal survived
        async with pause.timeout(SHORT):
            pause.begin()
            await outlast(SHORT)
            survived = True
            pause.end()
            await asyncio.Event().wait()

    async with asyncio.timeout(WITHIN):
        with pytest.raises(TimeoutError):
            await outlast_a_pause()
    assert survived


async def test_a_bound_that_begins_in_a_pause_begins_with_its_end() -> None:
    pause, survived = Pause(), False

    async def outlast_a_pause() -> None:
        nonlocal survived
        async with pause.timeout(SHORT):
            await outlast(SHORT)
            survived = True
            pause.end()
            await asyncio.Event().wait()

    pause.begin()
    async with asyncio.timeout(WITHIN):
        with pytest.raises(TimeoutError):
            await outlast_a_pause()
    assert survived


async def test_the_last_moment_of_a_bound_comes_in_a_pause_as_well() -> None:
    pause = Pause()
    pause.begin()
    with pytest.raises(TimeoutError):
        async with pause.timeout(WITHIN, asyncio.get_running_loop().time() + SHORT):
            await asyncio.Event().wait()


async def test_pauses_do_not_count_for_the_longest_run() -> None:
    survived = False

    async def work(_: Emitter) -> Message:
        nonlocal survived
        current_pause().begin()
        await outlast(SHORT)
        survived = True
        current_pause().end()
        await asyncio.Event().wait()
        raise AssertionError

    async with running(run_seconds=SHORT) as runner, asyncio.timeout(WITHIN):
        events = await read_on(await runner.start(spec(work)))
    assert survived
    assert events[-1].error.code == RunDeadlineExceeded.reason
