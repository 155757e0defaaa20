"""Once a child is deleted, or its stories are too old, no file and no log line holds a word of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fabula import FabulaClient, NotFound
from tests.harness import QUICK, WITHIN, ServerProcess, collect, serving
from tests.ollama_server import OllamaServer, Reply
from tests.stories import approve, chapter, is_review

NICKNAME, INTEREST, TOPIC, THEME = "Quibblewick", "zorbelings", "mumblefangs", "a snorgle in the marsh"
TURN, STORY = "the snorgle sings to the wobblemoon", "Down in the marsh lived a small snorgle called Tumtiddle."
CANARIES = [word.encode() for word in (NICKNAME, INTEREST, TOPIC, "snorgle", "wobblemoon", "Tumtiddle")]
KEPT = "Far away a kind trundlebear baked bread."


def held(folder: Path) -> set[bytes]:
    """The canaries that any file of the folder holds."""
    held = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    return {canary for canary in CANARIES if canary in held}


async def tell_much(client: FabulaClient, child_id: str, ollama: OllamaServer) -> list[str]:
    """A tale of three chapters, one of them told anew after a retraction, and a run that fails; their run ids."""
    unfit = chapter(f"{STORY} Then it was stabbed. The end.")
    ollama.reply_with(Reply(content=unfit), Reply(content=chapter(STORY)))
    first = await client.tell(THEME, child_id=child_id, title="The Snorgle").result()
    ollama.reply_with(*[Reply(content=chapter(STORY, choices=["the snorgle hops", "it naps"]))] * 2)
    second = await client.tell(story_id=first.story_id, child_id=child_id, custom_user_input=TURN).result()
    third = await client.tell(story_id=first.story_id, child_id=child_id, choice_id="1").result()
    ollama.reply_with(Reply(content=chapter(f"{STORY} " * 9), cut_after=60))
    failing = client.tell(THEME, child_id=child_id)
    with pytest.raises(Exception, match="model"):
        await collect(failing)
    return [first.chapter_id, second.chapter_id, third.chapter_id, failing.run_id]


async def test_once_a_child_is_deleted_nothing_of_it_is_left_anywhere(tmp_path: Path) -> None:
    async with OllamaServer() as ollama:
        ollama.answer(is_review, approve)
        settings: dict[str, Any] = {"model": "ollama:llama3.2", "ollama_base_url": ollama.base_url}
        async with ServerProcess(tmp_path, log_level="debug", **settings) as server:
            async with FabulaClient(server.address, retry=QUICK) as client:
                child = await client.create_child(NICKNAME, 7, interests=[INTEREST], avoid_topics=[TOPIC])
                child = await client.update_child(child.child_id, nickname=f"{NICKNAME} II")
                runs = await tell_much(client, child.child_id, ollama)
                ollama.reply_with(Reply(content=chapter(KEPT)))
                other = await client.tell("bread").result()
                ollama.reply_with(Reply(content=chapter(STORY * 3), chunk_chars=10, stall_after=9))
                under_way = asyncio.create_task(collect(client.tell(THEME, child_id=child.child_id)))
                async with asyncio.timeout(WITHIN):
                    await ollama.wait_stalled(1)
                assert held(tmp_path) == set(CANARIES)
                await client.delete_child(child.child_id)
                assert held(tmp_path) == set()
                with pytest.raises(Exception, match=r"erased|no such run"):
                    await under_way
                await check_gone(client, child.child_id, runs)
                assert (await client.get_story(other.story_id)).chapters[0].story_content == KEPT
                assert held(tmp_path) == set()
            await server.stop()
        assert held(tmp_path) == set()
    log = "".join(server.lines)
    assert "erased" in log
    assert not [canary for canary in CANARIES if canary.decode() in log]


async def check_gone(client: FabulaClient, child_id: str, runs: list[str]) -> None:
    """Neither the child nor any of its runs can be told from one that never was."""
    assert [run async for run in client.list_runs(child_id)] == []
    assert [story async for story in client.list_stories(child_id)] == []
    for missing in (
        client.get_child(child_id),
        client.tell(THEME, child_id=child_id).result(),
        client.delete_child(child_id),
        *(client.get_run(run_id) for run_id in runs),
        *(client.watch(run_id).result() for run_id in runs),
    ):
        with pytest.raises(NotFound):
            await missing


async def test_what_is_older_than_the_retention_is_erased_at_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fabula.db'}"
    async with serving(log_url=url, store_url=url) as served:
        told = await served.client.tell(THEME).result()
    assert held(tmp_path) == {b"snorgle"}
    async with serving(log_url=url, store_url=url, retention_days=1) as served:
        assert (await served.client.get_story(told.story_id)).story_id == told.story_id
    async with serving(log_url=url, store_url=url, retention_days=1e-9) as served:
        with pytest.raises(NotFound):
            await served.client.get_story(told.story_id)
        assert [run async for run in served.client.list_runs()] == []
        assert held(tmp_path) == set()
        assert (await served.client.get_child("1")).nickname == "Robin"
