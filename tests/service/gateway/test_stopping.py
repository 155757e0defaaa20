"""How streams end when the service stops, or the gateway alone, and that they go on afterwards."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.conftest import Serve
from tests.harness import WITHIN, Served, ServerProcess
from tests.journal import write_journal
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, browser, read
from tests.stories import TEXT, chapter

Environment = dict[str, str]


@pytest.fixture
def server(tmp_path: Path, ollama: OllamaServer) -> ServerProcess:
    """`python -m service` with its gateway; stories stall in their midst."""
    ollama.reply_by_default(Reply(content=chapter(), stall_after=20))
    spawn = partial(ServerProcess, tmp_path, model="ollama:llama3.2", ollama_base_url=ollama.base_url)
    return spawn(http_address="127.0.0.1:0", shutdown_grace_seconds=3_600)


async def begun(answer: httpx.Response) -> tuple[AsyncIterator[bytes], bytes]:
    """The rest of a stream, and what came up to its first text."""
    chunks, text = aiter(answer.aiter_raw()), b""
    while b'"type":"content"' not in text:
        text += await anext(chunks)
    return chunks, text


async def begin_to_stop(server: ServerProcess, http: httpx.AsyncClient) -> None:
    """Sends the signal and returns once the service says that it does not serve any more."""
    server.send(signal.SIGTERM)
    while (await http.get("/healthz")).status_code == 200:
        pass


async def test_a_story_under_way_is_told_to_its_end_when_the_service_stops(
    server: ServerProcess, ollama: OllamaServer
) -> None:
    async with server, browser(f"http://127.0.0.1:{server.http_port}") as http, asyncio.timeout(WITHIN):
        async with http.stream("GET", GENERATE, params=NIGHT) as answer:
            chunks, text = await begun(answer)
            await ollama.wait_stalled(1)
            await begin_to_stop(server, http)
            ollama.release()
            async for chunk in chunks:
                text += chunk
        assert await server.exit_code() == 0
    assert '"type":"complete"' in text.decode()
    assert json.dumps(TEXT, ensure_ascii=False) in text.decode()


async def test_what_outlasts_the_grace_ends_whole_and_is_read_on_after_a_restart(
    server: ServerProcess, ollama: OllamaServer
) -> None:
    async with server, browser(f"http://127.0.0.1:{server.http_port}") as http, asyncio.timeout(WITHIN):
        async with http.stream("GET", GENERATE, params=NIGHT) as answer:
            chunks, text = await begun(answer)
            await begin_to_stop(server, http)
            server.send(signal.SIGTERM)
            async for chunk in chunks:
                text += chunk
        assert await server.exit_code() == 0
        assert text.endswith(b"\n")
        await server.start()
        first = text.decode().partition("id: ")[2].partition("\n")[0]
        found = await read(http, GENERATE, NIGHT, cursor=first)
        assert found.data[-1]["data"]["code"] == "run_interrupted"
        done = await http.get(GENERATE, params=NIGHT, headers={"Last-Event-ID": found.events[-1].id})
        assert done.status_code == 204
        assert len((await http.get("/api/v1/runs")).json()["runs"]) == 1


@asynccontextmanager
async def alone(served: Served, port: int = 0) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """`python -m service.gateway` in front of the service."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FABULA_")}
    environment |= {"FABULA_GATEWAY_TARGET": served.address, "FABULA_HTTP_ADDRESS": f"127.0.0.1:{port}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service.gateway"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        line = (await process.stderr.readline()).decode()
        yield process, json.loads(line)["http_port"]
        if process.returncode is None:
            process.terminate()
        write_journal((await process.stderr.read()).decode())
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def test_a_gateway_alone_hands_its_readers_to_the_next_one(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve() as served, asyncio.timeout(WITHIN):
        async with (
            alone(served) as (process, port),
            browser(f"http://127.0.0.1:{port}") as http,
            http.stream("GET", GENERATE, params=NIGHT) as answer,
        ):
            chunks, text = await begun(answer)
            process.terminate()
            async for chunk in chunks:
                text += chunk
        assert text.endswith(b"}\n\nretry: 1000\n: stopping\n")
        ollama.release()
        cursor = text.decode().rpartition("id: ")[2].partition("\n")[0]
        async with alone(served) as (_, port), browser(f"http://127.0.0.1:{port}") as http:
            rest = await read(http, GENERATE, NIGHT, cursor=cursor)
        assert rest.data[-1]["data"]["story_content"] == TEXT
        assert rest.sequences[0] == int(cursor.partition(":")[2]) + 1
        assert len([run async for run in served.client.list_runs()]) == 1
