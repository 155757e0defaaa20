"""What an event costs on its way through the gateway, beside a relay written by hand in the same run.

Four kinds of process: an upstream that plays stories, the gateway, the relay, and this one, which reads them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import grpc.aio

from tests.bench.figures import milliseconds, percentile
from tests.bench.gateway_load import Heard, hold, read
from tests.bench.gateway_processes import Front, cpu_seconds, gateway, open_sockets
from tests.bench.gateway_upstream import AT_REST, HELD, SERVICE
from tests.bench.processes import Child, rss_mib
from tests.bench.report import Column, Report, Table, say

MOST_RATIO = 1.5
"""What the gateway may cost, of the relay's CPU an event."""

PACE = 20
"""Events a second of a paced stream."""

CASES: Sequence[tuple[int, int, float | None]] = (
    (1, 4_000, None),
    (50, 100, None),
    (200, 60, None),
    (1, 30, PACE),
    (50, 30, PACE),
    (200, 30, PACE),
)
"""Streams at once, the events of each, and their pace; None is as fast as they are read."""

REPETITIONS = 3
BROWSERS = 200

_AT_REST_SECONDS = 10.0
_SETTLE_SECONDS = 0.1
"""For what a server does after its last event."""

COSTS = (
    Column("system", "system"),
    Column("streams", "streams"),
    Column("events_per_second", "events/s each"),
    Column("cpu_us_per_event", "CPU µs/event", 1),
    Column("cpu_ratio", "× relay", 2),
    Column("upstream_us_per_event", "upstream µs", 1),
    Column("reader_us_per_event", "reader µs", 1),
    Column("lag_ms_p50", "lag ms p50", 2),
    Column("lag_ms_p99", "p99", 2),
    Column("open_at_once", "open at once"),
    Column("errors", "errors"),
)

