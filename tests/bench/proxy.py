"""What a proxy adds to an event's way to the browser: those that we ship a file for, beside the gateway without one."""

import asyncio
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import milliseconds, percentile
from tests.bench.gateway_load import STREAM_SECONDS, Heard, Stream
from tests.bench.gateway_processes import gateway
from tests.bench.processes import Child
from tests.bench.report import Column, Report, Table, say
from tests.deploy.certificate import make_certificate
from tests.deploy.envoy import ENVOY
from tests.deploy.nginx import NGINX
from tests.deploy.proxy import NOWHERE, Behind

MOST_ADDED_SECONDS = 0.020
"""What a proxy may add to an event's way, at the median."""

STREAMS = (1, 10, 50)
EVENTS, PACE = 40, 20
"""Of each stream, and how many of them a second."""

REPETITIONS = 3

COLUMNS = (
    Column("route", "route"),
    Column("streams", "streams"),
    Column("events", "events"),
    Column("lag_ms_p50", "lag ms p50", 2),
    Column("lag_ms_p99", "p99", 2),
    Column("added_ms_p50", "added ms p50", 2),
    Column("added_ms_p99", "p99", 2),
    Column("errors", "errors"),
)

DIRECT = "gateway"


@dataclass(frozen=True, slots=True)
class Route:
    """A way to the gateway; with a context it is encrypted."""

    port: int
    context: ssl.SSLContext | None = None


async def measure() -> Report:
    """The same streams over every route in turn, again and again."""
    async with _routes() as routes:
        for route in routes.values():
            await _read(route, 10)
        rows = [row for streams in STREAMS for row in await _case(routes, streams)]
    return Report([_table(rows)], list(_broken(rows)))


@asynccontextmanager
async def _routes() -> AsyncIterator[Mapping[str, Route]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = await stack.enter_async_context(Child("tests.bench.gateway_upstream"))
        direct = await stack.enter_async_context(gateway(upstream.ready["address"]))
        routes = {DIRECT: Route(direct.port)}
        for make in (NGINX, ENVOY):
            if not (shutil.which(make.name) and shutil.which("openssl")):
                say(f"{make.name} or openssl is not installed: {make.name} is not measured")
                continue
            (directory := folder / make.name).mkdir()
            certificate = make_certificate(directory)
            started = make.start(Behind(direct.port, NOWHERE), certificate, directory, {})
            proxy = await stack.enter_async_context(started)
            routes[make.name] = Route(proxy.port, ssl.create_default_context(cafile=str(certificate.chain)))
        yield routes


async def _case(routes: Mapping[str, Route], streams: int) -> Sequence[dict[str, Any]]:
    say(f"{streams} streams of {EVENTS} events at {PACE} a second")
    heard: dict[str, list[Heard]] = {name: [] for name in routes}
    for _ in range(REPETITIONS):
        for name, route in routes.items():
            heard[name] += await _read(route, streams)
    rows = [{"route": name, "streams": streams} | _figures(each) for name, each in heard.items()]
    return [row | _added(row, rows[0]) for row in rows]


async def _read(route: Route, streams: int) -> Sequence[Heard]:
    loop = asyncio.get_running_loop()
    theme = f"{EVENTS}@{PACE}"
    opening = [
        loop.create_connection(lambda: Stream(theme), "127.0.0.1", route.port, ssl=route.context)
        for _ in range(streams)
    ]
    readers = [reader for _, reader in await asyncio.gather(*opening)]
    async with asyncio.timeout(STREAM_SECONDS):
        await asyncio.gather(*(each.ended for each in readers))
    return [each.heard for each in readers]


def _figures(heard: Sequence[Heard]) -> dict[str, Any]:
    lags = [lag for each in heard for lag in each.lags]
    return {
        "events": len(lags),
        "lag_ms_p50": milliseconds(percentile(lags, 50)),
        "lag_ms_p99": milliseconds(percentile(lags, 99)),
        "errors": sum(not each.is_whole(EVENTS) for each in heard),
    }


def _added(row: Mapping[str, Any], direct: Mapping[str, Any]) -> dict[str, float]:
    if row is direct or row["lag_ms_p50"] is None or direct["lag_ms_p50"] is None:
        return {}
    return {f"added_ms_{each}": round(row[f"lag_ms_{each}"] - direct[f"lag_ms_{each}"], 2) for each in ("p50", "p99")}


def _broken(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        case = f"{row['route']}, {row['streams']} streams"
        if row["errors"]:
            yield f"{case}: {row['errors']} did not bring every event once and in order"
        if row.get("added_ms_p50", 0.0) >= MOST_ADDED_SECONDS * 1e3:
            yield f"{case}: an event comes {row['added_ms_p50']:.1f} ms later at the median than without the proxy"


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    notes = (
        "The lag is from the service's making of an event to the reader's reading of it; the service plays a script, "
        "the gateway is python -m service.gateway with defaults.",
        "The proxies are those installed, with the files under deploy/; browsers speak HTTP/1.1 over TLS to them, a "
        "connection each, and plain HTTP/1.1 to the gateway.",
        f"All events of {REPETITIONS} repetitions, in which the routes take turns. Added is the difference of the same "
        "percentiles, not the percentile of differences.",
    )
    return Table("an event's way to the browser, with a proxy and without", COLUMNS, rows, notes)
