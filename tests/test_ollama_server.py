"""The Ollama server of the tests is faithful: the real client libraries cannot tell it from Ollama."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeAlias

import httpx
import ollama
import pytest
from langchain_ollama import ChatOllama
from ollama import ResponseError

from tests.ollama_server import STORY, ChatRequest, OllamaServer, Reply, synthesise

ModelFactory: TypeAlias = Callable[..., ChatOllama]

MODEL = "llama3.2"
THINKER = "qwen3:8b"
QUESTION = [{"role": "user", "content": "Tell me about a fox."}]
FABLE = {"title": "Le café", "story_content": 'The fox 🦊 said: "Bonne\tnuit, Zoë!"\n\nThe end.'}
STORY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 40},
        "story_content": {"type": "string"},
        "reading_age": {"type": "integer", "minimum": 5, "maximum": 8},
        "calm": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "approved": {"type": "boolean"},
        "unsafe": {"type": "boolean"},
        "verdict": {"enum": ["reject", "publish"]},
        "characters": {"type": "array", "items": {"$ref": "#/$defs/Character"}, "minItems": 3, "maxItems": 4},
        "sequel": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Character"}]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["title", "story_content"],
    "$defs": {
        "Character": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 10},
                "friend": {"anyOf": [{"$ref": "#/$defs/Character"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Character"}},
            },
            "required": ["name", "friend", "children"],
        }
    },
}


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer() as running:
        yield running


@pytest.fixture
async def client(server: OllamaServer) -> AsyncIterator[ollama.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    async with ollama.AsyncClient(host=server.base_url, trust_env=False, limits=limits) as connected:
        yield connected


@pytest.fixture
async def web(server: OllamaServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=20) as connected:
        yield connected


@pytest.fixture
def chat_model(server: OllamaServer) -> ModelFactory:
    # A ChatOllama cannot be closed, so let it keep no connection.
    client_kwargs = {"trust_env": False, "limits": httpx.Limits(max_keepalive_connections=0)}
    return partial(ChatOllama, model=MODEL, base_url=server.base_url, client_kwargs=client_kwargs)


async def stream(client: ollama.AsyncClient, **settings: Any) -> list[ollama.ChatResponse]:
    parts: AsyncIterator[ollama.ChatResponse] = await client.chat(
        **{"model": MODEL, "messages": QUESTION, "stream": True, **settings}
    )
    return [part async for part in parts]


def text(parts: list[ollama.ChatResponse]) -> str:
    return "".join(part.message.content or "" for part in parts)


async def collect(model: ChatOllama, into: list[str]) -> None:
    async for chunk in model.astream("Tell me about a fox."):
        into.append(str(chunk.content))  # noqa: PERF401 - what was told before an error must stay


# What is streamed


async def test_a_story_is_streamed_in_pieces_and_ends_with_the_counts(client: ollama.AsyncClient) -> None:
    *pieces, last = await stream(client)
    assert text(pieces) == STORY
    assert [len(piece.message.content or "") for piece in pieces[:-1]] == [4] * (len(pieces) - 1)
    assert not any(piece.done for piece in pieces)
    assert (last.done, last.done_reason, last.message.content) == (True, "stop", "")
    assert last.eval_count == len(pieces)
    assert last.prompt_eval_count == 5
    assert last.total_duration is not None
    assert last.total_duration >= (last.eval_duration or 0) > 0


async def test_the_wire_is_ndjson_in_chunks_with_a_json_object_on_every_line(web: httpx.AsyncClient) -> None:
    body = {"model": MODEL, "messages": QUESTION}
    async with web.stream("POST", "/api/chat", json=body) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        assert response.headers["transfer-encoding"] == "chunked"
        lines = [json.loads(line) async for line in response.aiter_lines()]
    assert list(lines[0]) == ["model", "created_at", "message", "done"]
    assert lines[0]["message"] == {"role": "assistant", "content": "Mina"}
    assert set(lines[-1]) - set(lines[0]) == {
        *("done_reason", "total_duration", "load_duration", "prompt_eval_count"),
        *("prompt_eval_duration", "eval_count", "eval_duration"),
    }


async def test_without_streaming_one_object_carries_the_whole_story(client: ollama.AsyncClient) -> None:
    response = await client.chat(model=MODEL, messages=QUESTION)
    assert response.message.content == STORY
    assert response.done_reason == "stop"


async def test_chat_ollama_streams_the_story_and_its_metadata(chat_model: ModelFactory) -> None:
    chunks = [chunk async for chunk in chat_model().astream("Tell me about a fox.")]
    assert "".join(str(chunk.content) for chunk in chunks) == STORY
    done = next(chunk for chunk in chunks if chunk.response_metadata)
    assert done.response_metadata["done_reason"] == "stop"
    assert done.usage_metadata is not None
    assert done.usage_metadata["output_tokens"] > 100


async def test_thinking_comes_before_the_content_and_in_its_own_field(
    server: OllamaServer, chat_model: ModelFactory
) -> None:
    server.reply_by_default(Reply(thinking="Foxes are clever.", content="Once."))
    thoughtful = await chat_model(model=THINKER, reasoning=True).ainvoke("Tell me.")
    silent = await chat_model(model=THINKER, reasoning=False).ainvoke("Tell me.")
    assert thoughtful.content == silent.content == "Once."
    assert thoughtful.additional_kwargs["reasoning_content"] == "Foxes are clever."
    assert "reasoning_content" not in silent.additional_kwargs
    assert [request.think for request in server.requests] == [True, False]


async def test_html_and_wide_characters_arrive_as_they_were_scripted(
    server: OllamaServer, client: ollama.AsyncClient
) -> None:
    said = "<b>Zoë & 🦊</b>\u2028\\u00e9"
    server.reply_with(Reply(content=said, chunk_chars=1))
    assert text(await stream(client)) == said


# What the format demands


async def test_a_schema_is_obeyed_through_chat_ollama_structured_output(chat_model: ModelFactory) -> None:
    model = chat_model().with_structured_output({"title": "Story", **STORY_SCHEMA}, method="json_schema")
    told = await model.ainvoke("Tell me about a fox.")
    assert isinstance(told, dict)
    assert list(told) == list(STORY_SCHEMA["properties"])
    assert told["story_content"] == STORY
    assert len(told["title"]) >= 40
    assert 5 <= told["reading_age"] <= 8
    assert 0 < told["calm"] <= 1
    assert (told["approved"], told["unsafe"], told["verdict"]) == (True, False, "publish")
    assert [character["name"] for character in told["characters"]] == ["Mina", "Mina", "Mina"]
    assert told["characters"][0] == {"name": "Mina", "friend": None, "children": []}
    assert told["sequel"]["name"] == "Mina"
    assert isinstance(told["note"], str)


def test_a_story_holds_what_parsers_stumble_over() -> None:
    assert 100 <= len(STORY.split()) <= 140
    assert STORY.count("\n\n") >= 4
    assert {'"', "é", "🦊"} <= set(STORY)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 7}, 7),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 3}, ["a", "b", "a"]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}, {"const": 3}], "items": False}, [1, 2, 3]),
        ({"type": "integer", "minimum": 10, "multipleOf": 4}, 12),
        ({"type": "null"}, None),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"type": "string", "format": "date"}, "2026-05-01"),
        ({"type": "string", "pattern": "^[a-z]{2}$"}, "en"),
    ],
)
def test_a_schema_gets_a_value_that_conforms(schema: dict[str, Any], expected: object) -> None:
    assert synthesise(schema) == expected


async def test_the_json_format_yields_an_object_and_no_format_plain_text(client: ollama.AsyncClient) -> None:
    assert isinstance(json.loads(text(await stream(client, format="json"))), dict)
    assert text(await stream(client)) == STORY


@pytest.mark.parametrize("chunk_chars", [1, 2, 3, 5, 7])
async def test_escapes_go_over_the_wire_split_wherever_lines_end(
    server: OllamaServer, client: ollama.AsyncClient, chunk_chars: int
) -> None:
    server.reply_with(Reply(content=FABLE, ensure_ascii=True, chunk_chars=chunk_chars))
    parts = await stream(client)
    assert "\\ud83e\\udd8a" in text(parts)
    assert "caf\\u00e9" in text(parts)
    assert max(len(part.message.content or "") for part in parts) == chunk_chars
    assert json.loads(text(parts)) == FABLE


async def test_a_schema_beyond_the_synthesiser_is_an_error_that_says_so(client: ollama.AsyncClient) -> None:
    with pytest.raises(ResponseError, match="no text at hand matches"):
        await stream(client, format={"type": "string", "pattern": "^[0-9]{9}x$"})


# What was asked for


async def test_num_predict_cuts_the_story_and_says_length(chat_model: ModelFactory) -> None:
    answer = await chat_model(num_predict=5).ainvoke("Tell me about a fox.")
    assert answer.content == STORY[:20]
    assert answer.response_metadata["done_reason"] == "length"
    assert answer.response_metadata["eval_count"] == 5


async def test_a_scripted_done_reason_reaches_the_client(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_with(Reply(content="Once upon", done_reason="length"))
    assert (await stream(client))[-1].done_reason == "length"


async def test_requests_are_recorded_with_their_options(server: OllamaServer, chat_model: ModelFactory) -> None:
    await chat_model(seed=7, num_ctx=8192, keep_alive="10m", temperature=0.3).ainvoke("Tell me.")
    (request,) = server.requests
    assert (request.model, request.stream, request.keep_alive, request.format) == (MODEL, True, "10m", None)
    assert request.options == {"seed": 7, "num_ctx": 8192, "temperature": 0.3}
    assert request.messages[0]["role"] == "user"
    assert request.prompt == "Tell me."
    assert request.raw["model"] == MODEL
    assert request.headers["content-type"] == "application/json"


async def test_replies_are_taken_from_the_queue_then_from_the_responder_then_by_default(
    server: OllamaServer, client: ollama.AsyncClient
) -> None:
    def review(request: ChatRequest) -> Reply | None:
        return Reply(content="reviewed") if "fox" in request.prompt else None

    server.reply_with(Reply(content="one"), Reply(content="two"))
    server.respond(review)
    server.reply_by_default(Reply(content="default"))
    answers = [text(await stream(client)) for _ in range(3)]
    answers.append(text(await stream(client, messages=[{"role": "user", "content": "An owl?"}])))
    assert answers == ["one", "two", "reviewed", "default"]


async def test_a_chat_without_messages_only_loads_the_model(client: ollama.AsyncClient) -> None:
    response = await client.chat(model=MODEL, messages=[])
    assert (response.done_reason, response.message.content) == ("load", "")


# What goes wrong


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_unknown_model_is_a_404_in_the_words_of_ollama(client: ollama.AsyncClient, streamed: bool) -> None:
    with pytest.raises(ResponseError) as caught:
        await (stream(client, model="grimm") if streamed else client.chat(model="grimm", messages=QUESTION))
    assert (caught.value.status_code, caught.value.error) == (404, "model 'grimm' not found")


async def test_a_model_that_cannot_think_refuses_to(client: ollama.AsyncClient) -> None:
    with pytest.raises(ResponseError) as caught:
        await stream(client, think=True)
    assert (caught.value.status_code, caught.value.error) == (400, '"llama3.2" does not support thinking')


@pytest.mark.parametrize(("status", "words"), [(404, "not found"), (500, "terminated"), (503, "server busy")])
async def test_a_scripted_status_raises_with_an_error_text(
    server: OllamaServer, chat_model: ModelFactory, status: int, words: str
) -> None:
    server.reply_with(Reply(status=status), Reply(status=status, error="my words"))
    with pytest.raises(ResponseError, match=words) as caught:
        await chat_model().ainvoke("Tell me.")
    assert caught.value.status_code == status
    with pytest.raises(ResponseError, match="my words"):
        await chat_model().ainvoke("Tell me.")


async def test_an_error_line_amid_the_stream_comes_under_status_200(
    server: OllamaServer, chat_model: ModelFactory
) -> None:
    server.reply_with(Reply(error_line_after=3, error="out of memory"))
    told: list[str] = []
    with pytest.raises(ResponseError, match="out of memory") as caught:
        await collect(chat_model(), told)
    assert caught.value.status_code == -1
    assert "".join(told) == STORY[:12]


async def test_an_error_without_streaming_is_a_500(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_with(Reply(error_line_after=3))
    with pytest.raises(ResponseError) as caught:
        await client.chat(model=MODEL, messages=QUESTION)
    assert caught.value.status_code == 500


async def test_a_cut_connection_is_a_transport_error_after_the_lines_sent(
    server: OllamaServer, chat_model: ModelFactory
) -> None:
    server.reply_with(Reply(cut_after=3))
    told: list[str] = []
    with pytest.raises(httpx.RemoteProtocolError):
        await collect(chat_model(), told)
    assert "".join(told) == STORY[:12]
    assert (server.chats_finished, server.chats_aborted) == (1, 0)


async def test_a_fault_beyond_the_last_line_still_happens(server: OllamaServer, chat_model: ModelFactory) -> None:
    server.reply_with(Reply(content="Once.", cut_after=1000))
    told: list[str] = []
    with pytest.raises(httpx.RemoteProtocolError):
        await collect(chat_model(), told)
    assert "".join(told) == "Once."


async def test_a_stream_may_end_cleanly_without_its_done_line(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_with(Reply(content="Once upon", end_without_done=True))
    parts = await stream(client)
    assert text(parts) == "Once upon"
    assert not any(part.done for part in parts)


async def test_a_malformed_line_is_not_json(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_with(Reply(malformed_line_after=2))
    with pytest.raises(json.JSONDecodeError):
        await stream(client)


async def test_a_stopped_server_cuts_its_chats_and_can_start_again_on_its_port(
    server: OllamaServer, client: ollama.AsyncClient
) -> None:
    server.reply_with(Reply(stall_after=2))
    telling = asyncio.create_task(stream(client))
    await server.wait_stalled(1)
    await server.stop()
    with pytest.raises(httpx.RemoteProtocolError):
        await telling
    with pytest.raises(httpx.ConnectError):
        await stream(client)
    assert (server.open_chats, server.chats_aborted) == (0, 0)
    await server.start()
    assert text(await stream(client)) == STORY


# Who is there


@pytest.mark.parametrize("reply", [Reply(stall_after=3), Reply(stall_after=0), Reply(stall_before_headers=True)])
async def test_a_cancelled_consumer_is_noticed_at_once_even_in_silence(
    server: OllamaServer, chat_model: ModelFactory, reply: Reply
) -> None:
    server.reply_with(reply)
    telling = asyncio.create_task(collect(chat_model(), []))
    await server.wait_stalled(1)
    assert server.open_chats == 1
    left = time.monotonic()
    telling.cancel()
    await server.wait_for_chats(0)
    assert (server.chats_started, server.chats_finished, server.chats_aborted) == (1, 0, 1)
    assert server.stalled_chats == 0
    (noticed,) = server.abort_times
    assert noticed - left < 0.5


async def test_a_consumer_cancelled_amid_a_drip_is_an_abort(server: OllamaServer, chat_model: ModelFactory) -> None:
    server.reply_with(Reply(delay_seconds=3600))
    telling = asyncio.create_task(collect(chat_model(), []))
    await server.wait_started(1)
    telling.cancel()
    await server.wait_aborted(1)
    assert server.open_chats == 0


async def test_an_unstreamed_chat_whose_client_leaves_is_an_abort(
    server: OllamaServer, client: ollama.AsyncClient
) -> None:
    server.reply_with(Reply(stall_after=1))
    asking = asyncio.create_task(client.chat(model=MODEL, messages=QUESTION))
    await server.wait_stalled(1)
    asking.cancel()
    await server.wait_aborted(1)
    assert server.open_chats == 0


async def test_a_released_chat_goes_on_to_its_end(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_with(Reply(stall_after=3), Reply(stall_before_headers=True))
    for _ in range(2):
        telling = asyncio.create_task(stream(client))
        await server.wait_stalled(1)
        server.release()
        assert text(await telling) == STORY
    assert (server.chats_finished, server.chats_aborted, server.open_chats) == (2, 0, 0)


async def test_a_chat_read_to_its_end_is_counted_as_finished_by_then(
    server: OllamaServer, client: ollama.AsyncClient
) -> None:
    for told in range(1, 6):
        await stream(client)
        assert (server.chats_finished, server.open_chats) == (told, 0)


async def test_150_chats_are_open_at_once(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_by_default(Reply(content="Once upon a time.", stall_after=1))
    async with asyncio.TaskGroup() as group:
        telling = [group.create_task(stream(client)) for _ in range(150)]
        await server.wait_stalled(150)
        assert server.open_chats == 150
        server.release()
    assert {text(task.result()) for task in telling} == {"Once upon a time."}
    assert (server.peak_chats, server.chats_finished, server.open_chats) == (150, 150, 0)


async def test_the_pace_is_kept(server: OllamaServer, client: ollama.AsyncClient) -> None:
    server.reply_with(Reply(content="x" * 40, chunk_chars=1, tokens_per_second=200))
    began = time.monotonic()
    parts = await stream(client)
    assert len(parts) == 41
    assert time.monotonic() - began >= 0.19


async def test_a_connection_is_kept_for_the_next_request(server: OllamaServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
    writer.write(b"GET /api/version HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert received.count(b"HTTP/1.1 200") == 2
    assert b'{"version":' in received
    assert not received.endswith(b"running")


# What else Ollama tells


async def test_tags_show_and_version_are_those_of_ollama(
    server: OllamaServer, client: ollama.AsyncClient, web: httpx.AsyncClient
) -> None:
    listed = await client.list()
    assert "llama3.2:latest" in [model.model for model in listed.models]
    assert listed.models[0].modified_at is not None
    shown = await client.show(THINKER)
    assert "thinking" in (shown.capabilities or [])
    assert (shown.modelinfo or {})["qwen3.context_length"] == 40960
    with pytest.raises(ResponseError, match="model 'grimm' not found"):
        await client.show("grimm")
    assert set((await web.get("/api/version")).json()) == {"version"}
    assert (await web.get("/")).text == "Ollama is running"
    assert (await web.get("/api/nothing")).status_code == 404
    assert (await web.get("/api/chat")).status_code == 405


async def test_chat_ollama_finds_its_model_when_it_validates(chat_model: ModelFactory) -> None:
    await asyncio.to_thread(chat_model, validate_model_on_init=True)
    with pytest.raises(ValueError, match="not found in Ollama"):
        await asyncio.to_thread(chat_model, model="grimm", validate_model_on_init=True)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": 7}', b'{"messages": []}'])
async def test_a_body_that_is_no_chat_request_is_a_400(web: httpx.AsyncClient, body: bytes) -> None:
    response = await web.post("/api/chat", content=body)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}


async def test_it_runs_as_a_process_of_its_own_until_sigterm() -> None:
    arguments = ["-m", "tests.ollama_server", "--port", "0", "--tokens-per-second", "2000", "--chunk-chars", "8"]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        ready = json.loads(await process.stdout.readline())
        async with ollama.AsyncClient(host=ready["base_url"], trust_env=False) as client:
            parts = await stream(client)
    finally:
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    assert text(parts) == STORY
    assert len(parts[0].message.content or "") == 8
    assert code == 0
