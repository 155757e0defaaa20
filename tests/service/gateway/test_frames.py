"""Whatever a story holds, parsers that are not ours read it as it is."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sseclient
from google.protobuf.descriptor import MethodDescriptor

from fabula.gateway.v1 import sse_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_service_pb2
from fabula.story.v1.story_pb2 import StoryEvent
from service.gateway.frames import Framer, LineFramer
from tests.harness import WITHIN
from tests.service.gateway.browser import GENERATE, NIGHT, read
from tests.service.gateway.upstream import RUN_ID, fronted, told
from tests.tools import needed_module, required

GENERATE_STORY: MethodDescriptor = story_service_pb2.DESCRIPTOR.services_by_name["StoryService"].methods_by_name[
    "GenerateStory"
]

NASTY = {
    "newlines": "One.\nTwo.\r\nThree.\rFour.\n\n\n",
    "like a frame": "\n\nid: 99\nevent: x\ndata: {}\n\n: ping\nretry: 1\n\n",
    "separators": "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei",
    "emoji": "🦊👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "\u202eשלום\u202c مرحبا \u200f",
    "combining": "e\u0301 Z\u0335\u0322\u0321a\u0334",
    "controls": "\x00\x01\x1f\x7f\ufeff",
    "quotes": "\"'\\/</script><!--",
    "byte order mark": "\ufeffOnce",
    "spaces at both ends": "  and so  ",
    "like a field": "data",
    "like escapes": "\\n \\u2028 \\\u2028 \\ud83e",
    "lone carriage return": "\r",
    "no characters": "\ufffe\uffff\U0010ffff",
    "empty": "",
    "one megabyte": "Es war einmal 🦊 " * 50_000,
}

PARSE_EVENTS = Path(__file__).parent / "parse_events.js"
WHOLE = 1 << 30


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
async def test_two_parsers_read_any_text(text: str) -> None:
    async with fronted() as front:
        front.service.events = told("Once. ", text, " The end.")
        found = await read(front.http, GENERATE, NIGHT)
        raw = (await front.http.get(GENERATE, params=NIGHT)).content
        lines = (await front.http.get(GENERATE, params=NIGHT, headers={"Accept": "application/x-ndjson"})).content
    assert found.text == f"Once. {text} The end."
    assert found.sequences == [1, 2, 3, 4]
    others = list(sseclient.SSEClient(iter([raw])).events())
    assert [(each.id, each.event, each.data) for each in others] == [
        (each.id, each.event, each.data) for each in found.events
    ]
    assert [json.loads(line)["data"] for line in lines.decode().splitlines()] == [each["data"] for each in found.data]


async def test_a_browsers_parser_reads_any_text_however_the_bytes_are_cut() -> None:
    needed_module("eventsource-parser")
    texts = [(text, size) for text in NASTY.values() for size in _cuts(text)]
    raw = await _streams(NASTY.values())
    found = await _parsed((raw[text], size) for text, size in texts)
    for (text, size), events in zip(texts, found, strict=True):
        assert [(each["event"], each["id"]) for each in events] == [
            ("story_chunk", f"{RUN_ID}:{sequence}") for sequence in (1, 2, 3, 4)
        ]
        data = [json.loads(each["data"])["data"] for each in events]
        assert [each["chunk"] for each in data[:3]] == ["Once. ", text, " The end."], size
        assert data[3]["story_content"] == f"Once. {text} The end."


def _cuts(text: str) -> Sequence[int]:
    """Sizes of pieces; bytes one by one would take long where they are many."""
    return (1, 2, 3, 5, 7, 64, WHOLE) if len(text) < 1_000 else (65_521, WHOLE)


async def _streams(texts: Iterable[str]) -> Mapping[str, bytes]:
    """What the gateway sends of the story with each text in its midst."""
    raw: dict[str, bytes] = {}
    async with fronted() as front:
        for text in texts:
            front.service.events = told("Once. ", text, " The end.")
            raw[text] = (await front.http.get(GENERATE, params=NIGHT)).content
    return raw


async def _parsed(streams: Iterable[tuple[bytes, int]]) -> Sequence[Sequence[dict[str, str]]]:
    """The events of each stream, as npm's eventsource-parser reads them in pieces of so many bytes."""
    given = [{"data": base64.b64encode(data).decode(), "size": size} for data, size in streams]
    process = await asyncio.create_subprocess_exec(
        required("node"), str(PARSE_EVENTS), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(WITHIN):
        output, _ = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0
    found: list[list[dict[str, str]]] = [[] for _ in given]
    for line in output.splitlines():
        number, event = json.loads(line)
        found[number].append(event)
    return found


def test_an_event_is_one_frame_with_the_keys_of_its_envelope() -> None:
    event = StoryEvent(run_id=RUN_ID, sequence=7, progress_percent=31)
    event.content.chunk = "Once upon a time…"
    frame, terminal = Framer(GENERATE_STORY).frame(event.SerializeToString())
    assert frame.decode() == (
        "id: run-1:7\nevent: story_chunk\n"
        'data: {"type":"content","data":{"chunk":"Once upon a time…","is_complete":false,"segment":0,"revision":0,'
        '"withdrawn":false},"progress":31}\n\n'
    )
    assert not terminal


@pytest.mark.parametrize("field", ["complete", "error"])
def test_the_declared_events_end_a_run(field: str) -> None:
    event = StoryEvent(run_id=RUN_ID, sequence=7)
    getattr(event, field).SetInParent()
    assert Framer(GENERATE_STORY).frame(event.SerializeToString())[1]


def test_a_heartbeat_is_a_comment_without_an_id() -> None:
    beat = StoryEvent(run_id=RUN_ID, heartbeat=run_pb2.Heartbeat()).SerializeToString()
    assert Framer(GENERATE_STORY).frame(beat) == (b": ping\n", False)
    assert json.loads(LineFramer(GENERATE_STORY).frame(beat)[0]) == {"type": "heartbeat"}


def test_control_frames_carry_no_id() -> None:
    framer = Framer(GENERATE_STORY)
    for control in (framer.prelude, framer.ping, framer.farewell("stopping")):
        assert b"id:" not in control
        assert b"\n\n" not in control


def test_a_flat_envelope_holds_the_fields_beside_the_type() -> None:
    framer = Framer(Renamed(GENERATE_STORY, sse_pb2.SseOptions(envelope=sse_pb2.ENVELOPE_FLAT)))  # type: ignore[arg-type]
    event = StoryEvent(run_id=RUN_ID, sequence=1, progress_percent=5)
    event.node_event.MergeFrom(run_pb2.NodeEvent(node="plan", status=run_pb2.NODE_STATUS_STARTED, iteration=2))
    head, data = framer.frame(event.SerializeToString())[0].decode().split("data: ")
    assert head == "id: run-1:1\nevent: node_event\n"
    assert json.loads(data) == {
        "type": "node_event",
        "node": "plan",
        "status": "started",
        "iteration": 2,
        "progress": 5,
    }


class Renamed:
    """An RPC with other options."""

    def __init__(self, rpc: MethodDescriptor, options: sse_pb2.SseOptions) -> None:
        self.output_type = rpc.output_type
        self.Extensions = {sse_pb2.sse: options}

    def GetOptions(self) -> Any:  # noqa: N802 -- as descriptors have it
        return self


async def test_pings_come_while_the_service_is_silent() -> None:
    async with fronted(ping_seconds=0.05) as front:

        async def play(request: Any, context: Any) -> AsyncIterator[StoryEvent]:
            events = told("Once.")
            yield events[0]
            await heard.wait()
            yield events[1]

        heard = asyncio.Event()
        front.service.play = play
        text = b""
        async with front.http.stream("GET", GENERATE, params=NIGHT) as answer:
            async for data in answer.aiter_raw():
                text += data
                if text.count(b": ping\n") >= 2:
                    heard.set()
    assert text.endswith(b"\n\n")
    assert [line for line in text.split(b"\n") if line.startswith(b"id:")] == [b"id: run-1:1", b"id: run-1:2"]
