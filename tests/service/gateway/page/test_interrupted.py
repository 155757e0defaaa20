"""Whatever interrupts a story that is being read, it goes on from there by itself."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from playwright.async_api import Route, expect

from tests.conftest import Serve
from tests.harness import ServerProcess
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.page.conftest import Play
from tests.service.gateway.page.cutter import EventCutter
from tests.service.gateway.page.reader import PAGE, page_of, plain
from tests.stories import TEXT, UNFIT, chapter, told

HALFWAY = Reply(content=chapter(), stall_after=60)
"""The model says some sentences, and falls silent until it is released."""


async def test_a_reload_in_mid_story_goes_on_with_the_same_run(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(HALFWAY)
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        before = await reader.see(2)
        run_id = await reader.run_id()
        await reader.page.reload()
        assert (await reader.see(2))[:2] == before[:2]
        ollama.release()
        assert await reader.finish() == plain(TEXT)
        assert await reader.run_id() == run_id
    assert len(told(ollama)) == 1


async def test_a_reload_before_anything_came_attaches_to_the_run(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_before_headers=True))
    asked: list[str] = []
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        reader.page.on("request", lambda request: asked.append(request.post_data or ""))
        await reader.begin()
        await ollama.wait_stalled(1)
        await reader.page.reload()
        await reader.sign.wait_for()
        ollama.release()
        assert await reader.finish() == plain(TEXT)
    assert len({json.loads(each)["request_id"] for each in asked if each}) == 1
    assert len(told(ollama)) == 1


async def test_offline_is_said_calmly_and_the_story_goes_on_when_the_line_is_back(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(HALFWAY)
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        await reader.see(1)
        await reader.page.context.set_offline(True)
        await expect(reader.sign).to_have_attribute("data-state", "offline")
        await expect(reader.sign).to_contain_text("The line is gone. We go on as soon as it is back.")
        ollama.release()
        await ollama.wait_for_chats(0)
        await reader.page.context.set_offline(False)
        assert await reader.finish() == plain(TEXT)
    assert len(told(ollama)) == 1


async def test_a_line_that_breaks_after_every_event_loses_nothing_of_the_story(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, EventCutter(port_of(page_of(served))) as cutter, play(cutter.url) as reader:
        await reader.begin()
        assert await reader.finish() == plain(TEXT)
    assert cutter.cuts > 5
    assert len(told(ollama)) == 1


async def test_an_answer_that_breaks_off_before_its_first_event_is_asked_for_again(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))

    async def break_off(route: Route) -> None:
        await route.fetch()
        await route.fulfill(content_type="text/event-stream", body="retry: 1000\n")

    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.page.route("**/generate/stream", break_off, times=1)
        await reader.begin()
        assert await reader.finish() == plain(TEXT)
    assert len(told(ollama)) == 1


async def test_a_service_that_is_killed_is_waited_for_and_the_story_told_anew(
    ollama: OllamaServer, play: Play, tmp_path: Path
) -> None:
    ollama.reply_with(HALFWAY)
    ollama.reply_by_default(Reply(content=chapter()))
    settings: dict[str, Any] = {"model": "ollama:llama3.2", "ollama_base_url": ollama.base_url} | PAGE
    async with ServerProcess(tmp_path, **settings) as service, AsyncExitStack() as stack:
        reader = await stack.enter_async_context(play(f"http://127.0.0.1:{service.http_port}"))
        await reader.begin()
        await reader.see(1)
        await service.kill()
        await expect(reader.sign).to_have_attribute("data-state", "offline")
        await service.start()
        await reader.heading("The story broke off")
        await reader.press("Tell it again")
        assert await reader.finish() == plain(TEXT)


async def test_what_is_retracted_goes_gently_and_is_told_anew(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_with(Reply(content=chapter(UNFIT), stall_after=60))
    ollama.reply_with(Reply(content=chapter(), stall_before_headers=True))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        await reader.see(2)
        ollama.release()
        await expect(reader.sign).to_contain_text("We are telling this part anew.")
        await expect(reader.sentences).to_have_count(0)
        await ollama.wait_stalled(1)
        ollama.release()
        assert await reader.finish() == plain(TEXT)


async def test_a_story_that_is_never_fit_leaves_not_a_sentence(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(Reply(content=chapter(UNFIT)))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        await reader.heading("This story did not turn out well")
        await expect(reader.sentences).to_have_count(0)
        assert "stabbed" not in await reader.page.content()
        ollama.reply_by_default(Reply(content=chapter()))
        await reader.press("Try once more")
        assert await reader.finish() == plain(TEXT)


def port_of(url: str) -> int:
    """The port of an address."""
    return int(url.rpartition(":")[2])
