"""What the reader threads promise: a place for everybody, and a plain answer when there is none."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from service.backends.source import Options
from service.backends.sqlite.database import Limits, open_database
from service.errors import StoreUnavailable


async def test_queries_that_wait_when_the_database_closes_are_told_so(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    entered, release = asyncio.Event(), threading.Event()

    def slow(_connection: sqlite3.Connection) -> str:
        loop.call_soon_threadsafe(entered.set)
        release.wait()
        return "read"

    async with open_database(tmp_path / "fabula.db", Options(0), Limits(reader_threads=1)) as database:
        first = asyncio.create_task(database.read(slow))
        await entered.wait()
        waiting = [asyncio.create_task(database.read(lambda _: "never")) for _ in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0.05)  # so that the thread which closes has begun
        release.set()
        async with asyncio.timeout(10):
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert await first == "read"
            await closing

    assert [type(result) for result in results] == [StoreUnavailable] * 5


async def test_without_a_thread_to_spare_the_next_query_still_gets_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with open_database(tmp_path / "fabula.db", Options(0), Limits(reader_threads=1)) as database:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await database.read(lambda _: None)
        async with asyncio.timeout(10):
            assert await database.read(lambda _: "read") == "read"
