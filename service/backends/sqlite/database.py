"""The database file, open: one process, one writer, a few readers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from service.backends.source import Options
from service.backends.sqlite.admission import admit, make_directories, make_file, refusal
from service.backends.sqlite.connect import connect, connect_writer
from service.backends.sqlite.lock import ProcessLock
from service.backends.sqlite.readers import Readers
from service.backends.sqlite.schema import migrate
from service.backends.sqlite.scrubber import Scrubber
from service.backends.sqlite.writer import Writer
from service.errors import ConfigError, StoreUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long locks of other programs are waited for, how many writes may wait, and how many threads read."""

    busy_timeout_seconds: float = 5.0
    queued_writes: int = 4096
    reader_threads: int = 2


_LIMITS = Limits()
_Opened = tuple[ProcessLock, sqlite3.Connection]


class Database:
    """Runs functions on connections: writes in order in one thread, reads beside them."""

    def __init__(self, writer: Writer, readers: Readers, scrubber: Scrubber, lock: ProcessLock) -> None:
        self._writer = writer
        self._readers = readers
        self._scrubber = scrubber
        self._lock = lock
        self._closed = False

    @property
    def commits(self) -> int:
        """How many transactions were committed since the file was opened."""
        return self._writer.commits

    async def write(
        self,
        work: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], None] | None = None,
        *,
        deletes: bool = False,
    ) -> T:
        """Runs the work in a transaction; see Writer.write. Raises StoreUnavailable, and what the work raises.

        Work that `deletes` what may not be left in the files is one for the next scrub.
        """
        self._check_open()
        if deletes:
            self._scrubber.note_deletion()
        return await self._writer.write(work, committed)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Runs the query on a read-only connection. Raises StoreUnavailable, and what the query raises."""
        self._check_open()
        return await self._readers.read(query)

    def note_deletion(self) -> None:
        """What may not be left in the files was deleted: there is work for the next scrub."""
        self._scrubber.note_deletion()

    async def scrub(self) -> None:
        """Returns once nothing that was deleted before is left in the files. Raises StoreUnavailable."""
        self._check_open()
        await self._scrubber.scrub()

    async def close(self) -> None:
        """Commits what waits, ends the threads, closes the connections and lets go of the lock, even if cancelled."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # The readers go first: the last connection that leaves removes the write-ahead log.
        self._readers.close()
        self._writer.close()
        self._lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The data store is closed.")


@asynccontextmanager
async def open_database(path: Path, options: Options, limits: Limits = _LIMITS) -> AsyncIterator[Database]:
    """Opens the file at the absolute path, or makes it. Raises ConfigError when it is not ours to open.

    On leaving, all is committed, the threads have ended and no file is open.
    """
    lock, connection = await _open_in_thread(path, options, limits)
    writer = Writer(
        partial(connect_writer, path, limits.busy_timeout_seconds),
        options.commit_interval_seconds,
        limits.queued_writes,
    )
    readers = Readers(partial(connect, path, "mode=ro", limits.busy_timeout_seconds), limits.reader_threads)
    writer.start(connection)
    scrubber = Scrubber(writer, readers, path, limits.busy_timeout_seconds)
    database = Database(writer, readers, scrubber, lock)
    try:
        yield database
    finally:
        await database.close()


async def _open_in_thread(path: Path, options: Options, limits: Limits) -> _Opened:
    """Calls _open; if cancelled, what the thread opens is closed as soon as it is open."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite-opener")
    opening = executor.submit(_open, path, options, limits)
    executor.shutdown(wait=False)
    try:
        return await asyncio.wrap_future(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_undo)
        raise


def _undo(opening: "Future[_Opened]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        lock, connection = opening.result()
        connection.close()
        lock.release()


def _open(path: Path, options: Options, limits: Limits) -> _Opened:
    """The lock, and the writer's connection to a file of the current schema."""
    with ExitStack() as undo:
        try:
            make_directories(path)
            lock = ProcessLock.acquire(path)
            undo.callback(lock.release)
            make_file(path)
            admit(path, limits.busy_timeout_seconds)
            connection = connect_writer(path, limits.busy_timeout_seconds)
            undo.callback(connection.close)
            migrate(connection, options.fresh_children)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what a crash left there, withdrawn text as well
        except sqlite3.Error as error:
            raise refusal(path, error) from error
        except OSError as error:
            raise ConfigError([f"{path} can't be opened: {error.strerror}"]) from error
        undo.pop_all()
    return lock, connection
