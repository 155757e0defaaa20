"""What the writer thread promises: groups, failures that stay alone, and recovery."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from service.backends.source import Options
from service.backends.sqlite.database import Database, Limits, open_database
from service.backends.sqlite.log import SqliteEventLog
from service.errors import StoreUnavailable
from service.runtime.ports import Batch, LogConflictError
from tests.service.backends.blocked import blocked_writer
from tests.service.backends.samples import everything, extend

_AT_ONCE = Options(commit_interval_seconds=0)
_LIMITS = Limits(busy_timeout_seconds=0.05, queued_writes=100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fabula.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with open_database(path, _AT_ONCE, _LIMITS) as opened:
        yield opened


@pytest.fixture
def log(database: Database) -> SqliteEventLog:
    return SqliteEventLog(database)


async def test_what_is_queued_together_is_committed_together(database: Database, log: SqliteEventLog) -> None:
    before = database.commits
    async with asyncio.TaskGroup() as group, blocked_writer(database):
        for n in range(80):
            group.create_task(log.append(f"run{n}", Batch(0, [b"a"])))
        await asyncio.sleep(0)

    assert database.commits == before + 2, "one commit for the job that blocked, one for the eighty"


async def test_an_idle_writer_commits_at_once_and_a_busy_one_waits_for_others(path: Path) -> None:
    async with open_database(path, Options(commit_interval_seconds=3600)) as database:
        log = SqliteEventLog(database)
        await log.append("first", Batch(0, [b"a"]))
        async with asyncio.TaskGroup() as group:
            for n in range(10):
                group.create_task(log.append(f"run{n}", Batch(0, [b"a"])))
            await asyncio.sleep(0)
            assert database.commits == 1
            group.create_task(database.close())
        assert database.commits == 2


async def test_a_write_that_fails_leaves_its_group_alone(database: Database, log: SqliteEventLog) -> None:
    def fault(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM events")
        raise ZeroDivisionError

    await log.append("run", Batch(0, [b"a"]))
    async with blocked_writer(database):
        writes = [
            asyncio.create_task(write)
            for write in (
                log.append("run", Batch(1, [b"b"])),
                log.append("run", Batch(1, [b"conflict"])),
                database.write(fault),
                database.write(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)")),
                log.append("run", Batch(2, [b"c"])),
            )
        ]
        await asyncio.sleep(0)

    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [
        type(None), LogConflictError, ZeroDivisionError, StoreUnavailable, type(None),
    ]  # fmt: skip
    assert [event.payload for event in await everything(log, "run")] == [b"a", b"b", b"c"]


async def test_an_error_of_the_database_tells_its_caller_nothing_of_it(database: Database) -> None:
    with pytest.raises(StoreUnavailable) as writing:
        await database.write(lambda connection: connection.execute("INSERT INTO nowhere VALUES ('secret')"))
    with pytest.raises(StoreUnavailable) as reading:
        await database.read(lambda connection: connection.execute("SELECT 'secret' FROM nowhere"))

    for error in (writing.value, reading.value):
        assert isinstance(error.__cause__, sqlite3.Error)
        assert not {"nowhere", "secret", "INSERT", "SELECT"} & set(error.message.replace("'", " ").split())


async def test_work_that_runs_alone_has_its_place_among_the_others_and_no_transaction(path: Path) -> None:
    order: list[tuple[str, bool]] = []

    def note(name: str) -> Callable[[sqlite3.Connection], None]:
        return lambda connection: order.append((name, connection.in_transaction))

    async with open_database(path, _AT_ONCE, _LIMITS) as database:
        writer = database._writer
        async with asyncio.TaskGroup() as group, blocked_writer(database):
            for name in "abcdef":
                alone = name in "cd"
                work = note(name)
                group.create_task(writer.write_alone(work) if alone else writer.write(work, None))
            await asyncio.sleep(0)
        assert database.commits == 3, "the job that blocked, those before, and those after"

    assert order == [(name, name not in "cd") for name in "abcdef"]


async def test_work_that_runs_alone_and_fails_costs_only_its_own_caller(
    database: Database, log: SqliteEventLog
) -> None:
    async with blocked_writer(database):
        sound = asyncio.create_task(log.append("run", Batch(0, [b"a"])))
        failing = asyncio.create_task(database._writer.write_alone(lambda connection: connection.execute("nonsense")))
        later = asyncio.create_task(log.append("run", Batch(1, [b"b"])))
        await asyncio.sleep(0)

    with pytest.raises(StoreUnavailable):
        await failing
    await asyncio.gather(sound, later)
    assert len(await everything(log, "run")) == 2


async def test_a_full_queue_refuses_at_once(database: Database, log: SqliteEventLog) -> None:
    async with blocked_writer(database):
        waiting = [asyncio.create_task(log.append(f"run{n}", Batch(0, [b"a"]))) for n in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await log.append("one too many", Batch(0, [b"a"]))

    await asyncio.gather(*waiting)
    assert await extend(log, "one too many", b"a") == 1


async def test_a_cancelled_write_still_happens_and_wakes_its_readers(database: Database, log: SqliteEventLog) -> None:
    following = asyncio.create_task(log.wait("run", 0))
    async with blocked_writer(database):
        writing = asyncio.create_task(log.append("run", Batch(0, [b"a"])))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    await following
    assert [event.payload for event in await everything(log, "run")] == [b"a"]


async def test_the_writer_works_again_after_another_program_held_the_lock(path: Path, log: SqliteEventLog) -> None:
    await log.append("run", Batch(0, [b"a"]))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await log.append("run", Batch(1, [b"b"]))
        assert [event.payload for event in await everything(log, "run")] == [b"a"]
        other.execute("ROLLBACK")

    assert await extend(log, "run", b"b") == 2
    assert [event.payload for event in await everything(log, "run")] == [b"a", b"b"]


async def test_the_writer_works_again_after_the_disk_was_full(database: Database, log: SqliteEventLog) -> None:
    await log.append("run", Batch(0, [b"a"]))
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
    results = await asyncio.gather(
        *(log.append(f"run{n}", Batch(0, [b"x" * 100_000])) for n in range(5)), return_exceptions=True
    )
    assert [type(result) for result in results] == [StoreUnavailable] * 5
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())

    await log.append("run0", Batch(0, [b"x" * 100_000]))
    assert [event.payload for event in await everything(log, "run0")] == [b"x" * 100_000]


async def test_the_writer_opens_another_connection_when_its_own_is_gone(
    database: Database, log: SqliteEventLog
) -> None:
    await log.append("run", Batch(0, [b"a"]))
    with pytest.raises(StoreUnavailable):
        await database.write(lambda connection: connection.close())

    assert await extend(log, "run", b"b") == 2


async def test_a_committed_callback_that_fails_costs_only_its_own_caller(
    database: Database, log: SqliteEventLog
) -> None:
    def fault(_: object) -> None:
        raise ZeroDivisionError

    async with blocked_writer(database):
        faulty = asyncio.create_task(database.write(lambda _: None, fault))
        sound = asyncio.create_task(log.append("run", Batch(0, [b"a"])))
        await asyncio.sleep(0)

    await sound
    with pytest.raises(ZeroDivisionError):
        await faulty


async def test_a_cancelled_read_leaves_room_for_the_next(database: Database, log: SqliteEventLog) -> None:
    await log.append("run", Batch(0, [b"a"]))
    reading = [asyncio.create_task(database.read(lambda connection: connection.total_changes)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)

    rows = await database.read(lambda connection: connection.execute("SELECT count(*) FROM events").fetchone())
    assert rows == (1,)


async def test_readers_can_not_write(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        await database.read(lambda connection: connection.execute("DELETE FROM children"))


async def test_a_closed_database_says_so(path: Path) -> None:
    async with open_database(path, _AT_ONCE, _LIMITS) as database:
        log = SqliteEventLog(database)
    with pytest.raises(StoreUnavailable):
        await log.append("run", Batch(0, [b"a"]))
    with pytest.raises(StoreUnavailable):
        await log.read("run", 0, 1)


async def test_every_commit_is_synced_to_the_disk(database: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
    values = await database.write(
        lambda connection: [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    )

    assert values == ["wal", 2, 1, 1]
