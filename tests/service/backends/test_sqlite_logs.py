"""What the log tells of a disk that fails: SQLite's name of the error, and no text."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.backends.source import Options
from service.backends.sqlite.database import Database, open_database
from service.backends.sqlite.log import SqliteEventLog
from service.errors import StoreUnavailable
from service.runtime.ports import Batch


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "fabula.db", Options(0)) as opened:
        yield opened


async def test_a_full_disk_is_named(database: Database) -> None:
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
    with capture_logs() as logs, pytest.raises(StoreUnavailable):
        await SqliteEventLog(database).append("run", Batch(0, [b"secret" * 100_000]))

    assert logs == [{"event": "writes_failed", "log_level": "warning", "count": 1, "error": "SQLITE_FULL"}]


@pytest.mark.parametrize("name", ["SQLITE_IOERR_READ", "SQLITE_CORRUPT"])
async def test_a_disk_that_can_not_be_read_is_named(database: Database, name: str) -> None:
    def fail(_connection: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("near secret: SELECT")
        error.sqlite_errorname = name
        raise error

    with capture_logs() as logs, pytest.raises(StoreUnavailable):
        await database.read(fail)

    assert logs == [{"event": "reads_failed", "log_level": "warning", "error": name}]
