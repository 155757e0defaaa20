"""What the release gate adds to the way of clean text: by itself, and of all that lies between model and client."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import grpc.aio

from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import GenerateStoryRequest, StoryEvent
from service.config import Config
from service.safety.screen import Screen
from tests.bench.chapters import PACE, TOKEN_CHARACTERS, judged
from tests.bench.clocked import ClockedServer
from tests.bench.figures import milliseconds, percentile
from tests.bench.gates import (
    NOTHING_TO_FIND,
    Way,
    feed_interleaved,
    screen_of_the_service,
    texts_of_tokens,
    way_through,
)
from tests.bench.report import Column, Report, Table, say
from tests.bench.service import serving
from tests.bench.watched import theme
from tests.ollama_server import STORY, Reply
from tests.stories import chapter, is_review

STREAMS = 50
TARGET_SECONDS = 0.001
SPREAD_SECONDS = 1.0
"""The streams begin one after the other within so long, so that their tokens do not all come at the same instant."""

STREAM_SECONDS = 45.0

WARM_UP = STREAMS
"""The number of the story that comes first and does not count."""

RELEASES: Sequence[tuple[str, "run_pb2.Release.ValueType"]] = (
    ("SENTENCE", run_pb2.RELEASE_SENTENCE),
    ("PARAGRAPH", run_pb2.RELEASE_PARAGRAPH),
    ("TOKEN", run_pb2.RELEASE_TOKEN),
)

ANSWER = chapter(STORY, choices=["They sing", "They sleep"], educational_elements=["Kindness"])
TOKENS = texts_of_tokens(ANSWER)
TELLING = Reply(content=ANSWER, chunk_chars=TOKEN_CHARACTERS, tokens_per_second=PACE)

ALONE = (
    Column("release", "release"),
    Column("feeds", "feeds"),
    Column("feed_us_p50", "feed µs p50", 1),
    Column("feed_us_p99", "p99", 1),
    Column("feed_us_max", "max", 1),
    Column("releases", "releasing feeds"),
    Column("release_us_p50", "releasing µs p50", 1),
    Column("release_us_p99", "p99", 1),
    Column("release_us_max", "max", 1),
    Column("units", "units a text"),
    Column("held_units", "held for the screen"),
    Column("held_tokens_max", "tokens at most"),
)

BETWEEN = (
    Column("release", "release"),
    Column("events", "events"),
    Column("end_ms_p50", "from its end ms p50", 1),
    Column("end_ms_p99", "p99", 1),
    Column("whole_ms_p50", "from known whole ms p50", 1),
    Column("whole_ms_p99", "p99", 1),
    Column("cleared_ms_p50", "from cleared ms p50", 1),
    Column("cleared_ms_p99", "p99", 1),
    Column("cleared_ms_max", "max", 1),
    Column("commit_ms", "commit interval ms", 1),
    Column("gate_ms_p99", "gate's own ms p99", 3),
    Column("errors", "errors"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """Text that came to a client: at which end of the story's text it left off, and when."""

    end: int
    came: float


async def measure() -> Report:
    """The gates alone, then the service with them, one release mode after the other."""
    screen = await screen_of_the_service()
    alone = [_alone(name, release, screen) for name, release in RELEASES]
    between = [await _between(name, release, screen) for name, release in RELEASES]
    between = [row | {"gate_ms_p99": gate["release_us_p99"] / 1e3} for row, gate in zip(between, alone, strict=True)]
    slow = [
        f"{row['release']}: the gate itself takes {row['release_us_p99']:.0f} µs (p99) to let a unit go"
        for row in alone
        if row["release_us_p99"] >= TARGET_SECONDS * 1e6
    ]
    wrong = [f"{row['release']}: {row['errors']} streams did not bring the whole story" for row in between]
    wrong = [sentence for row, sentence in zip(between, wrong, strict=True) if row["errors"]]
    return Report([_alone_table(alone), _between_table(between)], slow + wrong)


def _alone(name: str, release: "run_pb2.Release.ValueType", screen: Screen) -> dict[str, Any]:
    say(f"{STREAMS} gates by turns, {name}")
    fed = feed_interleaved(screen, release, TOKENS, STREAMS)
    held = _held(way_through(screen, release, TOKENS), way_through(NOTHING_TO_FIND, release, TOKENS))
    return {
        "release": name,
        "feeds": len(fed.every),
        **_microseconds("feed_us", fed.every),
        "releases": len(fed.releasing),
        **_microseconds("release_us", fed.releasing),
        "units": len(held),
        "held_units": sum(tokens > 0 for tokens in held),
        "held_tokens_max": max(held),
    }


def _held(way: Way, free: Way) -> Sequence[int]:
    """For each unit by how many tokens it left later than it was known to be whole."""
    return [way.token_that_let_go(end) - free.token_that_let_go(end) for end in free.ends if end <= way.ends[-1]]


