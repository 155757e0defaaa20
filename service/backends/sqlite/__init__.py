"""SQLite: one file that keeps events, runs and children, for one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.backends.source import Options, Source
from service.backends.sqlite.database import Database, open_database
from service.backends.sqlite.log import SqliteEventLog
from service.backends.sqlite.store import SqliteStore
from service.runtime.ports import EventLog
from service.runtime.stores import Store

_PREFIX = "sqlite:///"


def locate(url: str) -> str:
    """The file's path, absolute and without links, so that two names of one file are one place."""
    path = url[len(_PREFIX) :]
    if url[: len(_PREFIX)].lower() != _PREFIX or not path:
        raise ValueError("names no file")
    if path.startswith(":") or "?" in path or "\0" in path:
        raise ValueError("must end with a plain path, without options")
    return str(Path(path).resolve())


@asynccontextmanager
async def open_source(location: str, options: Options) -> AsyncIterator[Source]:
    """Opens the file, or makes it with the fresh children."""
    async with open_database(Path(location), options) as database:
        yield _Sqlite(database)


class _Sqlite:
    def __init__(self, database: Database) -> None:
        self._log = SqliteEventLog(database)
        self._store = SqliteStore(database)

    def event_log(self) -> EventLog:
        return self._log

    def store(self) -> Store:
        return self._store
