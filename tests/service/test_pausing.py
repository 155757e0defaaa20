"""A paused run says nothing, asks nothing and keeps its place with the model; continued, it goes on where it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fabula import (
    ModelFailed,
)
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, Served, outcome, serving, standing
from tests.ollama_server import OllamaServer, Reply
from tests.stories import APPROVAL, TEXT, UNFIT, chapter, is_review, told

PAUSED, RUNNING = run_pb2.RUN_STATE_PAUSED, run_pb2.RUN_STATE_RUNNING
STALLED = Reply(content=chapter(), stall_after=20)
Told = asyncio.Task[tuple[list[story_pb2.StoryEvent], Exception | None]]


@asynccontextmanager
async def telling(served: Served, ollama: OllamaServer) -> AsyncIterator[tuple[str, Told]]:
    """A story whose model stalls, its run, and what its reader has had in the end."""
    async with asyncio.timeout(WITHIN):
        listening = asyncio.create_task(outcome(served.client.tell("night")))
        await ollama.wait_stalled(1)
        [run] = [run async for run in served.client.list_runs()]
        yield run.run_id, listening


async def stands_still(served: Served, run_id: str) -> None:
    """The run is paused, and stays as it is however often it is asked for."""
    before = await served.client.get_run(run_id)
    assert before.state == PAUSED
    for _ in range(20):
        assert await served.client.get_run(run_id) == before


async def test_a_paused_run_releases_nothing_though_its_model_goes_on(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        paused = await served.client.pause_run(run_id)
        assert paused.state == PAUSED
        ollama.release()
        await ollama.wait_finished(1)
        await stands_still(served, run_id)
        assert len(ollama.requests) == 1
        assert (await served.client.get_run(run_id)).last_sequence == paused.last_sequence
        assert (await served.client.continue_run(run_id)).state == RUNNING
        events, error = await listening
    assert error is None
    assert events[-1].complete.story_content == standing(events) == TEXT
    assert ollama.chats_aborted == 0


async def test_the_model_is_not_read_meanwhile_and_feels_it(serve: Serve, ollama: OllamaServer) -> None:
    # More than the sockets between the two hold: what is not read stays with the model.
    thoughts = "hm, " * 6_000_000
    ollama.reply_with(Reply(thinking=thoughts, content=chapter(), chunk_chars=60_000, stall_after=1))
    settings = {"model_reasoning": "on", "model_max_tokens": 40_000, "model_context_tokens": 100_000}
    async with (
        serve(model="ollama:qwen3:8b", **settings) as served,
        telling(served, ollama) as (run_id, listening),
    ):
        await served.client.pause_run(run_id)
        ollama.release()
        await ollama.wait_held_back(1)
        await stands_still(served, run_id)
        assert (ollama.held_back_chats, ollama.open_chats) == (1, 1)
        await served.client.continue_run(run_id)
        events, error = await listening
    assert error is None
    assert standing(events) == TEXT


async def test_pausing_and_continuing_again_change_nothing(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        running = await served.client.get_run(run_id)
        assert await served.client.continue_run(run_id) == running
        first, second = await asyncio.gather(*(served.client.pause_run(run_id) for _ in range(2)))
        assert first == second == await served.client.pause_run(run_id) == await served.client.get_run(run_id)
        [listed] = [run async for run in served.client.list_runs(state=PAUSED)]
        assert listed == first
        await asyncio.gather(*(served.client.continue_run(run_id) for _ in range(2)))
        ollama.release()
        assert standing((await listening)[0]) == TEXT


async def test_watchers_of_a_paused_run_stay_and_others_may_come(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(STALLED)
    async with serve(heartbeat_seconds=0.02) as served, telling(served, ollama) as (run_id, listening):
        paused = await served.client.pause_run(run_id)
        seen, beats = [], 0
        async for event in served.stories().WatchStory(story_pb2.WatchStoryRequest(run_id=run_id)):
            seen.append(event.sequence)
            beats += event.HasField("heartbeat")
            if beats == 3:
                break
        assert seen == [*range(1, paused.last_sequence + 1), 0, 0, 0]
        assert not listening.done()
        ollama.release()
        await served.client.continue_run(run_id)
        assert (await listening)[1] is None


async def test_no_review_begins_in_a_pause(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=100_000))
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        ollama.release()
        await ollama.wait_finished(1)
        await stands_still(served, run_id)
        assert len(ollama.requests) == 1
        await served.client.continue_run(run_id)
        assert (await listening)[1] is None
    assert len(ollama.requests) == 2


async def test_no_rewrite_begins_in_a_pause_of_the_review(serve: Serve, ollama: OllamaServer) -> None:
    rejected = APPROVAL | {"approved": False, "score": 0.2, "issues": [{"category": "other", "quote": "fox"}]}
    judgements = [Reply(content=rejected, stall_after=0), Reply(content=APPROVAL)]
    ollama.answer(is_review, lambda _: judgements.pop(0))
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(review_timeout_seconds=WITHIN) as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        ollama.release()
        await ollama.wait_finished(2)
        await stands_still(served, run_id)
        assert len(told(ollama)) == 1
        await served.client.continue_run(run_id)
        events, error = await listening
    assert error is None
    assert [each.safety_check.approved for each in events if each.HasField("safety_check")] == [False, True]
    assert events[-1].complete.story_content == standing(events) == TEXT


async def test_a_run_paused_before_the_first_chunk_tells_it_all_afterwards(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_before_headers=True))
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        ollama.release()
        await ollama.wait_finished(1)
        await stands_still(served, run_id)
        await served.client.continue_run(run_id)
        assert standing((await listening)[0]) == TEXT


async def test_a_text_is_withdrawn_only_once_the_run_goes_on(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(UNFIT), stall_after=100_000), Reply(content=chapter()))
    async with serve() as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        ollama.release()
        await ollama.wait_finished(1)
        await stands_still(served, run_id)
        await served.client.continue_run(run_id)
        events, _ = await listening
    assert standing(events) == TEXT


async def test_a_model_that_leaves_in_a_pause_has_broken_off_when_the_run_goes_on(
    serve: Serve, ollama: OllamaServer
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=60, cut_after=60))
    async with serve(model_retries=0) as served, telling(served, ollama) as (run_id, listening):
        await served.client.pause_run(run_id)
        ollama.release()
        await ollama.wait_for_chats(0)
        await stands_still(served, run_id)
        await served.client.continue_run(run_id)
        events, error = await listening
    assert isinstance(error, ModelFailed)
    assert events[-1].error.code == run_pb2.ERROR_REASON_MODEL_UNAVAILABLE


async def test_the_embedded_storyteller_pauses_and_keeps_its_pace() -> None:
    async with serving(embedded_tokens_per_second=2_000) as served, asyncio.timeout(WITHIN):
        stream = served.client.tell("the night")
        events = []
        async for event in stream:
            events.append(event)
            if event.HasField("content") and event.sequence < 6:
                await served.client.pause_run(stream.run_id)
                await stands_still(served, stream.run_id)
                await served.client.continue_run(stream.run_id)
    assert events[-1].complete.story_content == standing(events)