async def _between(name: str, release: "run_pb2.Release.ValueType", screen: Screen) -> dict[str, Any]:
    say(f"{STREAMS} streams at {PACE:g} tokens/s, {name}")
    async with ClockedServer() as model:
        model.reply_by_default(TELLING)
        model.answer(is_review, lambda _: judged(PACE))
        async with serving(model.base_url) as service, grpc.aio.insecure_channel(service.address) as channel:
            await channel.channel_ready()
            model.reply_with(replace(TELLING, tokens_per_second=None))
            await _listen(channel, release, WARM_UP)
            heard = await asyncio.gather(*(_listen(channel, release, number) for number in range(STREAMS)))
        errors = sum(not whole for _, whole in heard)
        stories = [(events, model.written[number]) for number, (events, whole) in enumerate(heard) if whole]
    way, free = way_through(screen, release, TOKENS), way_through(NOTHING_TO_FIND, release, TOKENS)
    lags = {
        "end_ms": [each.came - written[way.token_of(each.end)] for events, written in stories for each in events],
        "whole_ms": [
            each.came - written[free.token_that_let_go(each.end)] for events, written in stories for each in events
        ],
        "cleared_ms": [
            each.came - written[way.token_that_let_go(each.end)] for events, written in stories for each in events
        ],
    }
    figures = {f"{key}_p{percent}": _ms(values, percent) for key, values in lags.items() for percent in (50, 99, 100)}
    commit = Config.model_fields["commit_interval_seconds"].default
    return {
        "release": name,
        "events": len(lags["end_ms"]),
        **figures,
        "cleared_ms_max": figures["cleared_ms_p100"],
        "commit_ms": commit * 1e3,
        "errors": errors,
    }


async def _listen(
    channel: grpc.aio.Channel, release: "run_pb2.Release.ValueType", number: int
) -> tuple[Sequence[Event], bool]:
    """The text events of one story but the last, which waits for the answer's end; and whether the story was whole."""
    await asyncio.sleep(number % STREAMS * SPREAD_SECONDS / STREAMS)
    request = GenerateStoryRequest(child_id="1", theme=theme(number), release=release).SerializeToString()
    ask: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
        "/fabula.story.v1.StoryService/GenerateStory"
    )
    came: list[tuple[float, bytes]] = []
    try:
        async for message in ask(request, timeout=STREAM_SECONDS):
            came.append((time.perf_counter(), message))  # noqa: PERF401 -- what came before an error counts, too
    except grpc.aio.AioRpcError:
        return [], False
    # Parsed only now: that must not delay the clock of another stream.
    contents = [(moment, StoryEvent.FromString(message).content) for moment, message in came]
    chunks = [(moment, content.chunk) for moment, content in contents if content.chunk]
    events, end = [], 0
    for moment, chunk in chunks:
        end += len(chunk)
        events.append(Event(end, moment))
    return events[:-1], "".join(chunk for _, chunk in chunks) == STORY


def _microseconds(key: str, seconds: Sequence[float]) -> dict[str, float]:
    return {
        f"{key}_p50": round((percentile(seconds, 50) or 0) * 1e6, 1),
        f"{key}_p99": round((percentile(seconds, 99) or 0) * 1e6, 1),
        f"{key}_max": round(max(seconds, default=0) * 1e6, 1),
    }


def _ms(seconds: Sequence[float], percent: float) -> float | None:
    return milliseconds(percentile(seconds, percent))


def _alone_table(rows: Sequence[dict[str, Any]]) -> Table:
    notes = (
        f"{STREAMS} gates in one process, fed by turns with the same {TOKEN_CHARACTERS}-character tokens of a clean "
        "chapter, decoded as the service decodes them, under the screen that the service opens for the demo child.",
        "A releasing feed is the time from the text that decides a unit to that unit: what the gate itself adds. "
        f"Target: p99 under {TARGET_SECONDS * 1e3:g} ms. Garbage collection is on and counts.",
        "Held for the screen: units that left later than under a screen with nothing to find, as what stood at their "
        "end could have become a phrase; and by how many tokens at the most. That is waiting for the model, not work.",
    )
    return Table("the release gate by itself", ALONE, rows, notes)


def _between_table(rows: Sequence[dict[str, Any]]) -> Table:
    notes = (
        f"`python -m service`, SQLite, {STREAMS} streams at {PACE:g} tokens/s each, begun within {SPREAD_SECONDS:g} s "
        "after one that does not count; model server and clients share one process, whose own delays count.",
        "To the client's event, from the writing of the model's token that: ends the unit; shows that it is whole, 50 "
        "ms later where that is the next one; clears it, after what the screen held. The last unit waits for the "
        "answer's end and is left out.",
        "No service is without a gate, so compare: the log commits in groups of one interval, and the gate's own part "
        "is that of the table above.",
    )
    return Table("from the model's token to the client's event", BETWEEN, rows, notes)
