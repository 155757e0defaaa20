"""Which files are opened, which are refused, and that a refused file stays as it was."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from service.backends.source import Options
from service.backends.sqlite import database
from service.backends.sqlite.database import Limits, open_database
from service.backends.sqlite.log import SqliteEventLog
from service.backends.sqlite.schema import VERSION
from service.errors import ConfigError
from service.runtime.ports import Batch
from tests.service.backends.samples import everything, open_files

_AT_ONCE = Options(commit_interval_seconds=0)
_LIMITS = Limits(busy_timeout_seconds=0.05)


def _files(path: Path) -> Mapping[str, bytes]:
    """The file and what SQLite keeps beside it."""
    files = [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]
    return {file.name: file.read_bytes() for file in files if file.is_file()}


async def _refusal(path: Path) -> str:
    """The problem that opening the file raises; the file and what is beside it must stay as they were."""
    before = _files(path)
    with pytest.raises(ConfigError) as refused:
        async with open_database(path, _AT_ONCE, _LIMITS):
            pass
    assert _files(path) == before
    return str(refused.value)


async def _make(path: Path, events: int = 1) -> None:
    async with open_database(path, _AT_ONCE, _LIMITS) as opened:
        await SqliteEventLog(opened).append("run", Batch(0, [b"event %d" % n * 50 for n in range(events)]))


async def test_a_database_is_for_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    async with open_database(path, _AT_ONCE, _LIMITS) as opened:
        with pytest.raises(ConfigError, match=r"another Fabula process uses .*fabula\.db.*FABULA_DATA_DIR"):
            async with open_database(path, _AT_ONCE, _LIMITS):
                pass
        await SqliteEventLog(opened).append("run", Batch(0, [b"a"]))

    await _make(tmp_path / "other.db")
    async with open_database(path, _AT_ONCE, _LIMITS) as opened:
        assert len(await everything(SqliteEventLog(opened), "run")) == 1


async def test_a_cancelled_opening_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fabula.db"
    loop = asyncio.get_running_loop()
    entered, release = asyncio.Event(), threading.Event()

    def slow(*_arguments: object) -> None:
        loop.call_soon_threadsafe(entered.set)
        release.wait()

    with monkeypatch.context() as patched:
        patched.setattr(database, "migrate", slow)
        opening = asyncio.create_task(_make(path))
        await entered.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        release.set()

    for thread in threading.enumerate():
        if thread.name.startswith("sqlite"):
            await asyncio.to_thread(thread.join, 10)
    assert not open_files(tmp_path)
    await _make(path)


async def test_files_and_directories_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "of fabula?" / "fabula#1.db"
    await _make(path)

    assert [found.stat().st_mode & 0o777 for found in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]


def _text(path: Path) -> None:
    path.write_text("My diary. Dear diary, today I wrote no database." * 50)


def _few_bytes(path: Path) -> None:
    path.write_bytes(b"SQL")


def _header_alone(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4080)


@pytest.mark.parametrize("write", [_text, _few_bytes, _header_alone])
async def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "fabula.db"
    write(path)

    assert await _refusal(path) == (
        f"{path} is no Fabula database, or it is damaged: move it away or set FABULA_DATA_DIR"
    )


async def test_a_damaged_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    await _make(path, events=500)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xa5" * 8192
    path.write_bytes(content)

    assert "it is damaged" in await _refusal(path)


async def test_a_truncated_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    await _make(path, events=500)
    path.write_bytes(path.read_bytes()[: 4096 * 3])

    assert "it is damaged" in await _refusal(path)


async def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (cake TEXT)")

    assert "of another program" in await _refusal(path)


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    await _make(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute(f"PRAGMA user_version = {VERSION + 1}")

    assert f"is of version {VERSION + 1}, from a newer Fabula" in await _refusal(path)


async def test_a_database_that_another_program_has_locked_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fabula.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert "is locked by another program" in await _refusal(path)


async def test_a_place_that_can_not_be_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert "can't be opened" in await _refusal(tmp_path)
    assert "can't be opened" in await _refusal(tmp_path / "file" / "fabula.db")


async def test_an_empty_file_and_an_empty_database_are_new_files(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "bare.db")) as bare:
        bare.execute("PRAGMA journal_mode = WAL")

    for name in ("empty.db", "bare.db"):
        await _make(tmp_path / name)
