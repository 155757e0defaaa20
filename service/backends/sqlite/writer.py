"""The one thread that writes: what is queued together is committed together."""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

import structlog

from service.backends.sqlite.connect import error_name, unavailable
from service.errors import StoreUnavailable

T = TypeVar("T")

_log = structlog.get_logger("fabula.store")


@dataclass(slots=True)
class _Job(Generic[T]):
    """One write, and what came of it."""

    work: Callable[[sqlite3.Connection], T]
    committed: Callable[[T], None] | None
    done: "asyncio.Future[T]"
    alone: bool = False
    result: T | None = None
    error: Exception | None = None

    def settle(self) -> None:
        """Tells the outcome; in the event loop. A caller that was cancelled meanwhile has let go of `done`."""
        if self.error is None and self.committed is not None:
            self._call(self.committed)
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)  # type: ignore[arg-type]  # without an error there is a result

    def _call(self, committed: Callable[[T], None]) -> None:
        try:
            committed(self.result)  # type: ignore[arg-type]  # as above
        except Exception as error:  # noqa: BLE001  # its caller gets it, and the rest of the group its own answers
            self.error = error


class Writer:
    """Commits jobs in groups, each job in its own savepoint, in the order in which they came.

    `connect` opens the connection, again after an error; `commit_interval_seconds` is the least time between two
    commits, in which later jobs join; `capacity` is how many jobs may wait.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], commit_interval_seconds: float, capacity: int
    ) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._interval = commit_interval_seconds
        self._jobs: queue.Queue[_Job[Any] | None] = queue.Queue(capacity)
        self._closing = threading.Event()
        self._committed_at = float("-inf")
        self._loop = asyncio.get_running_loop()
        # A daemon, so that a process whose loop died without closing us can end: what is committed is safe anyway.
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self.commits = 0

    def start(self, connection: sqlite3.Connection) -> None:
        """Starts the thread, which owns the connection from now on."""
        self._connection = connection
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], T], committed: Callable[[T], None] | None) -> T:
        """Runs the work in a transaction and returns its result once that is committed.

        `committed` is called with the result in the event loop before that, even if the caller was cancelled
        meanwhile: a cancelled write may still happen. An exception of the work undoes the work alone and is raised
        here, a sqlite3.Error as StoreUnavailable.
        """
        return await self._queue(_Job(work, committed, self._loop.create_future()))

    async def write_alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs the work outside of a transaction, after what was queued before it and before what comes later.

        Its errors are as those of `write`.
        """
        return await self._queue(_Job(work, None, self._loop.create_future(), alone=True))

    def close(self) -> None:
        """Commits what waits and ends the thread; blocks until it ended. Nothing may be written any more."""
        self._closing.set()
        self._jobs.put(None)
        self._thread.join()

    async def _queue(self, job: _Job[T]) -> T:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise StoreUnavailable("The data store has too many writes waiting: try again.") from None
        return await job.done

    def _run(self) -> None:
        ended = False
        while not ended:
            group = list(self._take())
            ended = group[-1] is None
            for _, jobs in groupby(filter(None, group), key=_place):
                self._commit(list(jobs))
        self._checkpoint()
        self._disconnect()

    def _take(self) -> "Iterator[_Job[Any] | None]":
        """At least one job; those that joined within the interval; None comes last, when nothing will follow."""
        yield self._jobs.get()
        self._closing.wait(max(0.0, self._committed_at + self._interval - time.monotonic()))
        for _ in range(self._jobs.qsize()):
            yield self._jobs.get_nowait()

    def _commit(self, jobs: Sequence[_Job[Any]]) -> None:
        try:
            self._transact(jobs)
        except Exception as error:  # noqa: BLE001  # every caller of the group gets it
            self._disconnect()
            _fail(jobs, error)
        self._committed_at = time.monotonic()
        self._hand_over(jobs)

    def _transact(self, jobs: Sequence[_Job[Any]]) -> None:
        if self._connection is None:
            self._connection = self._connect()
        if jobs[0].alone:
            jobs[0].result = jobs[0].work(self._connection)
            return
        self._connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            _attempt(self._connection, job)
        self._connection.execute("COMMIT")
        self.commits += 1

    def _hand_over(self, jobs: Sequence[_Job[Any]]) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, jobs)
        except RuntimeError:
            _log.warning("writes_unanswered", count=len(jobs))  # the event loop has ended

    def _checkpoint(self) -> None:
        """Moves everything from the write-ahead log into the file, best effort: the next start does it otherwise."""
        try:
            if self._connection is not None:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            _log.warning("checkpoint_failed", error=error_name(error))

    def _disconnect(self) -> None:
        """Drops the connection, and with it a transaction that is open; the next group opens another."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        except sqlite3.Error as error:
            _log.warning("close_failed", error=error_name(error))


def _place(job: _Job[Any]) -> int:
    """Equal for jobs that may be committed together."""
    return id(job) if job.alone else 0


def _attempt(connection: sqlite3.Connection, job: _Job[Any]) -> None:
    """Runs one job; its failure undoes it alone, unless SQLite has undone the whole transaction."""
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
        _fail([job], error)
    connection.execute("RELEASE job")


def _fail(jobs: Sequence[_Job[Any]], error: Exception) -> None:
    if isinstance(error, sqlite3.Error):
        _log.warning("writes_failed", count=len(jobs), error=error_name(error))
    for job in jobs:
        job.error = unavailable(error) if isinstance(error, sqlite3.Error) else error


def _settle(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        job.settle()
