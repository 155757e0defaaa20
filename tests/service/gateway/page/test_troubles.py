"""What goes wrong is told in words that a parent understands, with a way on."""

import json
import math
import time
from contextlib import AsyncExitStack

from playwright.async_api import Route, expect

from fabula import FabulaClient
from service.identity.verifier import LEEWAY_SECONDS
from tests.conftest import Serve
from tests.harness import serving
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.page.conftest import Play
from tests.service.gateway.page.reader import PAGE, page_of, plain
from tests.stories import TEXT, chapter, told
from tests.tokens import ISSUER, SECRET, token


async def test_a_theme_that_is_unfit_is_asked_for_in_other_words(play: Play) -> None:
    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin("a fox is stabbed")
        await reader.heading("Let us find other words")
        assert "It is about the idea for the story." in await reader.trouble.inner_text()
        await reader.press("Choose something else")
        await reader.page.locator(".theme").first.wait_for()


async def test_a_model_that_is_not_there_is_said_and_tried_again(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(status=404))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin()
        await reader.heading("The storyteller is not there")
        ollama.reply_by_default(Reply(content=chapter()))
        await reader.press("Try again")
        assert await reader.finish() == plain(TEXT)


async def test_a_service_that_is_full_is_said_and_tried_again(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=1))
    async with serve(**PAGE, max_runs=1) as served, play(page_of(served)) as reader:
        other = served.client.tell("stars")
        await anext(aiter(other))
        await ollama.wait_stalled(1)
        await reader.begin()
        await reader.heading("Many stories are being told just now")
        ollama.release()
        await other.result()
        ollama.reply_by_default(Reply(content=chapter()))
        await reader.press("Try again")
        assert await reader.finish() == plain(TEXT)


REFUSALS = [
    (503, "SHUTTING_DOWN", "The storyteller needs a moment"),
    (403, "PERMISSION_DENIED", "This key does not open this"),
    (500, "A_REASON_OF_TOMORROW", "Something went wrong"),
]


async def test_every_refusal_has_words_and_a_retry(play: Play) -> None:
    refusals = iter(REFUSALS)

    async def refuse(route: Route) -> None:
        status, reason, _ = next(refusals)
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
        body = json.dumps({"error": {"code": 3, "status": "X", "message": "", "details": [info]}})
        await route.fulfill(status=status, content_type="application/json", body=body)

    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        await reader.page.route("**/generate/stream", refuse, times=len(REFUSALS))
        await reader.begin()
        for _, _, heading in REFUSALS:
            await reader.heading(heading)
            await reader.press("Try again")
        await reader.finish()


async def test_a_service_that_wants_a_key_is_opened_with_one(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE, auth_secret=SECRET, auth_issuer=ISSUER) as served, AsyncExitStack() as stack:
        async with FabulaClient(served.address, token=token("us")) as client:
            await client.create_child("Robin", 6)
        reader = await stack.enter_async_context(play(page_of(served), awaiting=".trouble"))
        await reader.heading("This page may not open the stories")
        await reader.page.fill("#key", "not a key!")
        await reader.press("Open")
        await expect(reader.trouble).to_contain_text("This is no key.")
        await reader.page.fill("#key", token("us"))
        await reader.press("Open")
        await reader.page.locator("button.reader").wait_for()
        assert "fabula_token" not in await reader.page.evaluate("document.cookie")
        await reader.begin()
        assert await reader.finish() == plain(TEXT)


async def test_a_key_that_allows_too_little_is_replaced(serve: Serve, play: Play) -> None:
    async with serve(**PAGE, auth_secret=SECRET, auth_issuer=ISSUER) as served, AsyncExitStack() as stack:
        async with FabulaClient(served.address, token=token("us")) as client:
            await client.create_child("Robin", 6)
        reader = await stack.enter_async_context(play(page_of(served), awaiting=".trouble"))
        await reader.page.fill("#key", token("us", scope="tell"))
        await reader.press("Open")
        await reader.heading("This key does not open this")
        await reader.page.fill("#key", token("us"))
        await reader.press("Open")
        await reader.page.locator("button.reader").wait_for()


async def test_a_key_that_could_not_be_handed_over_is_not_called_no_key(serve: Serve, play: Play) -> None:
    async with serve(**PAGE, auth_secret=SECRET, auth_issuer=ISSUER) as served, AsyncExitStack() as stack:
        reader = await stack.enter_async_context(play(page_of(served), awaiting=".trouble"))
        await reader.page.route("**/session", lambda route: route.fulfill(status=503), times=1)
        await reader.page.fill("#key", token("us"))
        await reader.press("Open")
        await expect(reader.page.locator("#key-fault")).to_contain_text("The storyteller needs a moment.")
        await expect(reader.trouble).not_to_contain_text("This is no key.")
        await reader.press("Open")
        await expect(reader.trouble).to_have_count(0)


async def test_a_key_that_grows_too_old_in_mid_story_is_asked_for_anew(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=60))
    async with serve(**PAGE, auth_secret=SECRET, auth_issuer=ISSUER) as served, AsyncExitStack() as stack:
        async with FabulaClient(served.address, token=token("us")) as client:
            await client.create_child("Robin", 6)
        reader = await stack.enter_async_context(play(page_of(served), awaiting=".trouble"))
        await reader.page.fill("#key", token("us", exp=math.ceil(time.time()) + 3 - LEEWAY_SECONDS))
        await reader.press("Open")
        await reader.page.locator("button.reader").wait_for()
        await reader.begin()
        await reader.heading("The key of this page is too old")
        await reader.page.fill("#key", token("us"))
        await reader.press("Open")
        ollama.release()
        assert await reader.finish() == plain(TEXT)
    assert len(told(ollama)) == 1
