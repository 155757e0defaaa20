"""The table of faults: each way in which a model fails, at each moment of a story, read over gRPC and over HTTP.

Whatever it is, the run ends within a bound with a typed error, what was sent is what is in the log, nothing is complete
that is not whole, and no connection to the model is left behind.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from fabula import RunFailed
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, Served, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, browsing, read, watch_path
from tests.stories import APPROVAL, TEXT, chapter, is_review

BEGUN = 60
"""Lines after which the first sentence has been released."""

BOUNDS: Mapping[str, Any] = {"model_max_tokens": 400, "model_retries": 1}
"""What is before any text is asked away once, in vain."""

HUSHED: Mapping[str, Any] = {"model_idle_seconds": 0.5}
"""The others may take their time: a slow machine is no silent model."""

SLOW: Mapping[str, Any] = {"run_timeout_seconds": 2, "review_timeout_seconds": 0.3, "model_idle_seconds": 30}

STORY, UNLIKE = chapter(), chapter(choices="none")


@dataclass(frozen=True)
class Fault:
    """What the model does at each moment, None where it can't; and how a run ends that has no text yet or has some."""

    before: Reply | None
    amid: Reply | None
    review: Reply | None
    reason: str
    settings: Mapping[str, Any] = field(default_factory=lambda: BOUNDS)


def at(name: str, **more: Any) -> tuple[Reply, Reply, Reply]:
    """A fault that may come after any line."""

    def reply(content: Mapping[str, Any], lines: int) -> Reply:
        fields: dict[str, Any] = {name: lines, **more}
        return Reply(content=content, **fields)

    return reply(STORY, 0), reply(STORY, BEGUN), reply(APPROVAL, 1)


def outright(**reply: Any) -> tuple[Reply, None, Reply]:
    """A fault that comes instead of an answer."""
    return Reply(**reply), None, Reply(**reply)


DRIP = Reply(content=" " * 40_000, delay_seconds=0.05)
LONG_DRIP = Reply(content=STORY, chunk_chars=100, endless_after=2, delay_seconds=0.05)

FAULTS = {
    "not found": Fault(*outright(status=404), "MODEL_NOT_FOUND"),
    "too many requests": Fault(*outright(status=429, retry_after="3600"), "MODEL_UNAVAILABLE"),
    "server error": Fault(*outright(status=500), "MODEL_UNAVAILABLE"),
    "hang before headers": Fault(*outright(stall_before_headers=True), "MODEL_TIMEOUT", HUSHED),
    "hang in mid-stream": Fault(*at("stall_after"), "MODEL_TIMEOUT", HUSHED),
    "slow drip": Fault(DRIP, LONG_DRIP, DRIP, "RUN_DEADLINE_EXCEEDED", SLOW),
    "cut off": Fault(*at("cut_after"), "MODEL_UNAVAILABLE"),
    "end without done": Fault(
        Reply(content="", end_without_done=True),
        Reply(content=STORY, end_without_done=True),
        Reply(content=APPROVAL, end_without_done=True),
        "MODEL_UNAVAILABLE",
    ),
    "error line": Fault(*at("error_line_after"), "MODEL_UNAVAILABLE"),
    "malformed line": Fault(*at("malformed_line_after"), "MODEL_OUTPUT_INVALID"),
    "deep line": Fault(*at("malformed_line_after", malformed_line="[" * 100_000), "MODEL_OUTPUT_INVALID"),
    "line of 64 MB": Fault(*at("huge_line_after"), "MODEL_OUTPUT_INVALID"),
    "endless tokens": Fault(*at("endless_after"), "MODEL_OUTPUT_TRUNCATED"),
    "empty answer": Fault(*outright(content=""), "MODEL_OUTPUT_INVALID"),
    "outside the schema": Fault(
        Reply(content={"tale": "none"}),
        Reply(content=UNLIKE),
        Reply(content={"approved": "yes"}),
        "MODEL_OUTPUT_INVALID",
    ),
}


