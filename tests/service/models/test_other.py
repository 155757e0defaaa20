"""Any other provider of LangChain: one way in for all, whatever options and errors each of them has of its own."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import structlog.testing

from service.config import Config
from service.errors import ConfigError, FabulaError, ModelTimeout, ModelUnavailable
from service.models.chat import ChatModel
from service.models.other import open_other
from service.runtime.model import (
    ModelDown,
    ModelMisconfigured,
    Prompt,
    Schema,
    TextChunk,
)
from tests.ollama_server import OllamaServer, Reply

PROMPT = Prompt("SYSTEMWORD", "PROMPTWORD")
SCHEMA: Schema = {"title": "Chapter", "type": "object", "properties": {"story_content": {"type": "string"}}}
ANSWER = '{"story_content": "ANSWERWORD"}'

PROVIDER = """
from typing import Any
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, SecretStr, model_validator

class Telling(BaseChatModel):
    model: str
    temperature: float
    _llm_type = "telling"

    def with_structured_output(self, schema, **kwargs):
        return self | JsonOutputParser()

    def _generate(self, *args, **kwargs):
        message = AIMessage(f"{self.model} at {self.temperature}", response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])
"""
"""What every provider below begins with: a package of LangChain's as small as can be."""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a provider's package importable. LangChain remembers it: every test needs one of its own."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(package: str, text: str) -> None:
        assert package not in sys.modules
        (tmp_path / f"{package}.py").write_text(PROVIDER + text, encoding="utf-8")

    return write


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OllamaServer]:
    """Ollama where its own client library looks for it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with OllamaServer(default=Reply(content=ANSWER)) as running:
        monkeypatch.setenv("OLLAMA_HOST", running.base_url)
        yield running


def ollama(idle_seconds: float = 60, max_tokens: int = 2048) -> AbstractAsyncContextManager[ChatModel]:
    """Ollama as if it were any other provider."""
    config = Config(
        model="ollama:llama3.2",
        model_temperature=0.5,
        model_idle_seconds=idle_seconds,
        model_max_tokens=max_tokens,
    )
    return open_other(config, "ollama", "llama3.2")


async def read(model: ChatModel) -> list[TextChunk]:
    return [chunk async for chunk in model.stream(PROMPT, SCHEMA)]


async def test_text_streams_as_it_is_written_and_is_bound_to_the_schema(server: OllamaServer) -> None:
    server.reply_with(Reply(content=ANSWER, stall_after=2))
    async with ollama() as model:
        stream = model.stream(PROMPT, SCHEMA)
        begun = [await anext(stream), await anext(stream)]
        await server.wait_stalled(1)
        server.release()
        chunks = begun + [chunk async for chunk in stream]
    assert model.name == "ollama:llama3.2"
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert len(chunks) == len(range(0, len(ANSWER), 4))
    assert server.requests[0].raw["format"] == SCHEMA
    assert server.requests[0].options["temperature"] == 0.5


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=404),
        Reply(status=500, error="PROMPTWORD"),
        Reply(content=ANSWER, cut_after=2),
        Reply(content=ANSWER, end_without_done=True),
        Reply(error_line_after=2, error="PROMPTWORD"),
        Reply(malformed_line_after=2),
    ],
)
async def test_every_failure_is_an_unavailable_model_and_quotes_nothing(server: OllamaServer, reply: Reply) -> None:
    server.reply_with(reply)
    with structlog.testing.capture_logs() as logs:
        async with ollama() as model:
            with pytest.raises(FabulaError) as raised:
                await read(model)
    assert isinstance(raised.value, ModelUnavailable)
    told = f"{raised.value.message} {logs}"
    assert [word for word in ("SYSTEMWORD", "PROMPTWORD", "ANSWERWORD", "127.0.0.1") if word in told] == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        *((Reply(status=status, error="no"), ModelMisconfigured) for status in range(400, 405)),
        (Reply(status=429), ModelUnavailable),
        (Reply(error_line_after=0), ModelUnavailable),
        (Reply(status=500), ModelDown),
        (Reply(cut_after=0), ModelDown),
    ],
)
async def test_a_failure_tells_whether_asking_again_is_in_vain_and_whether_anybody_answered(
    server: OllamaServer, reply: Reply, kind: type[FabulaError]
) -> None:
    server.reply_with(reply)
    async with ollama() as model:
        with pytest.raises(FabulaError) as raised:
            await read(model)
    assert type(raised.value) is kind


async def test_an_answer_without_end_is_left_whatever_the_provider_makes_of_the_token_limit(
    server: OllamaServer,
) -> None:
    server.reply_with(Reply(content=ANSWER, endless_after=1))
    async with ollama(max_tokens=50) as model:
        chunks = await read(model)
        await server.wait_aborted(1)
    assert len(chunks) == 2 * 50 + 1
    assert chunks[-1] == TextChunk("", truncated=True)


async def test_a_provider_does_not_ask_again_by_itself(install: Install) -> None:
    install(
        "langchain_deepseek",
        "class ChatDeepSeek(Telling):\n"
        "    max_retries: int = 2\n"
        "    def _generate(self, *args, **kwargs):\n"
        "        self.model = f'{self.max_retries} retries'\n"
        "        return super()._generate()",
    )
    config = Config(model="deepseek:bard", model_temperature=0.5)
    async with open_other(config, "deepseek", "bard") as model:
        assert await read(model) == [TextChunk("0 retries at 0.5")]


@pytest.mark.parametrize("reply", [Reply(stall_after=2), Reply(stall_before_headers=True)])
async def test_silence_is_a_timeout_also_where_the_provider_has_none(server: OllamaServer, reply: Reply) -> None:
    server.reply_with(reply)
    async with ollama(idle_seconds=0.1) as model:
        with pytest.raises(ModelTimeout):
            await read(model)
        await server.wait_aborted(1)


async def test_a_closed_generator_closes_the_connection(server: OllamaServer) -> None:
    server.reply_with(Reply(stall_after=1))
    async with ollama() as model:
        stream = model.stream(PROMPT, SCHEMA)
        await anext(stream)
        await server.wait_stalled(1)
        await stream.aclose()
        await server.wait_aborted(1)


@pytest.mark.parametrize(
    ("provider", "package", "text", "refused"),
    [
        (
            *("groq", "langchain_groq"),
            'class ChatGroq(Telling):\n    model_config = ConfigDict(extra="forbid")',
            ["max_retries", "max_tokens", "timeout"],
        ),
        (
            *("mistralai", "langchain_mistralai"),
            "class ChatMistralAI(Telling):\n"
            "    def __init__(self, *, model, temperature, max_tokens, max_retries):\n"
            "        super().__init__(model=model, temperature=temperature)",
            ["timeout"],
        ),
    ],
)
async def test_options_that_a_provider_does_not_know_are_left_out_and_logged(
    install: Install, provider: str, package: str, text: str, refused: list[str]
) -> None:
    install(package, text)
    config = Config(model=f"{provider}:bard", model_temperature=0.5)
    with structlog.testing.capture_logs() as logs:
        async with open_other(config, provider, "bard") as model:
            assert await read(model) == [TextChunk("bard at 0.5")]
    facts = {"event": "model_options_refused", "log_level": "warning", "provider": provider}
    assert logs == [facts | {"options": refused}]


@pytest.mark.parametrize(
    ("provider", "package", "text"),
    [
        (
            *("xai", "langchain_xai"),
            "class OwnError(Exception): ...\n"
            "class ChatXAI(Telling):\n"
            "    @model_validator(mode='after')\n"
            "    def key(self):\n"
            "        raise OwnError('XAI_API_KEY must be set\\n\\nsee the manual')",
        ),
        (
            *("cohere", "langchain_cohere"),
            "class ChatCohere(Telling):\n"
            "    @model_validator(mode='before')\n"
            "    @classmethod\n"
            "    def key(cls, values):\n"
            "        values['api_key'] = 'SECRET'\n"
            "        raise ValueError('COHERE_API_KEY must be set')",
        ),
        (
            *("perplexity", "langchain_perplexity"),
            "class ChatPerplexity(Telling):\n    PPLX_API_KEY: str = 'SECRET'\n    api_key_must_be_set: str",
        ),
    ],
)
async def test_a_provider_that_can_not_be_opened_says_why_in_one_line_without_any_key(
    install: Install, provider: str, package: str, text: str
) -> None:
    install(package, text)
    with pytest.raises(ConfigError) as raised:
        async with open_other(Config(model=f"{provider}:bard"), provider, "bard"):
            pass
    (told,) = raised.value.problems
    assert told.startswith(f"FABULA_MODEL: '{provider}:bard' can't be opened: ")
    assert "must be set" in told.replace("_", " ")
    assert len(told.splitlines()) == 1
    assert "SECRET" not in told


async def test_a_package_that_is_broken_is_told_as_one_that_is_missing(install: Install) -> None:
    install("langchain_upstage", "import a_package_that_nobody_has")
    with pytest.raises(ConfigError, match=r"FABULA_MODEL: 'upstage' needs a package .*langchain-upstage"):
        async with open_other(Config(model="upstage:bard"), "upstage", "bard"):
            pass