LEFTOVERS = (
    Column("system", "system"),
    Column("streams", "streams"),
    Column("rss_mib", "RSS MiB", 1),
    Column("kib_per_stream", "RSS KiB/stream", 1),
    Column("sockets_before", "sockets before"),
    Column("sockets_open", "open"),
    Column("sockets_after", "after"),
    Column("milliseconds_until_closed", "ms until all closed"),
    Column("sockets_at_end", "at the end"),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is up: the systems by their names, the upstream, and the call that is answered when it is at rest."""

    systems: Mapping[str, Front]
    upstream: int
    at_rest: Callable[[bytes], Any]


async def measure() -> Report:
    """Browsers that leave in the midst of it, while the processes are fresh, and then every case on both in turn."""
    async with _up() as bench:
        leftovers = [await _leave(bench, name, front) for name, front in bench.systems.items()]
        for front in bench.systems.values():
            await read(front.port, "100", 50)
        await bench.at_rest(b"")
        costs = [row for case in CASES for row in await _case(bench, *case)]
        for row in leftovers:
            row["sockets_at_end"] = await _sockets(bench.systems[row["system"]], row["sockets_before"])
    return Report([_costs(costs), _leftovers(leftovers)], list(_broken(costs, leftovers)))


@asynccontextmanager
async def _up() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Child("tests.bench.gateway_upstream"))
        address = upstream.ready["address"]
        relay = await stack.enter_async_context(Child("tests.bench.gateway_baseline", address))
        ours = await stack.enter_async_context(gateway(address))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        at_rest: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/{AT_REST}")
        systems = {"relay": Front(relay.pid, relay.ready["port"]), "gateway": ours}
        yield Bench(systems, upstream.pid, at_rest)


async def _case(bench: Bench, streams: int, events: int, pace: float | None) -> Sequence[Mapping[str, Any]]:
    say(f"{streams} streams of {events} events, {'unpaced' if pace is None else f'{pace:g} a second'}")
    theme = str(events) if pace is None else f"{events}@{pace:g}"
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in bench.systems}
    for _ in range(REPETITIONS):
        for name, front in bench.systems.items():
            parts[name].append(await _once(bench, front, theme, streams, events))
    shape = {"streams": streams, "events_per_second": pace or "unpaced"}
    rows = [{"system": name} | shape | _together(each, paced=pace is not None) for name, each in parts.items()]
    floor = rows[0]["cpu_us_per_event"]
    return [row | {"cpu_ratio": round(row["cpu_us_per_event"] / floor, 3)} for row in rows]


async def _once(bench: Bench, front: Front, theme: str, streams: int, events: int) -> dict[str, Any]:
    before = _clocks(bench, front)
    heard = await read(front.port, theme, streams)
    most = int(await bench.at_rest(b""))
    await asyncio.sleep(_SETTLE_SECONDS)
    spent = [after - former for after, former in zip(_clocks(bench, front), before, strict=True)]
    cost, upstream, reader = (each * 1e6 / (streams * events) for each in spent)
    return {"cost": cost, "upstream": upstream, "reader": reader, "most": most} | _told(heard, events)


def _clocks(bench: Bench, front: Front) -> Sequence[float]:
    return cpu_seconds(front.pid), cpu_seconds(bench.upstream), time.process_time()


def _told(heard: Sequence[Heard], events: int) -> dict[str, Any]:
    lags = [lag for each in heard for lag in each.lags]
    return {"lags": lags, "errors": sum(not each.is_whole(events) for each in heard)}


def _together(parts: Sequence[dict[str, Any]], *, paced: bool) -> dict[str, Any]:
    """The repetitions as one: medians of the costs, the lags of all."""
    lags = [lag for each in parts for lag in each["lags"]] if paced else []
    return {
        "cpu_us_per_event": round(median(each["cost"] for each in parts), 1),
        "cpu_us_per_event_each": [round(each["cost"], 1) for each in parts],
        "upstream_us_per_event": round(median(each["upstream"] for each in parts), 1),
        "reader_us_per_event": round(median(each["reader"] for each in parts), 1),
        "lag_ms_p50": milliseconds(percentile(lags, 50)),
        "lag_ms_p99": milliseconds(percentile(lags, 99)),
        "open_at_once": max(each["most"] for each in parts),
        "errors": sum(each["errors"] for each in parts),
    }


async def _leave(bench: Bench, name: str, front: Front) -> dict[str, Any]:
    say(f"{BROWSERS} browsers that leave in the midst of it, {name}")
    await read(front.port, "10", 1)
    sockets, rss = open_sockets(front.pid), rss_mib(front.pid)
    streams = await hold(front.port, HELD, BROWSERS)
    held, opened = rss_mib(front.pid), open_sockets(front.pid)
    left = time.monotonic()
    for stream in streams:
        stream.leave()
    async with asyncio.timeout(_AT_REST_SECONDS):
        await bench.at_rest(b"")
    after = await _sockets(front, sockets)
    return {
        "system": name,
        "streams": BROWSERS,
        "rss_mib": round(held, 1),
        "kib_per_stream": round((held - rss) * 1024 / BROWSERS, 1),
        "sockets_before": sockets,
        "sockets_open": opened,
        "sockets_after": after,
        "milliseconds_until_closed": round((time.monotonic() - left) * 1000),
    }


async def _sockets(front: Front, expected: int) -> int:
    """Its open sockets, once there are no more than expected or the time is up."""
    # When every call has ended, its connections are closed within a turn of the loop, of which nothing tells.
    until = time.monotonic() + _AT_REST_SECONDS
    while (found := open_sockets(front.pid)) > expected and time.monotonic() < until:  # noqa: ASYNC110 -- as said
        await asyncio.sleep(0)
    return found


def _broken(costs: Sequence[Mapping[str, Any]], leftovers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ours = [row for row in costs if row["system"] == "gateway"]
    for row in ours:
        if row["cpu_ratio"] > MOST_RATIO:
            case = f"{row['streams']} streams, events/s {row['events_per_second']}"
            yield f"an event costs {row['cpu_ratio']:.2f} times as much as the relay's ({case})"
    if lost := sum(row["errors"] for row in costs):
        yield f"{lost} streams did not bring every event once and in order"
    if (most := max(row["open_at_once"] for row in ours)) < BROWSERS:
        yield f"at most {most} of {BROWSERS} streams were open at the same time"
    for row in leftovers:
        left = max(row["sockets_after"], row["sockets_at_end"]) - row["sockets_before"]
        if row["system"] == "gateway" and left > 0:
            yield f"{left} sockets are left of browsers that went away"


def _costs(rows: Sequence[Mapping[str, Any]]) -> Table:
    notes = (
        f"CPU is each process's own clock, user and system, all threads; the median of {REPETITIONS} repetitions, in "
        "which the two systems take turns. It includes the requests and the connections, one a stream.",
        "relay: Starlette's StreamingResponse on uvicorn over the generated stub, json.dumps of the same fields. It "
        "does not resume, validate or answer errors as statuses, and has no pings, no farewells and no log.",
        "gateway: python -m service.gateway, defaults, with its log.",
        "An event is a sentence of 70 to 80 characters; all streams begin at once, and paced ones spread over the "
        "first interval.",
        "The lag is from the upstream's making of an event to the reader's reading of it; unpaced it would be the "
        "queue's.",
    )
    return Table("an event's way through the gateway beside a relay written by hand", COSTS, rows, notes)


def _leftovers(rows: Sequence[Mapping[str, Any]]) -> Table:
    notes = (
        "All browsers leave at once, each after its first event, while the upstream is silent.",
        "The memory is the growth of the resident set of a fresh process, one story after its start.",
        "All is closed when the upstream has no call under way and the system as many sockets as before; at the end is "
        "after all other cases.",
    )
    return Table("what browsers leave behind that go away", LEFTOVERS, rows, notes)
