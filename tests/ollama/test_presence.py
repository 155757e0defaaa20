"""Who is connected, and who has left, is known at once."""

import asyncio
import time

import ollama
import pytest

from tests.ollama.asking import MODEL, QUESTION, ModelFactory, collect, stream, text
from tests.ollama_server import STORY, OllamaServer, Reply


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
