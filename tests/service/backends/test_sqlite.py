"""What SQLite's log and store promise beside the contract: durability, and withdrawn text that is gone."""

import asyncio
import random
import sys
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from service.backends import open_backends
from service.backends.source import Options
from service.backends.sqlite.database import open_database
from service.backends.sqlite.log import SqliteEventLog
from service.backends.sqlite.store import SqliteStore
from service.runtime.ports import Batch, Event, LogTail
from tests.service.backends.samples import (
    CHILDREN,
    bytes_on_disk,
    everything,
    extend,
    follow,
    open_files,
    payload,
    record,
)

_ROOT = Path(__file__).parents[3]
_CANARY = b"CANARY-the-dragon-ate-the-knight-"
_AT_ONCE = Options(commit_interval_seconds=0, fresh_children=CHILDREN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fabula.db"


async def test_everything_is_there_after_a_reopen(path: Path) -> None:
    async with open_database(path, _AT_ONCE) as database:
        log, store = SqliteEventLog(database), SqliteStore(database)
        await log.append("run", Batch(0, [b"a", b"b"], rewrites={1: b"A"}))
        await log.append("ended", Batch(0, [b"a"], terminal=True))
        await store.create_run(record("run", request_id="once"))

    async with open_database(path, _AT_ONCE) as database:
        log, store = SqliteEventLog(database), SqliteStore(database)
        assert await everything(log, "run") == [Event(1, b"A"), Event(2, b"b")]
        assert await log.tails(["run", "ended"]) == {"run": LogTail(1, 2), "ended": LogTail(1, 1, terminal=True)}
        assert await store.create_run(record("other", request_id="once")) == record("run", request_id="once")
        for each in CHILDREN:
            assert await store.get_child(each.principal, each.child.child_id) == each.child
        assert await extend(log, "run", b"c") == 3


async def _acknowledged_until_killed(path: Path, lines: int) -> dict[str, int]:
    """The last acknowledged sequence of each run of a process that was killed after it had printed some lines."""
    command = [sys.executable, "-m", "tests.service.backends.appender", str(path), "one", "two", "three"]
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    printed = [await process.stdout.readline() for _ in range(lines)]
    process.kill()
    printed += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    whole = [line.decode().split() for line in printed if line.endswith(b"\n")]
    return {run_id: int(sequence) for run_id, sequence in whole}


async def test_every_acknowledged_event_survives_a_kill(path: Path) -> None:
    for lines in (1, 40, 150, 333):
        acknowledged = await _acknowledged_until_killed(path, lines)
        async with open_database(path, _AT_ONCE) as database:
            log = SqliteEventLog(database)
            for run_id, last in acknowledged.items():
                events = await everything(log, run_id)
                assert len(events) >= last
                assert len(events) % 2 == 0, "a batch is there as a whole or not at all"
                assert events == [Event(s, payload(run_id, s)) for s in range(1, len(events) + 1)]


async def test_closing_commits_what_waits_for_its_group(path: Path) -> None:
    async with open_database(path, Options(commit_interval_seconds=3600)) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [b"a"]))
        waiting = asyncio.create_task(log.append("run", Batch(1, [b"b"])))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting

    async with open_database(path, _AT_ONCE) as database:
        assert [event.payload for event in await everything(SqliteEventLog(database), "run")] == [b"a", b"b"]


async def test_after_closing_no_thread_and_no_file_is_left_open(path: Path) -> None:
    threads = set(threading.enumerate())
    async with open_database(path, _AT_ONCE) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [b"a"]))
        await asyncio.gather(*(SqliteEventLog(database).read("run", 0, 1) for _ in range(20)))

    left = {thread for thread in set(threading.enumerate()) - threads if thread.name.startswith("sqlite")}
    assert not left
    assert sorted(file.name for file in path.parent.iterdir()) == ["fabula.db", "fabula.db.lock"]
    assert not open_files(path.parent)


async def _tell_and_withdraw(log: SqliteEventLog, run_id: str, seed: int) -> None:
    """Appends events of many sizes, half of them to be withdrawn, and withdraws them now and then."""
    draw = random.Random(seed)
    after, told = 0, list[int]()
    for _ in range(120):
        text = (_CANARY * 200)[: draw.choice([60, 100, 300, 900, 3000])] if draw.random() < 0.5 else b"x" * 200
        rewrites = dict.fromkeys(told, b"blank") if draw.random() < 0.1 else {}
        await log.append(run_id, Batch(after, [text], rewrites=rewrites))
        after += 1
        told = [sequence for sequence in told if sequence not in rewrites] + [after] * text.startswith(_CANARY)
    await log.append(run_id, Batch(after, [b"end"], terminal=True, rewrites=dict.fromkeys(told, b"blank")))


async def test_withdrawn_text_is_in_no_byte_of_the_files_after_closing(path: Path) -> None:
    async with open_database(path, _AT_ONCE) as database:
        log = SqliteEventLog(database)
        await log.append("run", Batch(0, [_CANARY]))
        assert _CANARY in bytes_on_disk(path.parent), "the test would see what it looks for"
        await log.append("run", Batch(1, [], rewrites={1: b""}))
        await asyncio.gather(*(_tell_and_withdraw(log, f"run{seed}", seed) for seed in range(30)))

    assert _CANARY not in bytes_on_disk(path.parent)


async def test_text_withdrawn_in_its_own_batch_never_gets_to_the_disk(path: Path) -> None:
    async with open_database(path, _AT_ONCE) as database:
        await SqliteEventLog(database).append("run", Batch(0, [_CANARY, b"b"], rewrites={1: b"blank"}))

        assert _CANARY not in bytes_on_disk(path.parent)


async def test_readers_at_any_offset_see_the_same_bytes_while_others_write(path: Path) -> None:
    last = 400

    async def write(log: SqliteEventLog) -> None:
        for after in range(0, last, 2):
            batch = [payload("run", after + 1), payload("run", after + 2)]
            await log.append("run", Batch(after, batch, terminal=after + 2 == last))

    async with open_database(path, _AT_ONCE) as database:
        log = SqliteEventLog(database)
        starts = [random.Random(5).randrange(last) for _ in range(20)]
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(follow(log, "run", after=start)) for start in starts]
            group.create_task(write(log))

    whole = [Event(s, payload("run", s), terminal=s == last) for s in range(1, last + 1)]
    assert [reader.result() for reader in readers] == [whole[start:] for start in starts]


async def test_fresh_children_are_stored_when_the_file_is_made_and_never_again(path: Path) -> None:
    for children in ((), CHILDREN):
        async with open_database(path, Options(0, fresh_children=children)) as database:
            assert await SqliteStore(database).get_child("house", "1") is None


async def test_two_names_of_one_file_share_one_database(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    urls = (f"sqlite:///{tmp_path}/fabula.db", f"sqlite:///{tmp_path}/link/../fabula.db")
    async with open_backends(*urls, commit_interval_seconds=0, fresh_children=CHILDREN) as backends:
        await backends.log.append("run", Batch(0, [b"a"]))
        assert await backends.store.get_child("house", "1") == CHILDREN[0].child


async def test_only_the_file_of_the_store_gets_the_fresh_children(tmp_path: Path) -> None:
    urls = (f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/store.db")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_backends(*urls, commit_interval_seconds=0, fresh_children=CHILDREN))
    async with open_database(tmp_path / "log.db", _AT_ONCE) as database:
        assert await SqliteStore(database).get_child("house", "1") is None
