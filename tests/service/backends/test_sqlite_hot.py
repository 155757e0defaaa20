"""What the log keeps in memory: enough for live readers, bounded, and never a gap or an uncommitted event."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.backends.entry import follow, number
from service.backends.source import Options
from service.backends.sqlite.database import Database, open_database
from service.backends.sqlite.hot import HotEvents, HotLimits
from service.backends.sqlite.log import SqliteEventLog
from service.runtime.ports import Batch, Event, LogConflictError, LogTail
from tests.service.backends.blocked import blocked_writer
from tests.service.backends.samples import everything, extend, payload

_LIMITS = HotLimits(events=4, payload_bytes=100, ended_runs=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "fabula.db", Options(commit_interval_seconds=0)) as opened:
        yield opened


def _commit(hot: HotEvents, run_id: str, batch: Batch) -> None:
    entry = number(batch)
    hot.extend(run_id, entry, follow(LogTail(min(batch.after, 1), batch.after), entry))


async def test_events_older_than_the_bound_are_read_from_the_database(database: Database) -> None:
    log = SqliteEventLog(database, _LIMITS)
    for _ in range(5):
        tail = await extend(log, "run", *(payload("run", s) for s in (1, 2, 3)))

    assert tail == 15
    expected = [payload("run", s) for s in (1, 2, 3)] * 5
    for after in range(16):
        for limit in (1, 3, 20):
            found = await log.read("run", after, limit)
            assert [event.payload for event in found] == expected[after : after + limit]
            assert [event.sequence for event in found] == list(range(after + 1, after + len(found) + 1))


async def test_an_event_is_nowhere_before_its_commit(database: Database) -> None:
    log = SqliteEventLog(database)
    await log.append("run", Batch(0, [b"a"]))
    async with blocked_writer(database):
        writing = asyncio.create_task(log.append("run", Batch(1, [b"b"], rewrites={1: b"A"})))
        await asyncio.sleep(0)
        assert await log.read("run", 0, 10) == [Event(1, b"a")]
        assert await log.tails(["run"]) == {"run": LogTail(1, 1)}

    await writing
    assert await log.read("run", 0, 10) == [Event(1, b"A"), Event(2, b"b")]


async def test_a_log_opened_later_continues_what_it_does_not_remember(database: Database) -> None:
    await SqliteEventLog(database).append("run", Batch(0, [b"a", b"b"]))
    log = SqliteEventLog(database)
    await log.append("run", Batch(2, [b"c"], rewrites={1: b"A"}))

    assert [event.payload for event in await everything(log, "run")] == [b"A", b"b", b"c"]
    assert [event.payload for event in await log.read("run", 2, 9)] == [b"c"]


async def test_after_a_conflict_the_database_is_asked_again(database: Database) -> None:
    log, other = SqliteEventLog(database), SqliteEventLog(database)
    await log.append("run", Batch(0, [b"a"]))
    await other.append("run", Batch(1, [b"b"]))
    with pytest.raises(LogConflictError):
        await log.append("run", Batch(1, [b"c"]))

    assert [event.payload for event in await everything(log, "run")] == [b"a", b"b"]


async def test_a_live_reader_needs_no_disk(tmp_path: Path) -> None:
    async with open_database(tmp_path / "fabula.db", Options(commit_interval_seconds=0)) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [b"a"], terminal=True))
    # The database is closed: whatever is answered now comes from memory.
    await log.wait("run", 0)
    assert await log.read("run", 0, 10) == [Event(1, b"a", terminal=True)]
    assert await log.tails(["run"]) == {"run": LogTail(1, 1, terminal=True)}


def test_the_oldest_events_leave_when_there_are_too_many() -> None:
    hot = HotEvents(_LIMITS)
    for after in range(6):
        _commit(hot, "run", Batch(after, [b"x"]))

    assert hot.read("run", 1, 9) is None
    assert [event.sequence for event in hot.read("run", 2, 9) or ()] == [3, 4, 5, 6]


def test_the_oldest_events_leave_when_they_are_too_large() -> None:
    hot = HotEvents(_LIMITS)
    _commit(hot, "run", Batch(0, [b"x" * 60, b"x" * 60]))
    assert hot.read("run", 0, 9) is None
    assert [event.sequence for event in hot.read("run", 1, 9) or ()] == [2]

    _commit(hot, "run", Batch(2, [b"x" * 101]))
    assert hot.read("run", 2, 9) is None
    assert hot.read("run", 3, 9) == []
    assert hot.tail("run") == LogTail(1, 3)


def test_a_rewrite_that_shrinks_an_event_makes_room() -> None:
    hot = HotEvents(_LIMITS)
    _commit(hot, "run", Batch(0, [b"x" * 90]))
    _commit(hot, "run", Batch(1, [b"y" * 90], rewrites={1: b""}))

    assert hot.read("run", 0, 9) == [Event(1, b""), Event(2, b"y" * 90)]


def test_no_run_leaves_before_it_has_ended_however_many_there_are() -> None:
    hot = HotEvents(HotLimits())
    runs = [f"run{n}" for n in range(1_000)]
    for run_id in runs:
        _commit(hot, run_id, Batch(0, [b"x"]))
    assert all(hot.read(run_id, 0, 1) == [Event(1, b"x")] for run_id in runs)

    for run_id in runs[:-1]:
        _commit(hot, run_id, Batch(1, [b"y"], terminal=True))
    assert [run_id for run_id in runs if hot.tail(run_id)] == runs[-1 - HotLimits().ended_runs :]


def test_an_ended_run_leaves_when_others_have_ended() -> None:
    hot = HotEvents(_LIMITS)
    for run_id in "ab":
        _commit(hot, run_id, Batch(0, [b"x"], terminal=True))

    assert hot.tail("a") is None
    assert hot.read("b", 0, 1) == [Event(1, b"x", terminal=True)]
