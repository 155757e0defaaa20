"""Two hundred browsers at once are all served, and leave nothing behind."""

import asyncio
from pathlib import Path

from tests.conftest import Serve
from tests.harness import WITHIN
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, browser, browsing, read
from tests.service.gateway.upstream import fronted, told
from tests.stories import TEXT, chapter

BROWSERS = 200


async def test_two_hundred_stories_are_read_at_once(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), chunk_chars=20, tokens_per_second=200))
    async with (
        serve(http_address="127.0.0.1:0", max_streams=BROWSERS, max_runs=BROWSERS) as served,
        browsing(served) as http,
        asyncio.timeout(2 * WITHIN),
    ):
        found = await asyncio.gather(*[read(http, GENERATE, NIGHT) for _ in range(BROWSERS)])
    assert {each.text for each in found} == {TEXT}
    assert len({each.run_id for each in found}) == BROWSERS


async def test_browsers_that_stay_and_browsers_that_go_leave_neither_tasks_nor_sockets() -> None:
    async with fronted() as front, asyncio.timeout(2 * WITHIN):
        front.service.events = told(*["Once upon a time. "] * 50)
        await read(front.http, GENERATE, NIGHT)
        await front.http.aclose()
        tasks, sockets = len(asyncio.all_tasks()), open_sockets()
        async with browser(front.server.url) as http:
            cuts = [None if number % 2 else number % 40 + 1 for number in range(BROWSERS)]
            await asyncio.gather(*[read(http, GENERATE, NIGHT, at_most=cut) for cut in cuts])
        while len(asyncio.all_tasks()) > tasks or open_sockets() > sockets:  # noqa: ASYNC110 -- nothing tells of either
            await asyncio.sleep(0)


def open_sockets() -> int:
    """How many sockets this process has open."""
    return sum(_target(link).startswith("socket:") for link in Path("/proc/self/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""  # the one that the folder was read through
