"""A few threads that read, so that no read blocks the event loop or waits for a write."""

import asyncio
import queue
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

import structlog

from service.backends.sqlite.connect import error_name, unavailable

T = TypeVar("T")

_log = structlog.get_logger("fabula.store")


class Readers:
    """Reads through read-only connections, one per thread. More readers than threads wait in their own coroutine."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], threads: int) -> None:
        self._connect = connect
        self._threads = threads
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="sqlite-reader")
        self._free = asyncio.Semaphore(threads)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Raises StoreUnavailable for a sqlite3.Error, and when this was closed while the query waited for its turn."""
        await self._free.acquire()
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, self._run, query)
        except RuntimeError as error:  # it was closed, or the system has no thread left
            self._free.release()
            raise unavailable(error) from error
        # A cancelled reader leaves at once, its thread does not: it counts as free only when the query is over.
        running.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(running)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Within, no query runs: those that come wait until it is left. For one at a time."""
        async with AsyncExitStack() as stack:
            for _ in range(self._threads):
                await stack.enter_async_context(self._free)
            yield

    def close(self) -> None:
        """Blocks until the last query is over. Nothing may be read any more."""
        self._executor.shutdown()
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._take()
            with _closed_on_error(connection):
                result = query(connection)
        except sqlite3.Error as error:
            _log.warning("reads_failed", error=error_name(error))
            raise unavailable(error) from error
        self._idle.put_nowait(connection)
        return result

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._connect()


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
