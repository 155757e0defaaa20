"""How soon the model is let go: from a stop to the moment at which its server sees the connection closed."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fabula import FabulaClient, FabulaError, StoryStream
from fabula.run.v1 import run_pb2
from tests.bench.chapters import DRIPPING, STALLED
from tests.bench.figures import milliseconds, percentile
from tests.bench.report import Column, Report, Table, say
from tests.bench.service import serving
from tests.bench.watched import WatchedServer, theme
from tests.ollama_server import Reply

RUNS = 100
"""Runs of each case, all under way at once."""

PROMISED_SECONDS = 1.0
SPREAD_SECONDS = 2.0
LINGER_SECONDS = 0.5
DEADLINE_SECONDS = 4.0
OPEN_SECONDS = 8.0
NEVER_SECONDS = 10.0
"""A connection that is open for so long after the stop counts as never closed."""

SEED = 20_261_107

MODELS: Sequence[tuple[str, Reply]] = (("stalled", STALLED), ("dripping", DRIPPING))

MOMENTS: Sequence[tuple[str, float]] = (("spread over 2 s", SPREAD_SECONDS), ("all at once", 0.0))

COLUMNS = (
    Column("stop", "stop"),
    Column("model", "model"),
    Column("moments", "stops come"),
    Column("runs", "runs"),
    Column("within_promise", "within 1 s"),
    Column("p50_ms", "p50 ms", 1),
    Column("p99_ms", "p99 ms", 1),
    Column("max_ms", "max ms", 1),
)


class Reading:
    """A story under way and its reader; `began` by `time.monotonic()`, `mid_stream` once it has read some text.

    `wait` is how many seconds it is left alone, counted from when all runs of its case are under way.
    """

    def __init__(self, client: FabulaClient, stream: StoryStream, number: int, wait: float) -> None:
        self.client = client
        self.stream = stream
        self.number = number
        self.wait = wait
        self.began = 0.0
        self.mid_stream = asyncio.Event()

    async def read(self) -> None:
        """Reads until the stream ends, however that comes."""
        self.began = time.monotonic()
        with suppress(FabulaError):
            async for event in self.stream:
                if event.HasField("content"):
                    self.mid_stream.set()


Stop = Callable[[Reading], Awaitable[float]]
"""Stops the run and returns the moment from which it should have stopped, by `time.monotonic()`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which a run is stopped; with a deadline, that alone does it."""

    name: str
    stop: Stop | None
    on_disconnect: "run_pb2.OnDisconnect.ValueType" = run_pb2.ON_DISCONNECT_LINGER


async def _cancel(reading: Reading) -> float:
    now = time.monotonic()
    await reading.client.cancel_run(reading.stream.run_id)
    return now


async def _leave(reading: Reading) -> float:
    now = time.monotonic()
    await reading.stream.aclose()
    return now


async def _lapse(reading: Reading) -> float:
    return await _leave(reading) + LINGER_SECONDS


KINDS = (
    Kind("CancelRun", _cancel),
    Kind("reader leaves, CANCEL", _leave, run_pb2.ON_DISCONNECT_CANCEL),
    Kind("reader leaves, linger lapses", _lapse),
    Kind("deadline of the call passes", None),
)


async def measure() -> Report:
    """Every way to stop, on a silent and on a writing model, one after the other and all at once."""
    rows = []
    settings = {"max_runs": 2 * RUNS, "max_streams": 2 * RUNS, "linger_seconds": LINGER_SECONDS}
    async with WatchedServer() as model, serving(model.base_url, **settings) as service:
        numbers = itertools.count()
        for kind, (name, reply), (moments, spread) in itertools.product(KINDS, MODELS, MOMENTS):
            say(f"{kind.name}, model {name}, {moments}")
            model.reply_by_default(reply)
            facts = {"stop": kind.name, "model": name, "moments": moments}
            rows.append(facts | await _case(model, service.address, kind, spread, [next(numbers) for _ in range(RUNS)]))
    late = [row for row in rows if row["within_promise"] < row["runs"]]
    return Report([_table(rows)], [_sentence(row) for row in late])


async def _case(
    model: WatchedServer, address: str, kind: Kind, spread: float, numbers: Sequence[int]
) -> dict[str, Any]:
    rng = random.Random(SEED)
    finished = model.chats_finished
    async with FabulaClient(address) as client:
        await client.wait_until_ready()
        readings = [_reading(client, kind, number, rng.uniform(0, spread)) for number in numbers]
        readers = [asyncio.create_task(reading.read()) for reading in readings]
        await asyncio.wait([asyncio.create_task(each.mid_stream.wait()) for each in readings], timeout=OPEN_SECONDS)
        under_way = [reading for reading in readings if reading.mid_stream.is_set()]
        delays = await asyncio.gather(*(_delay(model, kind, reading) for reading in under_way))
        await asyncio.gather(*(reading.stream.aclose() for reading in readings), *readers)
    if model.chats_finished != finished:
        raise RuntimeError("a story was told to its end before it was stopped: make LONG_TELLING longer")
    return {"runs": len(readings)} | _figures(delays)


def _reading(client: FabulaClient, kind: Kind, number: int, wait: float) -> Reading:
    timeout = None if kind.stop else DEADLINE_SECONDS + wait
    return Reading(client, client.tell(theme(number), timeout=timeout, on_disconnect=kind.on_disconnect), number, wait)


async def _delay(model: WatchedServer, kind: Kind, reading: Reading) -> float:
    """Seconds from the stop of one run to the close of its connection to the model; infinite if it stays open."""
    stopped = await _stop(kind, reading)
    try:
        async with asyncio.timeout(max(0.0, stopped - time.monotonic()) + NEVER_SECONDS):
            return await model.closed(reading.number) - stopped
    except TimeoutError:
        return float("inf")


async def _stop(kind: Kind, reading: Reading) -> float:
    if kind.stop is None:
        return reading.began + DEADLINE_SECONDS + reading.wait
    await asyncio.sleep(reading.wait)
    return await kind.stop(reading)


def _figures(delays: Sequence[float]) -> dict[str, Any]:
    seen = [delay for delay in delays if delay != float("inf")]
    return {
        "under_way": len(delays),
        "within_promise": sum(delay <= PROMISED_SECONDS for delay in delays),
        "never": len(delays) - len(seen),
        "p50_ms": milliseconds(percentile(seen, 50)),
        "p99_ms": milliseconds(percentile(seen, 99)),
        "max_ms": milliseconds(max(seen, default=None)),
    }


def _sentence(row: dict[str, Any]) -> str:
    return (
        f"{row['stop']}, model {row['model']}, {row['moments']}: {row['within_promise']} of {row['runs']} connections "
        f"closed within {PROMISED_SECONDS:g} s, {row['never']} never, {row['runs'] - row['under_way']} never opened"
    )


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    notes = (
        f"Each case: {RUNS} runs under way at once, each with text already read; times are of one run each.",
        f"From the call of CancelRun, the reader's leaving, the lapse of the linger ({LINGER_SECONDS:g} s after the "
        "leaving) or of the call's deadline, to the model server's notice that the connection is closed.",
        "stalled: the model is silent when the stop comes; dripping: it writes 20 tokens/s.",
    )
    return Table("from the stop to the closed connection to the model", COLUMNS, rows, notes)
