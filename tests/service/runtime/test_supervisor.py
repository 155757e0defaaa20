"""Whatever becomes of a job or of the store, its run has one terminal event, the last one, and its end state."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from structlog.testing import capture_logs

from fabula.run.v1 import run_pb2
from service.errors import ContentRejected, FabulaError, RunCancelled, StoreUnavailable
from service.runtime.ports import Emitter, Job, LogConflictError
from tests.harness import WITHIN
from tests.service.runtime.scripted import (
    CANARY,
    DOWN,
    ScriptedLog,
    ScriptedStore,
    Work,
    node,
    read_on,
    running,
    spec,
    telling,
    turns,
    whole_run,
)


async def run_to_its_end(job: Job, log: ScriptedLog | None = None, **limits: Any) -> run_pb2.Run:
    """Runs the job and checks that its run has one end; returns the run as it is stored."""
    log = log or ScriptedLog()
    async with running(log, **limits) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(job))
        run_id = subscription.run.run_id
        events = await read_on(subscription)
        await ended(runner.active_runs, run_id)
        run = await runner.get_run("house", run_id)
    assert events == await whole_run(log, run_id)
    assert events[-1].error == run.error
    assert run.last_sequence == len(events)
    return run


async def ended(active_runs: object, run_id: str) -> None:
    """The state is stored just after the terminal event."""
    assert isinstance(active_runs, dict)
    if run_id in active_runs:
        await active_runs[run_id].ended.wait()


async def test_a_job_that_returns_ends_its_run_well() -> None:
    run = await run_to_its_end(telling(node("one")))
    assert run.state == run_pb2.RUN_STATE_SUCCEEDED
    assert not run.HasField("error")
    assert run.HasField("end_time")


async def test_a_job_that_raises_an_error_of_ours_ends_with_it() -> None:
    run = await run_to_its_end(telling(node("one"), end=ContentRejected("Not fit.")))
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert run.error.code == run_pb2.ERROR_REASON_CONTENT_REJECTED
    assert run.error.message == "Not fit."


async def raising_below(emitter: Emitter) -> Message:
    await emitter.emit(node("one"))
    try:
        return dict[str, Message]()[CANARY]
    except KeyError as error:
        raise RuntimeError(CANARY) from error


async def returning_nonsense(emitter: Emitter) -> Message:
    await emitter.emit(node("one"))
    return run_pb2.Run(child_id=CANARY)


async def returning_nothing(emitter: Emitter) -> Message:
    return None  # type: ignore[return-value]  # a job with this fault is what the test is about


async def emitting_nonsense(emitter: Emitter) -> Message:
    await emitter.emit(run_pb2.Run(child_id=CANARY))
    return run_pb2.Heartbeat()


async def cancelling_itself(emitter: Emitter) -> Message:
    raise asyncio.CancelledError(CANARY)


@pytest.mark.parametrize(
    "job", [raising_below, returning_nonsense, returning_nothing, emitting_nonsense, cancelling_itself]
)
async def test_a_fault_in_a_job_ends_its_run_as_internal_and_its_text_goes_nowhere(job: Job) -> None:
    with capture_logs() as logs:
        run = await run_to_its_end(job)
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert run.error.code == run_pb2.ERROR_REASON_INTERNAL
    [fault] = [line for line in logs if line["event"] == "run_fault"]
    assert fault["run_id"] == run.run_id
    assert fault["log_level"] == "error"
    assert CANARY not in f"{run}{logs}"
    assert not any(word in str(run) for word in ("Error:", "Traceback", ".py", "RuntimeError"))


async def test_the_log_names_the_places_that_a_fault_passed() -> None:
    with capture_logs() as logs:
        await run_to_its_end(raising_below)
    [fault] = [line for line in logs if line["event"] == "run_fault"]
    assert fault["error"] == "RuntimeError"
    assert fault["places"][-1].endswith("raising_below")


async def test_a_run_that_takes_too_long_ends_with_its_deadline() -> None:
    work = Work()
    run = await run_to_its_end(work, run_seconds=0.05)
    assert run.error.code == run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED
    assert work.cancelled.is_set()


async def test_the_shorter_of_the_two_deadlines_counts() -> None:
    async with running(run_seconds=3_600) as runner, asyncio.timeout(WITHIN):
        deadline = asyncio.get_running_loop().time() + 0.05
        [*_, end] = await read_on(await runner.start(spec(Work(), deadline=deadline)))
    assert end.error.code == run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED


async def test_a_job_that_ignores_its_deadline_is_ended_without_it() -> None:
    work = Work(stubborn=True)
    run = await run_to_its_end(work, run_seconds=0.05, cancel_seconds=0.05)
    assert run.error.code == run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED
    work.go.set()


async def test_a_job_that_ignores_its_cancellation_is_ended_without_it() -> None:
    log, work = ScriptedLog(), Work(stubborn=True)
    async with running(log, run_seconds=3_600, cancel_seconds=0.05) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        run = await runner.cancel_run("house", subscription.run.run_id)
        assert work.cancelled.is_set()
        assert run.state == run_pb2.RUN_STATE_CANCELLED
        work.go.set()
        await turns()
        assert await read_on(subscription) == await whole_run(log, run.run_id)


async def test_the_first_cause_of_a_stop_is_the_one_that_is_told() -> None:
    work = Work(stubborn=True)
    async with running(cancel_seconds=0.05) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        active = runner.active_runs[subscription.run.run_id]
        active.stop(RunCancelled("first"))
        active.stop(RunCancelled("second"))
        [*_, end] = await read_on(subscription)
        work.go.set()
    assert end.error.message == "first"


async def test_a_job_that_is_done_when_it_is_cancelled_ends_well() -> None:
    work = Work()
    async with running() as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        work.go.set()
        await turns()
        run = await runner.cancel_run("house", subscription.run.run_id)
        subscription.close()
    assert run.state == run_pb2.RUN_STATE_SUCCEEDED


async def test_a_log_that_is_down_at_the_end_is_written_once_it_heals() -> None:
    log, work = ScriptedLog(), Work()
    with capture_logs() as lines:
        async with running(log) as runner, asyncio.timeout(WITHIN):
            subscription = await runner.start(spec(work))
            await work.begun.wait()
            log.refusals.extend(StoreUnavailable(DOWN) for _ in range(4))
            work.go.set()
            events = await read_on(subscription)
            assert not log.refusals
    assert [line["events"] for line in lines if line["event"] == "run_ended"] == [len(events)]
    assert events == await whole_run(log, subscription.run.run_id)
    assert events[-1].HasField("complete")


async def test_who_cancels_a_run_whose_end_cant_be_stored_is_told_so() -> None:
    log, work = ScriptedLog(), Work()
    async with running(log) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        await turns()
        log.down = True
        with pytest.raises(StoreUnavailable):
            await runner.cancel_run("house", subscription.run.run_id)
        log.down = False
        assert (await read_on(subscription))[-1].error.code == run_pb2.ERROR_REASON_RUN_CANCELLED
        assert (await runner.cancel_run("house", subscription.run.run_id)).state == run_pb2.RUN_STATE_CANCELLED


async def test_a_store_that_is_down_at_the_end_learns_of_it_once_it_heals() -> None:
    log, store, work = ScriptedLog(), ScriptedStore(), Work()
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        run_id = subscription.run.run_id
        store.down = True
        work.go.set()
        await read_on(subscription)
        await store.refused.wait()
        assert runner.active_runs[run_id].job.done()
        assert (await runner.get_run("house", run_id)).state == run_pb2.RUN_STATE_RUNNING
        store.down = False
        await runner.active_runs[run_id].ended.wait()
        assert (await runner.get_run("house", run_id)).state == run_pb2.RUN_STATE_SUCCEEDED
    assert len(await whole_run(log, run_id)) == 2


@pytest.mark.parametrize("error", [lambda: StoreUnavailable(DOWN), lambda: LogConflictError("somebody else")])
@pytest.mark.parametrize("commits_before", [0, 1, 2])
@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_whose_outcome_is_unknown_leaves_no_gap_and_no_second_end(
    error: Callable[[], Exception], commits_before: int, *, committed: bool
) -> None:
    log = ScriptedLog()

    async def work(emitter: Emitter) -> Message:
        for number in range(2):
            if number == commits_before:
                (log.lost_answers if committed else log.refusals).append(error())
            await emitter.emit(node(str(number)))
            await turns()
        if commits_before == 2:
            (log.lost_answers if committed else log.refusals).append(error())
        return await telling()(emitter)

    run = await run_to_its_end(work, log)
    if commits_before == 2:
        assert run.state == run_pb2.RUN_STATE_SUCCEEDED
    else:
        assert run.state == run_pb2.RUN_STATE_FAILED


@pytest.mark.parametrize("refusals", [1, 2])
async def test_a_run_whose_last_events_are_lost_does_not_end_well(refusals: int) -> None:
    log = ScriptedLog()

    async def work(emitter: Emitter) -> Message:
        await emitter.emit(node("committed"))
        await turns()
        log.refusals.extend(StoreUnavailable(DOWN) for _ in range(refusals))
        await emitter.emit(node("lost"))
        return await telling()(emitter)

    run = await run_to_its_end(work, log)
    assert run.error.code == run_pb2.ERROR_REASON_STORE_UNAVAILABLE
    assert run.error.retryable


async def test_a_job_that_may_not_write_any_more_learns_it() -> None:
    log, errors = ScriptedLog(), []

    async def work(emitter: Emitter) -> Message:
        log.refusals.append(StoreUnavailable(DOWN))
        await emitter.emit(node("lost"))
        await turns()
        try:
            await emitter.emit(node("later"))
        except FabulaError as error:
            errors.append(error)
            raise
        raise AssertionError

    run = await run_to_its_end(work, log)
    assert [type(error) for error in errors] == [StoreUnavailable]
    assert run.error.code == run_pb2.ERROR_REASON_STORE_UNAVAILABLE
