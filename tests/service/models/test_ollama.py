"""Ollama behind the port: all that is configured reaches the wire, all that goes wrong comes back typed."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog.testing

from service.config import Config
from service.errors import ConfigError, FabulaError, ModelNotFound, ModelOutputInvalid, ModelTimeout, ModelUnavailable
from service.models import open_model
from service.runtime.model import LanguageModel, ModelDown, ModelMisconfigured, Prompt, Schema, TextChunk
from tests.ollama_server import OllamaServer, Reply

PROMPT = Prompt("SYSTEMWORD", "PROMPTWORD")
ANSWER = '{"story_content": "ANSWERWORD"}'
SCHEMA: Schema = {
    "title": "Chapter",
    "type": "object",
    "properties": {"story_content": {"type": "string"}, "a_title": {"type": "string"}},
    "required": ["story_content", "a_title"],
    "additionalProperties": False,
}
QUOTING = "SYSTEMWORD PROMPTWORD ANSWERWORD at http://127.0.0.1"
NEVER_TOLD = ("SYSTEMWORD", "PROMPTWORD", "ANSWERWORD", "127.0.0.1", "http:", "SECRET")


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer(default=Reply(content=ANSWER)) as running:
        yield running


def config(base_url: str, **settings: Any) -> Config:
    return Config(**{"model": "ollama:llama3.2", "ollama_base_url": base_url, **settings})


async def read(model: LanguageModel) -> str:
    return "".join([chunk.text async for chunk in model.stream(PROMPT, SCHEMA)])


async def failure(settings: Config) -> FabulaError:
    """How an answer fails, once it is sure that neither the error nor the log tells too much."""
    with structlog.testing.capture_logs() as logs:
        async with open_model(settings) as model:
            with pytest.raises(FabulaError) as raised:
                await read(model)
    told = f"{raised.value.message} {raised.value.metadata} {logs}"
    assert [word for word in NEVER_TOLD if word in told] == []
    return raised.value


@asynccontextmanager
async def saying(body: bytes, headers: bytes = b"") -> AsyncIterator[str]:
    """A server that answers everything with this, status 200; gives its URL. Each of the headers ends its line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + b"\r\n" + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


async def test_everything_configured_reaches_the_wire(server: OllamaServer) -> None:
    settings = config(
        server.base_url,
        model_temperature=0.25,
        model_max_tokens=321,
        model_context_tokens=4567,
        model_seed=0,
        ollama_keep_alive="90",
    )
    async with open_model(settings) as model:
        assert model.name == "ollama:llama3.2"
        assert await read(model) == ANSWER
    asked = server.requests[0].raw
    assert asked["model"] == "llama3.2"
    assert asked["stream"] is True
    assert asked["options"] == {"temperature": 0.25, "num_predict": 321, "num_ctx": 4567, "seed": 0}
    assert asked["keep_alive"] == "90s"
    assert asked["messages"] == [
        {"role": "system", "content": "SYSTEMWORD"},
        {"role": "user", "content": "PROMPTWORD"},
    ]


async def test_the_schema_reaches_the_wire_with_its_properties_in_their_order(server: OllamaServer) -> None:
    async with open_model(config(server.base_url)) as model:
        await read(model)
    asked = server.requests[0].raw["format"]
    assert asked == SCHEMA
    assert list(asked["properties"]) == ["story_content", "a_title"]


async def test_no_seed_is_sent_where_none_is_configured(server: OllamaServer) -> None:
    async with open_model(config(server.base_url, model_seed=None)) as model:
        await read(model)
    assert "seed" not in server.requests[0].options


@pytest.mark.parametrize(
    ("reasoning", "think"), [("off", False), ("on", True), ("low", "low"), ("medium", "medium"), ("high", "high")]
)
async def test_reasoning_reaches_the_wire_as_configured(
    server: OllamaServer, reasoning: str, think: bool | str
) -> None:
    async with open_model(config(server.base_url, model="ollama:qwen3:8b", model_reasoning=reasoning)) as model:
        await read(model)
    assert server.requests[0].think == think


async def test_credentials_of_the_url_go_into_a_header_and_into_no_message(server: OllamaServer) -> None:
    base_url = server.base_url.replace("//", "//reader:SECRET@")
    server.reply_with(Reply(status=500))
    assert isinstance(await failure(config(base_url)), ModelUnavailable)
    sent = server.requests[0].headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"reader:SECRET"


@pytest.mark.parametrize(
    ("reply", "kind", "told"),
    [
        (Reply(status=404), ModelNotFound, "`ollama pull llama3.2`"),
        (Reply(status=400, error=QUOTING), ModelMisconfigured, "refused the request with status 400"),
        (Reply(status=429, error=QUOTING), ModelUnavailable, "too much to do"),
        (Reply(status=500, error=QUOTING), ModelDown, "failed with status 500"),
        (Reply(status=503), ModelDown, "failed with status 503"),
        (Reply(cut_after=0), ModelDown, "broke off"),
        (Reply(content=ANSWER, cut_after=3), ModelDown, "broke off"),
        (Reply(content=ANSWER, end_without_done=True), ModelUnavailable, "broke off"),
        (Reply(content="", end_without_done=True), ModelUnavailable, "broke off"),
        (Reply(content="", done_reason="load"), ModelUnavailable, "broke off"),
        (Reply(error_line_after=0, error=QUOTING), ModelUnavailable, "failed"),
        (Reply(error_line_after=3, error=QUOTING), ModelUnavailable, "failed"),
        (Reply(malformed_line_after=0), ModelOutputInvalid, "JSON lines"),
        (Reply(content=ANSWER, malformed_line_after=3), ModelOutputInvalid, "JSON lines"),
    ],
)
async def test_every_fault_of_the_server_has_its_type(
    server: OllamaServer, reply: Reply, kind: type[FabulaError], told: str
) -> None:
    server.reply_with(reply)
    error = await failure(config(server.base_url))
    assert type(error) is kind
    assert told in error.message


