"""What is nginx's alone: streams without our site, its end, its files, its other port, and a second gateway."""

import asyncio
import signal
from pathlib import Path

import httpx

from service.gateway.exchange import MAX_BODY_BYTES
from tests.conftest import Serve
from tests.deploy import nginx
from tests.deploy.certificate import Certificate
from tests.deploy.conftest import ports
from tests.deploy.echo import echoing
from tests.deploy.front import Front
from tests.deploy.proxy import NOWHERE, Behind
from tests.deploy.scripted import Turns, playing
from tests.harness import WITHIN
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, Read
from tests.stories import TEXT, chapter

HTTP = {"http_address": "127.0.0.1:0"}


async def test_a_site_that_knows_nothing_of_streams_does_not_hold_them_back(
    certificate: Certificate, tmp_path: Path
) -> None:
    turns = Turns(20)
    async with playing() as played, nginx.default(played.behind, certificate, tmp_path, {}) as proxy:
        played.service.play = turns.play
        async with Front(proxy, certificate).curl(GENERATE, NIGHT, version="1.1") as events:
            async for _ in events:
                turns.next()
    assert turns.left == 0


async def test_a_browser_that_leaves_such_a_site_is_gone_for_the_service(
    serve: Serve, ollama: OllamaServer, certificate: Certificate, tmp_path: Path
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, nginx.default(ports(served), certificate, tmp_path, {}) as proxy:
        cancel = NIGHT | {"on_disconnect": "cancel"}
        async with Front(proxy, certificate).curl(GENERATE, cancel, version="1.1") as events:
            await anext(events)
            await ollama.wait_stalled(1)
        async with asyncio.timeout(WITHIN):
            await ollama.wait_for_chats(0)


async def test_a_story_under_way_is_told_to_its_end_when_nginx_is_told_to_quit(
    serve: Serve, ollama: OllamaServer, certificate: Certificate, tmp_path: Path
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    found = Read()
    async with serve(**HTTP) as served, nginx.shipped(ports(served), certificate, tmp_path, {}) as proxy:
        async with Front(proxy, certificate).curl(GENERATE, NIGHT) as events:
            found.events.append(await anext(events))
            await ollama.wait_stalled(1)
            proxy.send(signal.SIGQUIT)
            await proxy.written("gracefully shutting down")
            ollama.release()
            found.events += [event async for event in events]
        assert await proxy.exit_code() == 0
    assert found.text == TEXT


async def test_nothing_that_passes_is_put_into_a_file(certificate: Certificate, tmp_path: Path) -> None:
    size = 32_000_000
    async with (
        echoing() as echo,
        nginx.shipped(Behind(echo.port, NOWHERE), certificate, tmp_path, {}) as proxy,
        Front(proxy, certificate).browser() as http,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.plain_port}", trust_env=False) as other,
    ):
        await proxy.written("start worker process ")
        for folder in ("body", "proxy"):
            (tmp_path / folder).rmdir()
        echo.answer = f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n".encode() + b"x" * size
        plain = {"Accept-Encoding": "identity"}
        async with http.stream("POST", "/api/v1/stories", content=b"x" * MAX_BODY_BYTES, headers=plain) as answer:
            # Nothing is read yet: nginx has time to try and put aside what it can't get rid of.
            for _ in range(20):
                await other.get("/")
            read = [len(chunk) async for chunk in answer.aiter_raw()]
    assert (answer.status_code, sum(read)) == (200, size)


async def test_what_one_gateway_has_dropped_is_not_sent_to_another(certificate: Certificate, tmp_path: Path) -> None:
    async with echoing() as one, echoing() as other:
        first, second = (f"server 127.0.0.1:{each.port};" for each in (one, other))
        async with (
            nginx.shipped(Behind(one.port, NOWHERE), certificate, tmp_path, {first: f"{first} {second}"}) as proxy,
            Front(proxy, certificate).browser() as http,
        ):
            one.answer = other.answer = b""
            answer = await http.get(GENERATE)
    assert (answer.status_code, len(one.heads) + len(other.heads)) == (503, 1)


async def test_port_80_leads_to_the_page_and_takes_no_words_along(certificate: Certificate, tmp_path: Path) -> None:
    async with (
        nginx.shipped(Behind(NOWHERE, NOWHERE), certificate, tmp_path, {}) as proxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.plain_port}", trust_env=False) as http,
    ):
        answer = await http.get(GENERATE, params={"theme": "quokka"})
    assert (answer.status_code, answer.headers["location"]) == (301, "https://stories.example/")
    assert "quokka" not in proxy.text
