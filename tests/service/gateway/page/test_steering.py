"""Pause, stop and the shelf: what a child does with a story but read it."""

import asyncio

from playwright.async_api import expect

from fabula.run.v1 import run_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, serving
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.page.conftest import Play
from tests.service.gateway.page.reader import PAGE, page_of, plain
from tests.stories import TEXT, chapter


async def test_a_pause_holds_the_story_and_loses_none_of_it(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=40))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        shown = await reader.see(1)
        await reader.press("Pause")
        over = asyncio.Event()
        for name in ("requestfinished", "requestfailed"):
            reader.page.on(name, lambda request: over.set() if "/runs/" in request.url else None)
        ollama.release()
        async with asyncio.timeout(WITHIN):
            await over.wait()  # the page has had the last event
        assert await reader.sentences.all_text_contents() == shown
        await reader.press("Go on")
        assert await reader.finish() == plain(TEXT)


async def test_stop_ends_the_run_and_the_story_can_be_told_again(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=40))
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        await reader.see(1)
        run_id = await reader.run_id()
        await reader.press("Stop")
        await reader.heading("We stopped here")
        run = await served.client.get_run(run_id)
        await ollama.wait_for_chats(0)
        await reader.press("Tell it again")
        assert await reader.finish() == plain(TEXT)
        again = await reader.run_id()
    assert run.state == run_pb2.RUN_STATE_CANCELLED
    assert again != run_id


async def test_the_shelf_is_reread_branched_from_and_put_in_order(play: Play) -> None:
    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        page = reader.page
        await reader.begin()
        first = await reader.finish()
        await reader.choices.first.click()
        await page.locator(".turn").wait_for()
        await reader.finish()
        await reader.follow("Shelf")
        await page.locator(".cover").first.click()
        await page.locator(".entry a").first.click()
        await expect(page.locator(".choice.told")).to_have_count(1)
        assert await reader.text() == first
        await reader.choices.first.click()
        await page.locator(".turn").wait_for()
        await reader.finish()
        await reader.follow("Shelf")
        await page.locator(".cover").first.click()
        await expect(page.locator(".entry")).to_have_count(3)
        await expect(page.get_by_text("another way")).to_have_count(1)
        await reader.follow("To the shelf")
        await page.get_by_role("button", name="Put away").click()
        await reader.press("No, keep it")
        await expect(page.locator(".book")).to_have_count(1)
        await page.get_by_role("button", name="Put away").click()
        await reader.press("Yes, put away")
        await expect(page.get_by_text("There is nothing here yet.")).to_be_visible()
        left = await reader.fetch("/api/v1/stories?child_id=1")
    assert left.get("stories", []) == []
