"""What goes wrong with Ollama goes wrong here, alike."""

import asyncio
import json

import httpx
import ollama
import pytest
from ollama import ResponseError

from tests.ollama.asking import MODEL, QUESTION, ModelFactory, collect, stream, text
from tests.ollama_server import STORY, OllamaServer, Reply


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
