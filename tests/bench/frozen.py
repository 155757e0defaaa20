"""How soon a frozen client is noticed: one that keeps its connection and reads no more."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from fabula import FabulaClient
from fabula.run.v1 import run_pb2
from tests.bench.chapters import DRIPPING, STALLED
from tests.bench.processes import Child
from tests.bench.report import Column, Report, Table, say
from tests.bench.service import serving
from tests.bench.watched import WatchedServer, theme
from tests.ollama_server import Reply

TARGET_SECONDS = 20.0
NEVER_SECONDS = 45.0
APART_SECONDS = 1.0
"""Between one freeze and the next: the server's pings have their own rhythm, which decides how long it takes."""

MODELS: Sequence[tuple[str, Reply]] = (("stalled", STALLED), ("dripping", DRIPPING)) * 2
"""One client each, frozen shortly after one another: twice a silent stream, twice one that goes on."""

COLUMNS = (
    Column("client", "client"),
    Column("model", "model"),
    Column("seconds", "s until noticed", 2),
    Column("state", "run ended as"),
)


async def measure() -> Report:
    """The service with its default keepalive; each client in its own process, stopped by SIGSTOP."""
    async with WatchedServer() as model, serving(model.base_url) as service:
        rows = await _rows(model, service.address)
    late = [row for row in rows if row["seconds"] is None or row["seconds"] > TARGET_SECONDS]
    broken = [f"client {row['client']} was noticed after {row['seconds'] or 'too many'} s" for row in late]
    wrong = [row for row in rows if row["state"] != "CANCELLED"]
    return Report([_table(rows)], broken + [f"the run of client {row['client']} is {row['state']}" for row in wrong])


async def _rows(model: WatchedServer, address: str) -> Sequence[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        readers = []
        for number, (_, reply) in enumerate(MODELS):
            model.reply_with(reply)
            # Entered once its client has read some text, so the next reply is the next client's.
            readers.append(await stack.enter_async_context(_reader(address, number)))
        works = [_freeze(model, address, number, reader) for number, reader in enumerate(readers)]
        return await asyncio.gather(*works)


def _reader(address: str, number: int) -> Child:
    return Child("tests.bench.frozen_client", address, theme(number))


async def _freeze(model: WatchedServer, address: str, number: int, reader: Child) -> dict[str, Any]:
    await asyncio.sleep(number * APART_SECONDS)
    say(f"client {number} freezes, model {MODELS[number][0]}")
    frozen = time.monotonic()
    reader.freeze()
    seconds: float | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(NEVER_SECONDS):
            seconds = round(await model.closed(number) - frozen, 2)
    state = await _state(address, reader.ready["run_id"])
    return {"client": number, "model": MODELS[number][0], "seconds": seconds, "state": state}


async def _state(address: str, run_id: str) -> str:
    async with FabulaClient(address) as client:
        # The run ends a moment after its connection to the model: its last events are committed in between.
        for _ in range(20):
            run = await client.get_run(run_id)
            if run.state != run_pb2.RUN_STATE_RUNNING:
                break
            await asyncio.sleep(0.05)
        return run_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    notes = (
        "From SIGSTOP of the reading client, one process each, to the model server's notice that the connection of its "
        f"run is closed; on_disconnect CANCEL, the service's default keepalive. Target: {TARGET_SECONDS:g} s.",
    )
    return Table("seconds until a frozen client is noticed", COLUMNS, rows, notes)