CASES = [
    pytest.param(fault, moment, reply, id=f"{name}-{moment}")
    for name, fault in FAULTS.items()
    for moment in ("before", "amid", "review")
    if (reply := getattr(fault, moment)) is not None
]


@dataclass
class Seen:
    """What a reader has seen of a run."""

    run_id: str
    sequences: list[int]
    kinds: list[str]
    text: str
    reason: str


async def over_grpc(served: Served) -> Seen:
    stream = served.client.tell("night")
    events, error = await outcome(stream)
    assert isinstance(error, RunFailed)
    kinds = [str(event.WhichOneof("event")) for event in events]
    # What was withdrawn is blank in the log; nothing else may differ from what was sent.
    assert "retraction" in kinds or await logged(served, str(stream.run_id)) == events
    return Seen(str(stream.run_id), [event.sequence for event in events], kinds, standing(events), error.reason)


async def over_sse(served: Served) -> Seen:
    async with browsing(served) as http:
        found = await read(http, GENERATE, NIGHT)
        again = await read(http, watch_path(found.run_id))
    kinds = [each["type"] for each in found.data]
    assert "retraction" in kinds or again.data == found.data
    assert (again.sequences, again.text) == (found.sequences, found.text)
    reason = found.data[-1]["data"]["code"].upper()
    return Seen(found.run_id, found.sequences, kinds, found.text, reason)


def play(ollama: OllamaServer, moment: str, reply: Reply) -> None:
    if moment == "review":
        ollama.answer(is_review, lambda _: reply)
        ollama.reply_by_default(Reply(content=STORY, chunk_chars=40))
    else:
        ollama.reply_by_default(reply)


async def logged(served: Served, run_id: str) -> list[story_pb2.StoryEvent]:
    return (await outcome(served.client.watch(run_id)))[0]


@pytest.mark.parametrize(("fault", "moment", "reply"), CASES)
async def test_whatever_the_model_does_the_run_ends_typed_and_whole(
    serve: Serve, ollama: OllamaServer, fault: Fault, moment: str, reply: Reply
) -> None:
    play(ollama, moment, reply)
    async with serve(http_address="127.0.0.1:0", **fault.settings) as served, asyncio.timeout(WITHIN):
        for seen in await asyncio.gather(over_grpc(served), over_sse(served)):
            log = await logged(served, seen.run_id)
            assert seen.reason == ("REVIEW_UNAVAILABLE" if moment == "review" else fault.reason)
            assert seen.sequences == [event.sequence for event in log] == list(range(1, len(log) + 1))
            assert seen.kinds == [event.WhichOneof("event") for event in log]
            assert (seen.kinds[-1], seen.kinds.count("error"), "complete" in seen.kinds) == ("error", 1, False)
            assert ("retraction" in seen.kinds) == (moment == "review")
            assert seen.text == standing(log)
            assert bool(seen.text) == (moment == "amid")
            assert reply.endless_after is not None or TEXT.startswith(seen.text)
        await ollama.wait_for_chats(0)
        assert [each async for each in served.client.list_stories()] == []


async def test_a_server_that_refuses_every_connection_ends_the_run_too(serve: Serve, ollama: OllamaServer) -> None:
    await ollama.stop()
    async with serve(http_address="127.0.0.1:0", **BOUNDS) as served, asyncio.timeout(WITHIN):
        for seen in await asyncio.gather(over_grpc(served), over_sse(served)):
            assert (seen.reason, seen.kinds[-1], seen.text) == ("MODEL_UNAVAILABLE", "error", "")


async def test_a_model_that_is_not_there_is_told_with_the_command_that_pulls_it(
    serve: Serve, ollama: OllamaServer
) -> None:
    async with serve(model="ollama:unknown:7b") as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert "'unknown:7b'" in error.message
    assert "`ollama pull unknown:7b`" in error.message
