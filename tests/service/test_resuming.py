"""A stream survives any disconnect: whatever is cut, and wherever, the reader ends with the same bytes."""

import asyncio
import random

import grpc.aio
import pytest

from fabula import FabulaClient, RunCancelled
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import QUICK, WITHIN, CuttingProxy, Served, collect, outcome
from tests.ollama_server import OllamaServer, Reply
from tests.stories import TEXT, UNFIT, chapter


async def watch(served: Served, run_id: str, after: int) -> list[story_pb2.StoryEvent]:
    request = story_pb2.WatchStoryRequest(run_id=run_id, after_sequence=after)
    return await collect(served.stories().WatchStory(request))


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
async def test_watching_after_any_event_gives_exactly_the_rest(
    serve: Serve, ollama: OllamaServer, store: str, tmp_path: object
) -> None:
    url = f"sqlite:///{tmp_path}/fabula.db" if store == "sqlite" else store
    ollama.reply_with(Reply(content=chapter(UNFIT)), Reply(content=chapter()))
    async with serve(log_url=url, store_url=url) as served:
        run_id = (await collect(served.client.tell("night")))[0].run_id
        whole = await watch(served, run_id, 0)
        for after in range(len(whole) + 1):
            assert await watch(served, run_id, after) == whole[after:]


async def test_a_connection_cut_after_every_event_costs_no_event(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), chunk_chars=8, tokens_per_second=2_000))
    async with serve() as served, CuttingProxy(served.app.server.port) as proxy:
        uncut = await collect(served.client.tell("night"))
        for index in range(len(uncut)):
            async with FabulaClient(proxy.address, retry=QUICK) as client, asyncio.timeout(WITHIN):
                stream, events = client.tell("night"), []
                async for event in stream:
                    events.append(event)
                    if event.sequence == index + 1:
                        proxy.cut()
            assert [event.sequence for event in events] == list(range(1, len(uncut) + 1))
            assert [kind(event) for event in events] == [kind(event) for event in uncut]
            assert stream.text == events[-1].complete.story_content == TEXT
            assert events == await watch(served, stream.run_id, 0)
    assert proxy.cuts >= len(uncut)


def kind(event: story_pb2.StoryEvent) -> tuple[object, ...]:
    return event.WhichOneof("event"), event.node_event.node, event.node_event.status, event.content.chunk


async def test_twenty_watchers_of_a_live_run_at_random_offsets_see_the_same_bytes(
    serve: Serve, ollama: OllamaServer
) -> None:
    pick = random.Random(20)
    ollama.reply_with(Reply(content=chapter(), chunk_chars=6, tokens_per_second=1_000))
    async with serve() as served:
        seen: dict[int, bytes] = {}
        watchers: list[tuple[int, asyncio.Task[list[story_pb2.StoryEvent]]]] = []
        async for event in served.client.tell("night"):
            seen[event.sequence] = event.SerializeToString()
            for _ in range(2 if len(watchers) < 20 else 0):
                after = pick.randint(0, event.sequence)
                watchers.append((after, asyncio.create_task(watch(served, event.run_id, after))))
        results = [(after, await task) for after, task in watchers]
    assert len(results) == 20
    for after, events in results:
        assert {event.sequence: event.SerializeToString() for event in events} == {
            sequence: payload for sequence, payload in seen.items() if sequence > after
        }


async def test_a_slow_reader_costs_only_itself(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        slow = aiter(served.stories().GenerateStory(story_pb2.GenerateStoryRequest(child_id="1", theme="night")))
        first = await anext(slow)
        fast = await collect(served.client.watch(first.run_id))
        assert fast[-1].HasField("complete")
        assert [first, *[event async for event in slow]] == fast


async def test_how_a_run_ended_is_told_again_to_whoever_has_every_event(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve() as served:
        stream = served.client.tell("night")
        events = []
        async with asyncio.timeout(WITHIN):
            async for event in stream:
                events.append(event)
                if event.HasField("content"):
                    break
        await served.client.cancel_run(stream.run_id)
        rest, error = await outcome(stream)
        assert isinstance(error, RunCancelled)
        last = (events + rest)[-1]
        assert last.error.partial_text_id == stream.run_id
        again = served.stories().WatchStory(
            story_pb2.WatchStoryRequest(run_id=stream.run_id, after_sequence=last.sequence)
        )
        nothing, status = await outcome(again)
    assert nothing == []
    assert isinstance(status, grpc.aio.AioRpcError)
    assert status.code() == grpc.StatusCode.CANCELLED
