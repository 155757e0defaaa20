"""The writer of one run: order, batches, a bound, and what a failed commit means."""

import asyncio

import pytest

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import StoreUnavailable
from service.runtime.ports import LogConflictError
from service.runtime.writer import MAX_PENDING, RunWriter, reopen
from tests.harness import WITHIN
from tests.service.runtime.scripted import (
    CODEC,
    DOWN,
    ScriptedLog,
    committed,
    complete,
    content,
    node,
    turns,
    whole_run,
)


def open_writer(log: ScriptedLog) -> RunWriter:
    return RunWriter(log, "run", CODEC.encoder("run"))


def names(events: list[story_pb2.StoryEvent]) -> list[str]:
    return [event.node_event.node for event in events]


async def test_events_are_committed_in_the_order_of_their_emission() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    assert writer.run_id == "run"
    for number in range(1_000):
        await writer.emit(node(str(number)))
    await writer.flush()
    assert names(await committed(log, "run")) == [str(number) for number in range(1_000)]
    assert writer.last_sequence == 1_000


async def test_what_is_emitted_while_a_commit_is_under_way_joins_the_next() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    log.gate.shut()
    await writer.emit(node("first"))
    await log.gate.reached.wait()
    for number in range(9):
        await writer.emit(node(str(number)))
    log.gate.open()
    await writer.flush()
    assert [len(batch.payloads) for batch in log.batches] == [1, 9]
    assert [batch.after for batch in log.batches] == [0, 1]


async def test_an_emit_waits_while_too_many_events_are_pending() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    log.gate.shut()
    await writer.emit(node("under way"))
    await log.gate.reached.wait()
    for number in range(MAX_PENDING - 1):
        await writer.emit(node(str(number)))
    waiting = asyncio.create_task(writer.emit(node("one more")))
    await turns()
    assert not waiting.done()
    log.gate.open()
    async with asyncio.timeout(WITHIN):
        await waiting
    assert len(await committed(log, "run")) == MAX_PENDING + 1


@pytest.mark.parametrize("error", [StoreUnavailable(DOWN), LogConflictError("somebody else")])
async def test_a_failed_commit_ends_the_writer_and_every_later_call_says_why(error: Exception) -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    await writer.emit(node("kept"))
    await writer.flush()
    log.refusals.append(error)
    await writer.emit(node("lost"))
    assert not writer.failed
    with pytest.raises(type(error)):
        await writer.flush()
    assert writer.failed
    for _ in range(2):
        with pytest.raises(type(error)):
            await writer.emit(node("later"))
    with pytest.raises(type(error)):
        await writer.finish(complete())
    assert names(await committed(log, "run")) == ["kept"]
    assert writer.last_sequence == 1


async def test_nothing_that_waited_behind_a_failed_commit_is_written() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    log.gate.shut()
    log.refusals.append(StoreUnavailable(DOWN))
    await writer.emit(node("refused"))
    await log.gate.reached.wait()
    await writer.emit(node("behind it"))
    log.gate.open()
    with pytest.raises(StoreUnavailable):
        await writer.flush()
    assert await committed(log, "run") == []


async def test_the_end_is_committed_after_everything_that_was_emitted() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    log.gate.shut()
    for number in range(5):
        await writer.emit(node(str(number)))
    finishing = asyncio.create_task(writer.finish(complete()))
    await log.gate.reached.wait()
    log.gate.open()
    payload = await finishing
    events = await whole_run(log, "run")
    assert names(events[:-1]) == [str(number) for number in range(5)]
    assert events[-1].SerializeToString() == payload
    assert [batch.terminal for batch in log.batches] == [False] * (len(log.batches) - 1) + [True]


async def test_nothing_is_emitted_after_the_end() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    await writer.finish(complete())
    with pytest.raises(RuntimeError):
        await writer.emit(node("late"))
    assert len(await whole_run(log, "run")) == 1


async def test_a_body_that_has_no_field_ends_the_writer_and_writes_nothing() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    await writer.emit(run_pb2.Run())
    with pytest.raises(TypeError):
        await writer.flush()
    assert writer.failed
    assert await committed(log, "run") == []


