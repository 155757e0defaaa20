"""Whether what a client has seen outlives kill -9 of the service, and how long it takes to serve again."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc.aio

from fabula import FabulaClient
from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import GenerateStoryRequest
from tests.bench.chapters import TELLING, TOKEN_CHARACTERS
from tests.bench.figures import milliseconds, percentile
from tests.bench.ledger import is_terminal, violations
from tests.bench.report import Column, Report, Table, say
from tests.bench.service import Service, serving
from tests.bench.wire import Heard, generate, watch
from tests.ollama_server import ChatRequest, OllamaServer, Reply
from tests.stories import UNFIT, approve, chapter, is_review

KILLS = 50
SEED = 20_261_107

STREAM_SECONDS = 2.0
"""Somewhere in so long after the calls the kill comes. A stream takes some 1.5 s, so that some have just ended."""

TOKENS_PER_SECOND = 300.0

UNFIT_THEME = "a fox and a thing that is written anew"
"""The model's first chapter of it does not pass the review: a log with withdrawn text meets the crash as well."""

REQUESTS = tuple(
    GenerateStoryRequest(child_id="1", theme=theme, release=release)
    for theme in ("a fox", UNFIT_THEME)
    for release in (run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_TOKEN)
)
"""The streams that are open at every kill."""

COLUMNS = (
    Column("kills", "kills"),
    Column("streams", "streams"),
    Column("cut", "cut mid-stream"),
    Column("silent", "cut before an event"),
    Column("ended", "ended before"),
    Column("withdrawn", "with a retraction"),
    Column("events_seen", "events seen"),
    Column("events_checked", "events checked"),
    Column("violations", "violations"),
    Column("serving_ms_p50", "start to serving ms p50"),
    Column("serving_ms_max", "max"),
)


@dataclass(slots=True)
class Tally:
    """What all kills together showed; `kept` is every run's log as it was right after its crash."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    serving: list[float] = field(default_factory=list)
    kept: dict[str, Heard] = field(default_factory=dict)


async def measure() -> Report:
    """Kills the service again and again on one data directory, and checks every run after each restart."""
    rng, tally = random.Random(SEED), Tally()
    async with OllamaServer() as model:
        model.respond(_reply)
        model.answer(is_review, approve)
        async with serving(model.base_url) as service:
            for number in range(KILLS):
                await _crash(service, rng.uniform(0, STREAM_SECONDS), tally)
                _progress(number + 1, tally)
            await _check_all(service.address, tally)
    return Report([_table(tally)], tally.violations)


def _reply(request: ChatRequest) -> Reply:
    is_first_draft = UNFIT_THEME in request.prompt and '"task": "tell"' in request.prompt
    content = chapter(UNFIT) if is_first_draft else TELLING
    return Reply(content=content, chunk_chars=TOKEN_CHARACTERS, tokens_per_second=TOKENS_PER_SECOND)


async def _crash(service: Service, moment: float, tally: Tally) -> None:
    """One kill after `moment` seconds of streaming, one restart, and what became of the streams."""
    async with _channel(service.address) as channel:
        await channel.channel_ready()
        streams = [asyncio.create_task(generate(channel, request)) for request in REQUESTS]
        await asyncio.sleep(moment)
        await service.kill()
        heard = await asyncio.gather(*streams)
    began = time.monotonic()
    await service.start()
    tally.serving.append(time.monotonic() - began)
    async with _channel(service.address) as channel:
        await channel.channel_ready()
        await asyncio.gather(*(_check(channel, each, tally) for each in heard))


async def _check(channel: grpc.aio.Channel, seen: Heard, tally: Tally) -> None:
    tally.counts["streams"] += 1
    tally.counts["events_seen"] += len(seen.payloads)
    if not seen.payloads:
        tally.counts["silent"] += 1
        return
    tally.counts["ended" if is_terminal(seen.events[-1]) else "cut"] += 1
    kept = await watch(channel, seen.run_id)
    rest = await watch(channel, seen.run_id, len(seen.payloads))
    tally.kept[seen.run_id] = kept
    tally.counts["events_checked"] += len(kept.payloads) + len(rest.payloads)
    tally.counts["withdrawn"] += any(event.HasField("retraction") for event in kept.events)
    tally.violations += [f"run {seen.run_id}: {each}" for each in violations(seen, kept, rest)]


async def _check_all(address: str, tally: Tally) -> None:
    """After the last restart: every run that there is, also those whose client had seen nothing yet."""
    async with FabulaClient(address) as client, _channel(address) as channel:
        runs = [run async for run in client.list_runs(page_size=200)]
        for run in runs:
            now = await watch(channel, run.run_id)
            before = tally.kept.get(run.run_id, Heard())
            tally.counts["events_checked"] += len(now.payloads)
            tally.violations += [f"run {run.run_id}, later: {each}" for each in _later(run, before, now)]
        missing = tally.kept.keys() - {run.run_id for run in runs}
        tally.violations += [f"run {run_id} is not in the list of runs" for run_id in missing]


def _later(run: run_pb2.Run, before: Heard, now: Heard) -> Sequence[str]:
    rest = Heard(now.payloads[len(before.payloads) :], now.code)
    wrong = list(violations(before, now, rest))
    is_over = run.state in (run_pb2.RUN_STATE_SUCCEEDED, run_pb2.RUN_STATE_FAILED)
    if not is_over or run.last_sequence != len(now.payloads):
        wrong.append(f"it is {run_pb2.RunState.Name(run.state)} with last_sequence {run.last_sequence}")
    return wrong


def _channel(address: str) -> grpc.aio.Channel:
    # A connection of its own: gRPC shares one between channels, and with it the pause after a lost one.
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def _progress(kills: int, tally: Tally) -> None:
    if kills % 10 == 0:
        say(f"{kills} kills, {tally.counts['events_checked']} events checked, {len(tally.violations)} violations")


def _table(tally: Tally) -> Table:
    row = {
        "kills": KILLS,
        **{key: tally.counts[key] for key in ("streams", "cut", "silent", "ended", "withdrawn")},
        **{key: tally.counts[key] for key in ("events_seen", "events_checked")},
        "violations": len(tally.violations),
        "serving_ms_p50": milliseconds(percentile(tally.serving, 50)),
        "serving_ms_max": milliseconds(max(tally.serving)),
        "seed": SEED,
    }
    notes = (
        f"kill -9 at a random moment of {len(REQUESTS)} streams at once, SQLite in one data directory throughout.",
        "Checked after each restart: every event seen is kept byte for byte (or blanked by a retraction), sequences "
        "have no gap, one terminal event, RUN_INTERRUPTED unless the run had ended, and WatchStory after the last "
        "sequence seen gives the rest. At the end every run is checked once more.",
        "Start to serving: from the start of the process to its log line that it serves, recovery included.",
    )
    return Table("what outlives a crash", COLUMNS, [row], notes)
