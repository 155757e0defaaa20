"""Makes deleted text disappear from the files: from what is unused in their pages, and from the write-ahead log."""

import asyncio
import sqlite3
from pathlib import Path

from service.backends.sqlite.readers import Readers
from service.backends.sqlite.writer import Writer
from service.errors import StoreUnavailable

_PAUSE_SECONDS = 0.05


class Scrubber:
    """Knows whether something was deleted since the last scrub.

    A file that was just opened counts as not scrubbed: nobody knows what a crash left in it. `patience_seconds` is how
    long readers of other programs are waited for.
    """

    def __init__(self, writer: Writer, readers: Readers, path: Path, patience_seconds: float) -> None:
        self._writer = writer
        self._readers = readers
        self._log_file = Path(f"{path}-wal")
        self._patience_seconds = patience_seconds
        self._deletions = 1
        self._scrubbed = 0
        self._scrubbing = asyncio.Lock()

    def note_deletion(self) -> None:
        """Something was deleted, or is about to be: then call it when the write is queued, without a pause between."""
        self._deletions += 1

    async def scrub(self) -> None:
        """Writes the whole file anew and empties the write-ahead log; callers that come meanwhile share the next one.

        secure_delete alone is not enough: when SQLite moves rows from page to page, copies of them stay behind in
        parts of pages that it takes for unused and never clears. Raises StoreUnavailable.
        """
        async with self._scrubbing:
            deletions = self._deletions
            if deletions == self._scrubbed:
                return
            await self._writer.write_alone(_vacuum)
            await self._empty_log()
            self._scrubbed = deletions

    async def _empty_log(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_seconds
        while not await self._is_emptied():
            if loop.time() > until:
                raise StoreUnavailable("Another program reads the data store, so it can't be scrubbed: try again.")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _is_emptied(self) -> bool:
        # A reader of ours would keep the log alive, and there is always another one.
        async with self._readers.held():
            return await self._writer.write_alone(self._truncate)

    def _truncate(self, connection: sqlite3.Connection) -> bool:
        """Whether everything is in the file now, and the log empty. It does not wait: that would hold up all writes."""
        patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute("PRAGMA busy_timeout = 0")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        connection.execute(f"PRAGMA busy_timeout = {patience}")
        return busy == 0 and (not self._log_file.exists() or self._log_file.stat().st_size == 0)


def _vacuum(connection: sqlite3.Connection) -> None:
    connection.execute("VACUUM")
