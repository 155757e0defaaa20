"""Whether many runs are open upstream at the same time, and what an idle stream costs in memory."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fabula import FabulaClient, FabulaError, StoryStream
from fabula.run.v1 import run_pb2
from tests.bench.chapters import STALLED
from tests.bench.processes import rss_mib
from tests.bench.report import Column, Report, Table, say
from tests.bench.service import serving
from tests.ollama_server import OllamaServer

COUNTS = (150, 300)
"""More than the 100 connections that an HTTP client keeps unless told otherwise."""

OPEN_SECONDS = 20.0

COLUMNS = (
    Column("runs", "runs at once"),
    Column("open_upstream", "open upstream"),
    Column("seconds_until_open", "s until all open", 2),
    Column("kib_per_idle_stream", "RSS KiB/idle stream", 1),
    Column("rss_mib", "RSS MiB", 1),
    Column("seconds_until_closed", "s until all closed", 2),
)


async def measure() -> Report:
    """Each count on a service of its own."""
    rows = [await _case(count) for count in COUNTS]
    short = [row for row in rows if row["open_upstream"] < row["runs"]]
    broken = [f"{row['open_upstream']} of {row['runs']} runs were open upstream at the same time" for row in short]
    return Report([_table(rows)], broken)


async def _case(count: int) -> dict[str, Any]:
    say(f"{count} runs at once")
    async with OllamaServer(default=STALLED) as model:
        settings = {"max_runs": count, "max_streams": count}
        async with serving(model.base_url, **settings) as service, FabulaClient(service.address) as client:
            await _warm_up(client, model)
            return await _hold(count, client, model, service.pid)


async def _warm_up(client: FabulaClient, model: OllamaServer) -> None:
    """One run first, so that the memory of what is loaded once is not counted as the streams'."""
    async with client.tell("a fox", on_disconnect=run_pb2.ON_DISCONNECT_CANCEL) as stream:
        events = aiter(stream)  # kept: dropping the iterator would end the call
        await anext(events)
        await model.wait_stalled(1)
    await model.wait_for_chats(0)


async def _hold(count: int, client: FabulaClient, model: OllamaServer, pid: int) -> dict[str, Any]:
    before, began = rss_mib(pid), time.monotonic()
    streams = [client.tell("a fox", on_disconnect=run_pb2.ON_DISCONNECT_CANCEL) for _ in range(count)]
    readers = [asyncio.create_task(_read(stream)) for stream in streams]
    with suppress(TimeoutError):
        async with asyncio.timeout(OPEN_SECONDS):
            await model.wait_stalled(count)
    opened, rss, held = time.monotonic() - began, rss_mib(pid), model.open_chats
    left = time.monotonic()
    await asyncio.gather(*(stream.aclose() for stream in streams), *readers)
    with suppress(TimeoutError):
        async with asyncio.timeout(OPEN_SECONDS):
            await model.wait_for_chats(0)
    return {
        "runs": count,
        "open_upstream": held,
        "seconds_until_open": round(opened, 3),
        "kib_per_idle_stream": round((rss - before) * 1024 / count, 1),
        "rss_mib": round(rss, 1),
        "seconds_until_closed": round(time.monotonic() - left, 3),
    }


async def _read(stream: StoryStream) -> None:
    with suppress(FabulaError):
        async for _ in stream:
            pass


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    notes = (
        "Runs are open upstream when the model server is in the midst of answering all of them: the model has fallen "
        "silent after the first sentences of each.",
        "The memory is that of a run under way with its reader, growth of the resident set over an idle service.",
        "All runs start at once and all readers leave at once, with on_disconnect CANCEL.",
    )
    return Table("runs open upstream at the same time", COLUMNS, rows, notes)
