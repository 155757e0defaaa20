"""What was asked for is obeyed and recorded; what else Ollama tells is told."""

import asyncio
import json
import signal
import sys

import httpx
import ollama
import pytest
from ollama import ResponseError

from tests.ollama.asking import MODEL, THINKER, ModelFactory, stream, text
from tests.ollama_server import STORY, ChatRequest, OllamaServer, Reply


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
