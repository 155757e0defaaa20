"""After a scrub no byte of what was erased is in any file, while the database stays open and others write."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from fabula.child.v1 import child_pb2
from service.backends import Backends, open_backends
from service.backends.source import Options
from service.backends.sqlite.database import Database, Limits, open_database
from service.backends.sqlite.log import SqliteEventLog
from service.backends.sqlite.store import SqliteStore
from service.errors import StoreUnavailable
from service.runtime.ports import Batch, EventLog
from service.runtime.run import FAILED, RUNNING, SUCCEEDED
from service.runtime.stores import Artifact, Erasure, Store, Subject
from tests.service.backends.samples import bytes_on_disk, child_record, everything, record, with_state

_CANARY = b"CANARY-the-dragon-ate-the-knight-"
_KEPT = b"kept-the-fox-went-home-"
_IMPATIENT = Limits(busy_timeout_seconds=0.1)


def _count(directory: Path, text: bytes) -> int:
    return bytes_on_disk(directory).count(text)


def _draw(text: bytes, draw: random.Random) -> bytes:
    return (text * 200)[: draw.choice([60, 100, 300, 900, 3_000, 6_000])]


@pytest.fixture(params=["one file", "two files"])
async def backends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backends]:
    names = ("fabula", "fabula") if request.param == "one file" else ("log", "store")
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in names]
    async with open_backends(*urls, commit_interval_seconds=0, fresh_children=()) as opened:
        yield opened


async def _tell(backends: Backends, run_id: str, child_id: str, text: bytes, seed: int) -> None:
    """A run with events of many sizes, rewritten now and then, and what it made, written twice."""
    draw = random.Random(seed)
    story_id = f"tale-{child_id}-{seed % 3}"
    run = record(run_id, child_id=child_id, story_id=story_id, request_id=f"{text.decode()}{run_id}").run
    await backends.store.create_run(record(run_id, child_id=child_id, story_id=story_id, request_id=run.request_id))
    for after in range(30):
        rewrites = {draw.randint(1, after): _draw(text, draw)} if after and draw.random() < 0.3 else {}
        await backends.log.append(run_id, Batch(after, [_draw(text, draw)], rewrites=rewrites))
    await backends.log.append(run_id, Batch(30, [text], terminal=True))
    for _ in range(2):
        await backends.store.keep(Artifact(run_id, story_id, True, seed, _draw(text, draw)))
    run.error.message = text.decode()
    await backends.store.update_run(with_state(run, SUCCEEDED), RUNNING)


async def _change_profile(store: Store, child_id: str, seed: int) -> None:
    draw = random.Random(seed)

    def change(child: child_pb2.Child) -> None:
        child.interests[:] = [_draw(_CANARY, draw).decode()]

    await store.update_child("house", child_id, change)


async def _erase(backends: Backends, erasure: Erasure) -> None:
    assert await backends.store.begin_erasure(erasure)
    runs = await backends.store.runs_to_erase(erasure)
    await backends.log.delete([found.run.run_id for found in runs])
    await backends.store.erase_runs(erasure)
    await backends.log.scrub()
    await backends.store.scrub()


async def _write_on(log: EventLog, run_id: str, enough: asyncio.Event) -> int:
    after = 0
    while not enough.is_set():
        await log.append(run_id, Batch(after, [_draw(_KEPT, random.Random(after))], rewrites={1: _KEPT}))
        after += 1
    return after


async def test_no_byte_of_what_was_erased_is_left_while_others_write(backends: Backends, tmp_path: Path) -> None:
    children = [f"child{n}" for n in range(4)]
    for child_id in children:
        await backends.store.create_child(child_record(child_id, interests=[_CANARY.decode()]))
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        writing = [group.create_task(_write_on(backends.log, f"live{n}", enough)) for n in range(3)]
        tellings = [
            group.create_task(_tell(backends, f"{child_id}-{seed}", child_id, _CANARY, seed))
            for child_id in children
            for seed in range(9)
        ]
        tellings += [group.create_task(_tell(backends, f"kept{n}", "another", _KEPT, n)) for n in range(9)]
        for seed in range(20):
            await _change_profile(backends.store, children[seed % 4], seed)
        await asyncio.gather(*tellings)
        assert _count(tmp_path, _CANARY) > 1_000, "the test would see what it looks for"

        await _erase(backends, Erasure("house", Subject.SERIES, "tale-child1-0"))
        await asyncio.gather(*(_erase(backends, Erasure("house", Subject.CHILD, each)) for each in children))

        assert _count(tmp_path, _CANARY) == 0
        enough.set()
    for number, task in enumerate(writing):
        events = await everything(backends.log, f"live{number}")
        assert [event.sequence for event in events] == list(range(1, task.result() + 1))
    assert len(await everything(backends.log, "kept3")) == 31
    assert len(await backends.store.artifacts("house", "tale-another-0")) == 3


async def test_the_write_ahead_log_is_empty_after_a_scrub(tmp_path: Path) -> None:
    async with open_database(tmp_path / "fabula.db", Options(0)) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [_CANARY * 1_000]))
        await log.delete(["run"])
        await log.scrub()

        assert (tmp_path / "fabula.db-wal").stat().st_size == 0
        assert _count(tmp_path, _CANARY) == 0
        assert await log.read("run", 0, 10) == []


async def _rewritten_by_scrub(database: Database) -> int:
    """How often a scrub wrote the file anew."""
    before = await _times_rewritten(database)
    await database.scrub()
    return await _times_rewritten(database) - before


async def _times_rewritten(database: Database) -> int:
    """VACUUM counts itself, as it changes where the tables are."""
    row = await database.read(lambda connection: connection.execute("PRAGMA schema_version").fetchone())
    return int(row[0])


def _read_all(connection: sqlite3.Connection) -> object:
    return connection.execute("SELECT sum(length(payload)) FROM events").fetchone()


async def test_a_scrub_does_nothing_when_nothing_was_deleted_since_the_last(tmp_path: Path) -> None:
    async with open_database(tmp_path / "fabula.db", Options(0)) as database:
        log = SqliteEventLog(database)
        assert await _rewritten_by_scrub(database) == 1, "what a crash left is not known"
        await log.append("run", Batch(0, [b"a"]))
        assert await _rewritten_by_scrub(database) == 0
        await log.delete(["run"])
        assert await _rewritten_by_scrub(database) == 1
        store = SqliteStore(database)
        await store.begin_erasure(Erasure("house", Subject.CHILD, "1"))
        assert await _rewritten_by_scrub(database) == 1
        for run_id in "ab":
            await store.create_run(record(run_id))
        await store.keep(Artifact("a", "tale", True, 1, _CANARY))
        await store.update_run(with_state(record("b").run, FAILED), RUNNING)
        assert await _rewritten_by_scrub(database) == 0
        await store.update_run(with_state(record("a").run, FAILED), RUNNING)
        assert await _rewritten_by_scrub(database) == 1
        assert _count(tmp_path, _CANARY) == 0


async def test_scrubs_that_are_asked_for_together_are_one(tmp_path: Path) -> None:
    async with open_database(tmp_path / "fabula.db", Options(0)) as database:
        before = await _times_rewritten(database)
        await asyncio.gather(*(database.scrub() for _ in range(10)))
        assert await _times_rewritten(database) == before + 1


async def test_a_scrub_that_a_reader_of_another_program_blocks_fails_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    async with open_database(path, Options(0), _IMPATIENT) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [_CANARY]))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM events").fetchall()
            await log.delete(["run"])
            with pytest.raises(StoreUnavailable):
                await log.scrub()
            await log.append("other", Batch(0, [b"a"]))
            with pytest.raises(StoreUnavailable):
                await log.scrub()
        await log.scrub()
        assert _count(tmp_path, _CANARY) == 0


async def test_a_scrub_waits_for_a_reader_that_leaves_in_time(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    async with open_database(path, Options(0), Limits(busy_timeout_seconds=30)) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [_CANARY]))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM events").fetchall()
            await log.delete(["run"])
            scrubbing = asyncio.create_task(log.scrub())
            await asyncio.sleep(0)
            await log.append("live", Batch(0, [b"a"]))  # it comes after the file was written anew
            assert not scrubbing.done()
            other.execute("COMMIT")
            await scrubbing
        assert _count(tmp_path, _CANARY) == 0


async def test_readers_of_ours_do_not_block_a_scrub(tmp_path: Path) -> None:
    async with open_database(tmp_path / "fabula.db", Options(0), _IMPATIENT) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [b"x" * 100] * 2_000))
        enough = asyncio.Event()

        async def read() -> None:
            while not enough.is_set():
                await database.read(
                    lambda connection: connection.execute("SELECT sum(length(payload)) FROM events").fetchone()
                )

        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(read())
            for n in range(10):
                await log.delete([f"run{n}"])
                await log.scrub()
            enough.set()


async def test_a_deletion_that_a_crash_kept_from_its_scrub_is_scrubbed_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    async with open_database(path, Options(0)) as database:
        log = SqliteEventLog(database)
        for n in range(50):
            await log.append(f"run{n}", Batch(0, [_CANARY * (n % 7 + 1)] * 5))
        await log.delete([f"run{n}" for n in range(0, 50, 2)])
    async with open_database(path, Options(0)) as database:
        log = SqliteEventLog(database)
        await log.delete([f"run{n}" for n in range(1, 50, 2)])
    async with open_database(path, Options(0)) as database:
        await database.scrub()
        assert _count(tmp_path, _CANARY) == 0


async def test_a_failed_scrub_is_one_for_its_caller_alone(tmp_path: Path) -> None:
    async with open_database(tmp_path / "fabula.db", Options(0)) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [b"x" * 100_000]))
        await database.write(lambda connection: connection.execute("PRAGMA query_only = 1").fetchall())
        with pytest.raises(StoreUnavailable):
            await database.scrub()
        # The writer has taken another connection, as after every error.
        await log.append("run", Batch(1, [b"b"]))
        await database.scrub()
        assert len(await everything(log, "run")) == 2


async def test_a_closed_database_can_not_be_scrubbed(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(tmp_path / "fabula.db", Options(0)))
    with pytest.raises(StoreUnavailable):
        await database.scrub()
