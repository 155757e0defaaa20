"""A tale of many chapters: told on, branched, ended, read, listed and erased, also across a restart."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fabula import FabulaClient, InvalidRequest, NotFound, StoryEnded
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.workflows.story import prompts
from tests.conftest import Serve
from tests.harness import QUICK, WITHIN, ServerProcess, collect, serving
from tests.ollama_server import ChatRequest, OllamaServer, Reply
from tests.stories import chapter

HERO = "Ember the fox"


def fenced(request: ChatRequest) -> dict[str, Any]:
    """The request within a prompt."""
    value: dict[str, Any] = json.loads(request.prompt.split("<request>\n")[-1].split("\n</request>")[0])
    return value


def teller(request: ChatRequest) -> Reply:
    """A model that tells a chapter of its own for each request, and keeps a bible."""
    asked = fenced(request)
    number, turn = asked["chapter_number"], asked["turn"] or {}
    text = f"Chapter {number} of {HERO} begins. " + " ".join(f"It goes with {each}." for each in turn.values())
    bible = {"characters": [{"name": HERO, "about": "small and brave"}], "places": ["the oak"], "open_threads": []}
    choices = [f"left after {number}", f"right after {number}"]
    return Reply(content=chapter(text, title="Ember", choices=choices, bible=bible), chunk_chars=30)


async def continued(client: FabulaClient, last: story_pb2.Complete, **turn: Any) -> story_pb2.Complete:
    return await client.tell(story_id=last.story_id, **turn).result()


async def test_a_tale_of_ten_chapters_goes_on_over_a_restart_and_branches_without_harm(
    tmp_path: Path, ollama: OllamaServer
) -> None:
    ollama.respond(teller)
    settings: dict[str, Any] = {"model": "ollama:llama3.2", "ollama_base_url": ollama.base_url}
    async with ServerProcess(tmp_path, **settings) as server:
        async with FabulaClient(server.address, retry=QUICK) as client:
            last = await client.tell("a fox who fears the dark", planned_chapters=10).result()
            for number in range(2, 6):
                last = await continued(client, last, choice_id="1")
                assert (last.chapter_number, last.title) == (number, "Ember")
        await server.kill()
        await server.start()
        async with FabulaClient(server.address, retry=QUICK) as client:
            for _ in range(6, 11):
                last = await continued(client, last, choice_id="2")
            story = await client.get_story(last.story_id)
            trunk = [each.chapter_id for each in story.chapters]
            side = await continued(client, last, chapter_id=trunk[3], choice_id="2")
            await check_branches(client, trunk, side, last)
    stories = [each for each in ollama.requests if "chapter_number" in fenced(each)]
    for number, request in enumerate(stories[1:10], start=2):
        asked = fenced(request)
        assert asked["bible"]["characters"] == [{"name": HERO, "about": "small and brave"}]
        side_chosen = "left" if number < 6 else "right"
        assert asked["turn"] == {"choice": f"{side_chosen} after {number - 1}"}
        assert asked["recent"][-1].startswith(f"Chapter {number - 1} of {HERO}")
        assert asked["last"] == (number == 10)
        assert len(asked["bible"]["chosen"]) == number - 2
    assert fenced(stories[10])["recent"][-1].startswith("Chapter 4 of")


async def check_branches(
    client: FabulaClient, trunk: list[str], side: story_pb2.Complete, last: story_pb2.Complete
) -> None:
    """The first branch is as it was, and ended; the second one goes on by itself."""
    assert (last.chapter_number, list(last.choices), last.choice_question) == (10, [], "")
    assert (side.chapter_number, side.planned_chapters) == (5, 10)
    with pytest.raises(StoryEnded):
        await continued(client, last, chapter_id=trunk[-1])
    on = await continued(client, side, custom_user_input="They sing to the moon")
    assert on.chapter_number == 6
    story = await client.get_story(last.story_id)
    assert [each.chapter_id for each in story.chapters] == [*trunk, side.chapter_id, on.chapter_id]
    assert [each.parent_chapter_id for each in story.chapters] == [
        "",
        *trunk[:-1],
        trunk[3],
        side.chapter_id,
    ]
    assert story.chapters[9].story_content == last.story_content
    assert story.chapters[-1].custom_user_input == "They sing to the moon"


async def test_the_embedded_storyteller_keeps_its_hero_to_the_end_of_the_tale() -> None:
    async with serving() as served:
        last = await served.client.tell("a fox who fears the dark", planned_chapters=4).result()
        texts = [last.story_content]
        while last.choices:
            last = await continued(served.client, last, choice_id=last.choices[-1].id)
            texts.append(last.story_content)
    assert len(texts) == last.chapter_number == 4
    assert all("fox" in text for text in texts)


async def test_stories_are_listed_by_child_and_page_newest_first(serve: Serve) -> None:
    async with serve() as served:
        other = await served.client.create_child("Kim", 8)
        told = [
            (await served.client.tell("night", child_id=child).result()).story_id
            for child in ("1", "1", other.child_id, "1")
        ]
        assert [each.story_id async for each in served.client.list_stories()] == told[::-1]
        mine = [each async for each in served.client.list_stories("1")]
        assert [each.story_id for each in mine] == [told[3], told[1], told[0]]
        assert all(not each.chapters and each.child_id == "1" and each.planned_chapters == 5 for each in mine)
        page = await served.stories().ListStories(story_pb2.ListStoriesRequest(page_size=3))
        rest = await served.stories().ListStories(
            story_pb2.ListStoriesRequest(page_size=3, page_token=page.next_page_token)
        )
        assert [each.story_id for each in (*page.stories, *rest.stories)] == told[::-1]
        assert (len(page.stories), rest.next_page_token) == (3, "")


async def test_a_story_that_failed_is_no_story(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(status=500))
    async with serve() as served:
        stream = served.client.tell("night")
        with pytest.raises(Exception, match="model"):
            await stream.result()
        run = await served.client.get_run(stream.run_id)
        with pytest.raises(NotFound):
            await served.client.get_story(run.story_id)
        with pytest.raises(NotFound):
            await served.client.tell(story_id=run.story_id).result()
        assert [each async for each in served.client.list_stories()] == []


async def test_the_story_of_another_child_is_as_a_missing_one(serve: Serve) -> None:
    async with serve() as served:
        other = await served.client.create_child("Kim", 8)
        mine = await served.client.tell("night").result()
        with pytest.raises(NotFound) as foreign:
            await continued(served.client, mine, child_id=other.child_id)
        with pytest.raises(NotFound) as missing:
            await served.client.tell(story_id="missing", child_id=other.child_id).result()
    assert (foreign.value.message, foreign.value.reason) == (missing.value.message, missing.value.reason)


async def test_what_does_not_follow_on_a_chapter_is_refused_with_its_field(serve: Serve) -> None:
    async with serve() as served:
        told = await served.client.tell("night").result()
        refusals: list[dict[str, Any]] = [{"choice_id": "9"}, {"chapter_number": 7}, {"planned_chapters": 3}]
        for fields in refusals:
            with pytest.raises(InvalidRequest) as refused:
                await continued(served.client, told, **fields)
            assert [field for field, _ in refused.value.violations] == list(fields)
        with pytest.raises(NotFound) as missing:
            await continued(served.client, told, chapter_id="missing")
    assert missing.value.reason == "CHAPTER_NOT_FOUND"


async def test_a_repeated_call_attaches_to_its_chapter_also_when_the_tale_has_gone_on(serve: Serve) -> None:
    async with serve() as served:
        first = await served.client.tell("night", planned_chapters=2).result()
        once = await collect(served.client.tell(story_id=first.story_id, choice_id="1", request_id="once"))
        again = await collect(served.client.tell(story_id=first.story_id, choice_id="1", request_id="once"))
        story = await served.client.get_story(first.story_id)
    assert again == once
    assert len(story.chapters) == 2


async def test_a_run_names_the_version_of_its_prompts(serve: Serve) -> None:
    async with serve() as served:
        stream = served.client.tell("night")
        await stream.result()
        assert (await served.client.get_run(stream.run_id)).prompt_version == prompts.VERSION


async def test_a_deleted_story_is_gone_with_its_runs(serve: Serve) -> None:
    async with serve() as served:
        kept = await served.client.tell("night").result()
        gone = await served.client.tell("night").result()
        gone = await continued(served.client, gone, choice_id="1")
        await served.client.delete_story(gone.story_id)
        assert [each.story_id async for each in served.client.list_stories()] == [kept.story_id]
        assert [each.story_id async for each in served.client.list_runs()] == [kept.story_id]
        for refused in (
            served.client.get_story(gone.story_id),
            served.client.delete_story(gone.story_id),
            served.client.get_run(gone.chapter_id),
            served.client.watch(gone.chapter_id).result(),
            continued(served.client, gone, choice_id="1"),
        ):
            with pytest.raises(NotFound):
                await refused


async def test_deleting_a_story_ends_the_chapter_that_is_being_told(serve: Serve, ollama: OllamaServer) -> None:
    async with serve() as served:
        first = await served.client.tell("night").result()
        ollama.reply_with(Reply(content=chapter(), chunk_chars=10, stall_after=12))
        stream = served.client.tell(story_id=first.story_id, choice_id="1")
        reading = asyncio.create_task(collect(stream))
        async with asyncio.timeout(WITHIN):
            await ollama.wait_stalled(1)
            await served.client.delete_story(first.story_id)
            await ollama.wait_for_chats(0)
            with pytest.raises(Exception, match=r"erased|no such run"):
                await reading
        assert [run async for run in served.client.list_runs(state=run_pb2.RUN_STATE_UNSPECIFIED)] == []