@pytest.mark.parametrize("reply", [Reply(stall_after=2), Reply(stall_after=0), Reply(stall_before_headers=True)])
async def test_silence_beyond_the_bound_is_a_timeout(server: OllamaServer, reply: Reply) -> None:
    server.reply_with(reply)
    assert isinstance(await failure(config(server.base_url, model_idle_seconds=0.1)), ModelTimeout)
    await server.wait_aborted(1)


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>", b"[]\n", b"null\n", b'"text"\n', b'{"hello": "world"}\n', b'{"message": 1}\n', b"\xff\xfe\n"),
        b"[" * 100_000 + b"\n",
        b'{"message":' * 50_000 + b"\n",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
async def test_a_server_that_is_no_ollama_gives_invalid_output(body: bytes) -> None:
    async with saying(body) as base_url:
        assert isinstance(await failure(config(base_url)), ModelOutputInvalid)


async def test_a_server_that_hears_and_says_nothing_gives_an_unavailable_model() -> None:
    async with saying(b"") as base_url:
        assert isinstance(await failure(config(base_url)), ModelUnavailable)


async def test_a_stopped_server_is_unavailable_and_a_restarted_one_answers_again(server: OllamaServer) -> None:
    async with open_model(config(server.base_url)) as model:
        await read(model)
        await server.stop()
        error = await failure(config(server.base_url))
        assert isinstance(error, ModelUnavailable)
        assert "can't be reached" in error.message
        await server.start()
        assert await read(model) == ANSWER


async def test_a_wrong_path_is_told_apart_from_a_missing_model(server: OllamaServer) -> None:
    error = await failure(config(f"{server.base_url}/v1"))
    assert isinstance(error, ModelUnavailable)
    assert "path" in error.message


async def test_a_model_that_can_not_think_says_which_setting_asks_it_to(server: OllamaServer) -> None:
    error = await failure(config(server.base_url, model_reasoning="on"))
    assert isinstance(error, ModelUnavailable)
    assert "FABULA_MODEL_REASONING" in error.message


async def test_an_answer_cut_by_the_token_limit_says_so_last(server: OllamaServer) -> None:
    async with open_model(config(server.base_url, model_max_tokens=2)) as model:
        chunks = [chunk async for chunk in model.stream(PROMPT, SCHEMA)]
    assert chunks == [TextChunk(ANSWER[:4]), TextChunk(ANSWER[4:8]), TextChunk("", truncated=True)]


async def test_150_stories_are_written_at_once(server: OllamaServer) -> None:
    server.reply_by_default(Reply(content=ANSWER, stall_after=1))
    async with open_model(config(server.base_url)) as model:
        readers = [asyncio.create_task(read(model)) for _ in range(150)]
        await server.wait_stalled(150)
        server.release()
        assert set(await asyncio.gather(*readers)) == {ANSWER}
    assert server.peak_chats == 150


async def test_a_limit_of_connections_refuses_what_is_beyond_it_and_harms_nobody_else(server: OllamaServer) -> None:
    server.reply_by_default(Reply(content=ANSWER, stall_after=1))
    limited = config(server.base_url, model_connections=2, model_connect_seconds=0.1)
    async with open_model(limited) as model:
        readers = [asyncio.create_task(read(model)) for _ in range(2)]
        await server.wait_stalled(2)
        with pytest.raises(ModelUnavailable, match="in use"):
            await read(model)
        server.release()
        assert await asyncio.gather(*readers) == [ANSWER, ANSWER]
    assert server.peak_chats == 2


async def test_no_connection_stays_open_when_the_model_is_left(server: OllamaServer) -> None:
    async with open_model(config(server.base_url)) as model:
        await asyncio.gather(read(model), read(model))
        assert server._connections  # kept for the next story
    await asyncio.gather(*server._connections)


PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "what://ever"])
async def test_no_proxy_stands_before_a_model_on_this_machine(
    server: OllamaServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
    for base_url in (server.base_url, server.base_url.replace("127.0.0.1", "localhost")):
        async with open_model(config(base_url)) as model:
            assert await read(model) == ANSWER


async def test_a_proxy_is_used_for_a_model_elsewhere(server: OllamaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.base_url)
    # Our server is no proxy and knows no path that begins with another host: its 404 proves that it was asked.
    assert "No Ollama answers there" in (await failure(config("http://models.example"))).message


async def test_a_proxy_that_can_not_be_used_is_a_plain_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    for name in PROXIES:
        monkeypatch.setenv(name, "what://user:SECRET@ever")
    with pytest.raises(ConfigError, match=r"FABULA_OLLAMA_BASE_URL: .*HTTP_PROXY") as raised:
        async with open_model(config("http://models.example")):
            pass
    assert "SECRET" not in str(raised.value)
