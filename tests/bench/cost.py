"""What a token costs and how soon the first one comes, beside a bare relay in the same run."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import GenerateStoryRequest, StoryEvent
from tests.bench.chapters import MODEL, PACE, TELLING, token_count
from tests.bench.figures import milliseconds, percentile
from tests.bench.load import Heard, Target, load
from tests.bench.processes import Child, cpu_seconds, rss_mib
from tests.bench.relay_server import METHOD, SERVICE
from tests.bench.report import Column, Report, Table, say
from tests.bench.service import serving
from tests.stories import APPROVAL

CASES: Sequence[tuple[int, float | None]] = ((10, PACE), (50, PACE), (50, None))
"""Streams at once, and the tokens a second of each; None is as fast as the model server can."""

SYSTEMS: Sequence[tuple[str, "run_pb2.Release.ValueType | None"]] = (
    ("relay", None),
    ("fabula SENTENCE", run_pb2.RELEASE_SENTENCE),
    ("fabula TOKEN", run_pb2.RELEASE_TOKEN),
)

_SETTLE_SECONDS = 0.3
"""For what a server does after its last message."""

COLUMNS = (
    Column("system", "system"),
    Column("streams", "streams"),
    Column("tokens_per_second", "tokens/s each"),
    Column("cpu_us_per_token", "CPU µs/token"),
    Column("cpu_ratio", "× relay", 2),
    Column("first_event_ms_p50", "first event ms p50", 1),
    Column("first_event_ms_p99", "p99", 1),
    Column("first_content_ms_p50", "first content ms p50", 1),
    Column("first_content_ms_p99", "p99", 1),
    Column("rss_mib", "RSS MiB", 1),
    Column("messages_per_stream", "messages/stream", 1),
    Column("errors", "errors"),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A system that is up: whose CPU counts, where it listens, what is asked of it."""

    pid: int
    address: str
    target: Target


async def measure() -> Report:
    """Every system in every case, each in a fresh process over a fresh model server."""
    rows: list[dict[str, Any]] = []
    for streams, pace in CASES:
        case = [await _case(system, release, streams, pace) for system, release in SYSTEMS]
        rows += [row | {"cpu_ratio": round(row["cpu_us_per_token"] / case[0]["cpu_us_per_token"], 3)} for row in case]
    failed = sum(row["errors"] for row in rows)
    broken = [f"{failed} streams did not bring the whole story"] if failed else []
    return Report([_table(rows)], broken)


async def _case(
    system: str, release: "run_pb2.Release.ValueType | None", streams: int, pace: float | None
) -> dict[str, Any]:
    say(f"{system}, {streams} streams, {'unpaced' if pace is None else f'{pace:g} tokens/s'}")
    row = {"system": system, "streams": streams, "tokens_per_second": pace or "unpaced"}
    arguments = ["--warm-ups", "1", *([] if pace is None else ["--tokens-per-second", str(pace)])]
    async with Child("tests.bench.model_server", *arguments) as model:
        opened = _relay if release is None else _service
        async with opened(model.ready["base_url"], release or run_pb2.RELEASE_UNSPECIFIED) as server:
            await load(server.address, server.target, 1)
            await asyncio.sleep(_SETTLE_SECONDS)
            before = cpu_seconds(server.pid)
            heard = await load(server.address, server.target, streams)
            await asyncio.sleep(_SETTLE_SECONDS)
            spent = cpu_seconds(server.pid) - before
            return row | _figures(heard, spent, rss_mib(server.pid, peak=True))


def _relay(base_url: str, _: "run_pb2.Release.ValueType") -> AbstractAsyncContextManager[Server]:
    target = Target(f"/{SERVICE}/{METHOD}", b"a fox", lambda _: True, lambda messages: len(messages) == token_count())
    return _relaying(base_url, target)


@asynccontextmanager
async def _relaying(base_url: str, target: Target) -> AsyncIterator[Server]:
    async with Child("tests.bench.relay_server", base_url, MODEL) as relay:
        yield Server(relay.pid, relay.ready["address"], target)


@asynccontextmanager
async def _service(base_url: str, release: "run_pb2.Release.ValueType") -> AsyncIterator[Server]:
    request = GenerateStoryRequest(child_id="1", theme="a fox", release=release).SerializeToString()
    target = Target("/fabula.story.v1.StoryService/GenerateStory", request, _is_content, _is_whole)
    async with serving(base_url, max_runs=200, max_streams=200) as service:
        yield Server(service.pid, service.address, target)


def _is_content(message: bytes) -> bool:
    return StoryEvent.FromString(message).HasField("content")


def _is_whole(messages: Sequence[bytes]) -> bool:
    events = [StoryEvent.FromString(message) for message in messages]
    text = "".join(event.content.chunk for event in events)
    return bool(events) and text == events[-1].complete.story_content == TELLING["story_content"]


def _figures(heard: Sequence[Heard], cpu: float, rss: float) -> dict[str, Any]:
    events = [each.first_event for each in heard if each.first_event is not None]
    contents = [each.first_content for each in heard if each.first_content is not None]
    return {
        "cpu_us_per_token": round(cpu * 1e6 / (len(heard) * token_count()), 1),
        "first_event_ms_p50": milliseconds(percentile(events, 50)),
        "first_event_ms_p99": milliseconds(percentile(events, 99)),
        "first_content_ms_p50": milliseconds(percentile(contents, 50)),
        "first_content_ms_p99": milliseconds(percentile(contents, 99)),
        "rss_mib": round(rss, 1),
        "messages_per_stream": sum(each.messages for each in heard) / len(heard),
        "errors": sum(not each.whole for each in heard),
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    notes = (
        f"CPU is the server process's own, user and system, all threads (/proc/<pid>/stat), over {token_count()} model "
        "tokens a stream; model server and load generator are other processes.",
        f"The service's figures include the review of each story: one more call of the model, whose answer of "
        f"{token_count(APPROVAL)} tokens is not among those counted. The relay asks for none.",
        "relay: ollama.AsyncClient without a connection limit, one grpc.aio message a chunk, no workflow, no log.",
        "fabula: defaults, SQLite; first content of SENTENCE is a whole, screened sentence, of TOKEN what can't become "
        "a blocked phrase any more; the relay's is the model's first token, unscreened.",
        "The relay's first event waits for the model's first token, 50 ms at 20 tokens/s; fabula's does not.",
        "RSS is the peak. All streams start at once over one channel; one story each before the count starts.",
    )
    return Table("CPU, first event and memory beside a bare relay", COLUMNS, rows, notes)
