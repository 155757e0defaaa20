"""Holds up a database's writer, so that a test decides what is queued while it is busy."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.backends.sqlite.database import Database


@asynccontextmanager
async def blocked_writer(database: Database) -> AsyncIterator[None]:
    """Within, the writer is inside a job of ours; on leaving it goes on."""
    loop = asyncio.get_running_loop()
    entered, release = asyncio.Event(), threading.Event()

    def job(_connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(entered.set)
        release.wait()

    writing = asyncio.create_task(database.write(job))
    await entered.wait()
    try:
        yield
    finally:
        release.set()
        await writing
