"""Any chat model of LangChain becomes text as it is written, typed errors, and a connection that closes at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog.testing
from google.protobuf.message import Message
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import BaseModel, Field

from service.config import Config
from service.errors import FabulaError, ModelNotFound, ModelTimeout, ModelUnavailable
from service.models import open_model
from service.models.chat import ChatModel
from service.runtime.model import LanguageModel, Prompt, Schema, TextChunk
from service.runtime.pause import Pause, current_pause, pausable
from service.runtime.ports import Emitter
from tests.ollama_server import OllamaServer, Reply
from tests.service.runtime.scripted import Listener, complete, turns

PROMPT = Prompt("You tell stories.", "Tell of a fox.")
SCHEMA: Schema = {"title": "Chapter", "type": "object", "properties": {"story_content": {"type": "string"}}}


class Scripted(BaseChatModel):
    """Says its pieces: a text is a chunk, an error is raised, an event is waited for."""

    pieces: list[Any] = Field(default_factory=list)
    bindings: int = 0
    left: bool = False

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def with_structured_output(
        self, schema: dict[str, Any] | type, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        assert kwargs == {"method": "json_schema"}
        self.bindings += 1
        return self.bind(format=schema) | JsonOutputParser()

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        del args, kwargs
        raise AssertionError("an answer is streamed")

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        del messages, stop, run_manager, kwargs
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    yield ChatGenerationChunk(message=piece)
        finally:
            self.left = True


def says(text: str | list[Any], **metadata: Any) -> AIMessageChunk:
    return AIMessageChunk(content=text, response_metadata=metadata)


def translate(error: Exception) -> FabulaError | None:
    if isinstance(error, TimeoutError):
        return ModelTimeout("It was silent.")
    return ModelUnavailable("It failed.") if isinstance(error, OSError) else None


def scripted(*pieces: Any, idle_seconds: float | None = None) -> tuple[ChatModel, Scripted]:
    chat = Scripted(pieces=list(pieces))
    return ChatModel("scripted", chat, translate, idle_seconds), chat


async def read(model: LanguageModel, schema: Schema = SCHEMA) -> list[TextChunk]:
    return [chunk async for chunk in model.stream(PROMPT, schema)]


def config(server: OllamaServer, **settings: Any) -> Config:
    return Config(**{"model": "ollama:llama3.2", "ollama_base_url": server.base_url, **settings})


async def test_text_comes_as_plain_str_and_without_what_is_not_text() -> None:
    blocks = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": '{"a"'}]
    model, _ = scripted(says(blocks), says(""), says(": 1}"), says("", finish_reason="stop"))
    chunks = await read(model)
    assert chunks == [TextChunk('{"a"'), TextChunk(": 1}")]
    assert {type(chunk.text) for chunk in chunks} == {str}


async def test_a_schema_is_bound_once_however_often_it_is_asked_for() -> None:
    model, chat = scripted(says("{}", finish_reason="stop"))
    other = dict(SCHEMA)
    for schema in (SCHEMA, SCHEMA, other, SCHEMA, other):
        await read(model, schema)
    assert chat.bindings == 2


@pytest.mark.parametrize(
    "metadata", [{"done_reason": "length"}, {"finish_reason": "MAX_TOKENS"}, {"stop_reason": "max_tokens"}]
)
async def test_a_cut_answer_ends_with_a_chunk_that_says_so(metadata: dict[str, str]) -> None:
    model, _ = scripted(says('{"a'), says("", **metadata))
    assert await read(model) == [TextChunk('{"a'), TextChunk("", truncated=True)]


async def test_an_answer_that_nobody_called_done_is_broken_off() -> None:
    model, _ = scripted(says('{"a": 1}'))
    with pytest.raises(ModelUnavailable, match="broke off"):
        await read(model)


async def test_a_failure_is_typed_and_logged_without_any_of_its_text() -> None:
    model, _ = scripted(says("{"), ConnectionResetError("the child's words"))
    with structlog.testing.capture_logs() as logs, pytest.raises(ModelUnavailable, match=r"^It failed\.$"):
        await read(model)
    facts = {"event": "model_failed", "log_level": "warning", "model": "scripted"}
    [places] = [line.pop("places") for line in logs]
    assert places[-1].endswith(" _astream")
    assert logs == [facts | {"error": "ConnectionResetError", "reason": "ModelUnavailable"}]


@pytest.mark.parametrize("error", [ModelNotFound("Ours already."), ZeroDivisionError("a bug")])
async def test_what_is_not_the_providers_failure_stays_as_it_is(error: Exception) -> None:
    model, _ = scripted(says("{"), error)
    with pytest.raises(type(error)) as raised:
        await read(model)
    assert raised.value is error
    assert error.__cause__ is None


async def test_silence_beyond_the_bound_is_a_timeout_and_leaves_the_model() -> None:
    model, chat = scripted(says("{"), asyncio.Event(), idle_seconds=0.05)
    with pytest.raises(ModelTimeout):
        await read(model)
    assert chat.left


async def test_a_bound_on_silence_changes_nothing_of_an_answer_that_flows() -> None:
    model, _ = scripted(says("{"), says("}"), says("", finish_reason="stop"), idle_seconds=60)
    assert await read(model) == [TextChunk("{"), TextChunk("}")]


async def test_in_a_pause_nothing_is_pulled_and_silence_is_no_timeout() -> None:
    going_on, lapsed = asyncio.Event(), asyncio.Event()
    model, chat = scripted(says("{"), going_on, says("}"), says("", finish_reason="stop"), idle_seconds=0.02)
    heard: list[str] = []

    async def work(_: Emitter) -> Message:
        async for chunk in model.stream(PROMPT, SCHEMA):
            heard.append(chunk.text)
            if len(heard) == 1:  # paused once more has been asked for, and is not there yet
                asyncio.get_running_loop().call_soon(current_pause().begin)
        return complete()

    pause = Pause()
    job = asyncio.create_task(pausable(work, pause)(Listener()))
    asyncio.get_running_loop().call_later(0.1, lapsed.set)
    await lapsed.wait()
    going_on.set()
    await turns()
    assert (pause.on, heard, chat.left) == (True, ["{", "}"], False)
    pause.end()
    assert await job == complete()
    assert chat.left


async def test_text_leaves_while_the_model_still_writes_and_joins_to_the_whole() -> None:
    whole = '{"story_content": "The fox 🦊 said:\\n\\"Zo\\u00eb!\\" \\ud83e\\udd8a"}'
    lines = [whole[at : at + 3] for at in range(0, len(whole), 3)]
    async with OllamaServer() as server, open_model(config(server)) as model:
        server.reply_with(Reply(content=whole, chunk_chars=3, stall_after=2))
        stream = model.stream(PROMPT, SCHEMA)
        begun = [await anext(stream), await anext(stream)]
        await server.wait_stalled(1)
        server.release()
        chunks = begun + [chunk async for chunk in stream]
    assert [chunk.text for chunk in chunks] == lines
    assert not any(chunk.truncated for chunk in chunks)


@pytest.mark.parametrize("effort", ["on", "low", "high"])
async def test_what_the_model_thinks_is_never_part_of_its_text(effort: str) -> None:
    async with OllamaServer() as server:
        settings = config(server, model="ollama:qwen3:8b", model_reasoning=effort)
        async with open_model(settings) as model:
            server.reply_with(Reply(thinking="First, the fox.", content="{}", chunk_chars=1))
            assert [chunk.text for chunk in await read(model)] == ["{", "}"]


async def test_a_generator_closed_early_closes_the_connection() -> None:
    async with OllamaServer() as server, open_model(config(server)) as model:
        server.reply_with(Reply(content="x" * 100_000, chunk_chars=1))
        stream = model.stream(PROMPT, SCHEMA)
        assert await anext(stream) == TextChunk("x")
        await stream.aclose()
        await server.wait_for_chats(0)
        assert server.chats_aborted == 1


async def test_a_generator_closed_in_a_silence_closes_the_connection() -> None:
    async with OllamaServer() as server, open_model(config(server)) as model:
        server.reply_with(Reply(stall_after=1))
        stream = model.stream(PROMPT, SCHEMA)
        await anext(stream)
        await server.wait_stalled(1)
        await stream.aclose()
        await server.wait_aborted(1)
        assert server.open_chats == 0


@pytest.mark.parametrize("silence", [Reply(stall_after=0), Reply(stall_after=2), Reply(stall_before_headers=True)])
async def test_a_cancelled_reader_closes_the_connection_and_stays_cancelled(silence: Reply) -> None:
    async with OllamaServer() as server, open_model(config(server)) as model:
        server.reply_with(silence)
        reader = asyncio.create_task(read(model))
        await server.wait_stalled(1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await server.wait_aborted(1)
        assert server.open_chats == 0
        assert await read(model)


async def test_a_reader_cancelled_while_silence_is_bounded_leaves_the_model() -> None:
    begun = asyncio.Event()
    model, chat = scripted(says("{"), asyncio.Event(), idle_seconds=60)

    async def reading() -> None:
        async for _ in model.stream(PROMPT, SCHEMA):
            begun.set()

    reader = asyncio.create_task(reading())
    await begun.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert chat.left