async def test_progress_never_falls_and_stays_within_its_bounds() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    for progress in (0, 30, 10, 0, 60, 300, 5, -7):
        await writer.emit(node("step"), progress)
    await writer.flush()
    assert [event.progress_percent for event in await committed(log, "run")] == [0, 30, 30, 30, 60, 100, 100, 100]


@pytest.mark.parametrize(("body", "progress"), [(complete(), 100), (run_pb2.RunError(), 40)])
async def test_success_alone_completes_the_progress(body: story_pb2.Complete | run_pb2.RunError, progress: int) -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    await writer.emit(node("step"), 40)
    await writer.finish(body)
    assert (await whole_run(log, "run"))[-1].progress_percent == progress


async def test_a_cancelled_emit_loses_no_event() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    log.gate.shut()
    await writer.emit(node("0"))
    await log.gate.reached.wait()
    emitting = asyncio.create_task(emit_many(writer, 1, MAX_PENDING + 1))
    await turns()
    emitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await emitting
    log.gate.open()
    await writer.flush()
    assert names(await committed(log, "run")) == [str(number) for number in range(MAX_PENDING + 1)]
    assert not writer.failed


async def emit_many(writer: RunWriter, start: int, stop: int) -> None:
    for number in range(start, stop):
        await writer.emit(node(str(number)))


async def test_a_retraction_blanks_the_text_that_it_withdraws_in_the_same_commit() -> None:
    log = ScriptedLog()
    writer = open_writer(log)
    await writer.emit(content("committed before"))
    await writer.flush()
    log.gate.shut()
    await writer.emit(node("under way"))
    await log.gate.reached.wait()
    await writer.emit(content("in the same batch"))
    await writer.emit(story_pb2.Retraction(from_segment=1, revision=2))
    log.gate.open()
    await writer.flush()
    events = await committed(log, "run")
    assert [event.content.withdrawn for event in events if event.HasField("content")] == [True, True]
    assert not any(event.content.chunk for event in events)
    assert sorted(log.batches[-1].rewrites) == [1, 3]


async def test_a_reopened_writer_goes_on_where_the_log_ends() -> None:
    log = ScriptedLog()
    first = open_writer(log)
    await first.emit(content("It was night."), 30)
    await emit_many(first, 0, 600)
    await first.flush()
    second, terminal = await reopen(log, CODEC, "run")
    assert terminal is None
    assert second.last_sequence == 601
    await second.emit(story_pb2.Retraction(from_segment=1, revision=2), 5)
    await second.finish(run_pb2.RunError())
    events = await whole_run(log, "run")
    assert events[0].content.withdrawn
    assert not events[0].content.chunk
    assert [event.progress_percent for event in events[-2:]] == [30, 30]
    assert not events[-1].error.partial_text_id


async def test_a_reopened_writer_names_the_text_that_stands() -> None:
    log = ScriptedLog()
    first = open_writer(log)
    await first.emit(content("It was night."))
    await first.flush()
    second, _ = await reopen(log, CODEC, "run")
    await second.finish(run_pb2.RunError())
    assert (await whole_run(log, "run"))[-1].error.partial_text_id == "run"


async def test_reopening_finds_the_end_of_a_run_that_has_one() -> None:
    log = ScriptedLog()
    payload = await open_writer(log).finish(complete())
    writer, terminal = await reopen(log, CODEC, "run")
    assert terminal == payload
    assert writer.last_sequence == 1


async def test_reopening_a_run_without_events_begins_at_one() -> None:
    log = ScriptedLog()
    writer, terminal = await reopen(log, CODEC, "run")
    assert (writer.last_sequence, terminal) == (0, None)
    await writer.finish(complete())
    assert len(await whole_run(log, "run")) == 1


async def test_two_writers_of_one_run_do_not_mix() -> None:
    log = ScriptedLog()
    first, second = open_writer(log), open_writer(log)
    await first.emit(node("first"))
    await first.flush()
    await second.emit(node("second"))
    with pytest.raises(LogConflictError):
        await second.flush()
    assert names(await committed(log, "run")) == ["first"]
