"""Stories through a proxy as Server-Sent Events: whole, at once, resumed, and given up when their reader goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from fabula.story.v1 import story_service_pb2_grpc
from fabula.story.v1.story_pb2 import GenerateStoryRequest
from tests.conftest import Serve
from tests.deploy.conftest import Fronting
from tests.deploy.front import Front
from tests.deploy.proxy import Make
from tests.deploy.scripted import Turns, playing
from tests.harness import WITHIN, collect
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, Read, read, watch_path
from tests.stories import TEXT, chapter
from tests.tools import required

LEAVE = Path(__file__).parent / "leave.mjs"
PATIENCE = 3
"""Seconds of silence that a proxy bears."""

HTTP = {"http_address": "127.0.0.1:0"}
CANCEL = NIGHT | {"on_disconnect": "cancel"}

versions = pytest.mark.parametrize("version", ["1.1", "2"])


@versions
async def test_a_story_is_read_whole_while_it_is_told(
    serve: Serve, ollama: OllamaServer, fronting: Fronting, version: str
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    found = Read()
    async with serve(**HTTP) as served, fronting(served) as front:
        async with front.curl(GENERATE, NIGHT, version=version) as events:
            while not found.text:
                found.events.append(await anext(events))
            await ollama.wait_stalled(1)
            ollama.release()
            found.events += [event async for event in events]
        told_by_grpc = await collect(served.client.watch(found.run_id))
    assert found.text == TEXT
    assert found.sequences == [event.sequence for event in told_by_grpc]
    assert found.data[-1]["data"]["story_content"] == TEXT


@versions
async def test_a_story_that_was_cut_off_is_read_on_by_its_last_event_id(
    serve: Serve, ollama: OllamaServer, fronting: Fronting, version: str
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    found = Read()
    async with serve(**HTTP) as served, fronting(served) as front:
        async with front.curl(GENERATE, NIGHT, version=version) as events:
            while not found.text:
                found.events.append(await anext(events))
            await ollama.wait_stalled(1)
        async with front.curl(GENERATE, NIGHT, version=version, cursor=found.events[-1].id) as events:
            ollama.release()
            found.events += [event async for event in events]
        runs = [run async for run in served.client.list_runs()]
    assert found.text == TEXT
    assert found.sequences == list(range(1, len(found.events) + 1))
    assert len(runs) == 1


@versions
async def test_no_event_waits_for_the_next_one(fronting: Fronting, version: str) -> None:
    turns = Turns(20)
    async with playing() as played, fronting(played.behind) as front:
        played.service.play = turns.play
        async with front.curl(GENERATE, NIGHT, version=version) as events:
            async for _ in events:
                turns.next()
    assert turns.left == 0


async def test_a_browser_that_closes_its_connection_is_gone_for_the_service(
    serve: Serve, ollama: OllamaServer, fronting: Fronting
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, fronting(served) as front, asyncio.timeout(WITHIN):
        async with front.curl(GENERATE, CANCEL, version="1.1") as events:
            await anext(events)
            await ollama.wait_stalled(1)
        await ollama.wait_for_chats(0)


async def test_a_browser_that_gives_up_one_stream_of_its_connection_is_gone_for_the_service(
    serve: Serve, ollama: OllamaServer, fronting: Fronting
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    path = f"{GENERATE}?{urlencode(CANCEL)}"
    async with (
        serve(**HTTP) as served,
        fronting(served) as front,
        leaving(front, path, '"type":"content"') as tab,
        asyncio.timeout(WITHIN),
    ):
        await ollama.wait_started(1)
        await ollama.wait_for_chats(0)
        out, _ = await tab.communicate(b"")
    assert b"event: story_chunk" in out


@asynccontextmanager
async def leaving(front: Front, path: str, word: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A browser that reads a stream up to this word and then leaves it; its connection stays until its input ends."""
    process = await asyncio.create_subprocess_exec(
        *(required("node"), str(LEAVE), front.url, path, str(front.certificate.chain), word),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_pings_keep_a_silent_stream_open(
    serve: Serve, ollama: OllamaServer, fronting: Fronting, make: Make
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with (
        serve(**HTTP, heartbeat_seconds=PATIENCE / 8) as served,
        fronting(served, make.impatient(PATIENCE)) as front,
        front.channel() as channel,
        front.browser() as http,
        asyncio.timeout(WITHIN),
    ):
        # A bare stub: our client would read on by itself.
        call = story_service_pb2_grpc.StoryServiceStub(channel).GenerateStory(
            GenerateStoryRequest(child_id="1", theme="night")
        )
        events = [await anext(aiter(call))]
        reading = asyncio.create_task(read(http, watch_path(events[0].run_id)))
        async for event in call:
            events.append(event)
            # All of them together take longer than the proxy has patience.
            if sum(each.HasField("heartbeat") for each in events) == 10:
                ollama.release()
        found = await reading
    assert found.data[-1]["data"]["story_content"] == events[-1].complete.story_content == TEXT


async def test_a_stream_without_pings_is_cut_and_can_be_read_on(
    serve: Serve, ollama: OllamaServer, fronting: Fronting, make: Make
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    found = Read()
    async with serve(**HTTP, heartbeat_seconds=3_600) as served, fronting(served, make.impatient(1)) as front:
        async with front.curl(GENERATE, NIGHT) as events:
            found.events += [event async for event in events]
        async with front.curl(GENERATE, NIGHT, cursor=found.events[-1].id) as events:
            ollama.release()
            found.events += [event async for event in events]
    assert found.sequences == list(range(1, len(found.events) + 1))
    assert found.data[-1]["data"]["story_content"] == TEXT
