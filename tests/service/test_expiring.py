"""A stream lives no longer than its caller's token, and goes on with a new one."""

import math
import time
from contextlib import AsyncExitStack

import pytest

from fabula import FabulaClient, TokenExpired
from service.identity.verifier import LEEWAY_SECONDS
from tests.conftest import Serve
from tests.harness import collect, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import browsing, reason, watch_path
from tests.stories import TEXT, chapter, told
from tests.tokens import ISSUER, SECRET, token

KEYS = {"auth_secret": SECRET, "auth_issuer": ISSUER}


def short() -> str:
    """A token that holds a second yet at the least, of the time by which clocks may differ. Readers cut `exp`."""
    return token("us", exp=math.ceil(time.time()) + 1 - LEEWAY_SECONDS)


async def child_of(served_address: str) -> str:
    async with FabulaClient(served_address, token=token("us")) as client:
        return (await client.create_child("Robin", 6)).child_id


async def test_a_stream_ends_with_its_token_and_is_resumed_with_a_new_one(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=60))
    async with serve(**KEYS) as served:
        child = await child_of(served.address)
        async with FabulaClient(served.address, token=short()) as client:
            before, error = await outcome(client.tell("night", child_id=child))
        await ollama.wait_stalled(1)
        ollama.release()
        async with FabulaClient(served.address, token=token("us")) as client:
            after = await collect(client.watch(before[-1].run_id, before[-1].sequence))
    assert isinstance(error, TokenExpired)
    assert standing([*before, *after]) == TEXT
    assert [event.sequence for event in [*before, *after]] == list(range(1, len(before) + len(after) + 1))
    assert len(told(ollama)) == 1


async def test_a_client_that_has_new_tokens_reads_on_by_itself(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=60))
    tokens = iter([short()])
    events = []
    async with serve(**KEYS, heartbeat_seconds=0.05) as served, AsyncExitStack() as stack:
        child = await child_of(served.address)
        client = FabulaClient(served.address, token=lambda: next(tokens, token("us")))
        stream = (await stack.enter_async_context(client)).tell("night", child_id=child, heartbeats=True)
        async for event in stream:
            events.append(event)
            if stream.reconnects:
                ollama.release()
    assert stream.reconnects == 1
    assert standing(events) == TEXT
    assert len(told(ollama)) == 1


async def test_a_client_whose_tokens_stay_old_gives_up(serve: Serve, ollama: OllamaServer) -> None:
    def old() -> str:
        return token("us", exp=time.time() - 60)

    async with serve(**KEYS) as served, FabulaClient(served.address, token=old) as client:
        with pytest.raises(TokenExpired):
            await client.tell("night", child_id="1").result()
    assert ollama.requests == []


async def test_a_browser_learns_that_its_token_is_too_old(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=60))
    async with serve(**KEYS, http_address="127.0.0.1:0") as served, browsing(served) as http:
        child = await child_of(served.address)
        query = {"child_id": child, "theme": "night"}
        old = {"Authorization": f"Bearer {short()}"}
        async with http.stream("GET", "/api/v1/stories/generate/stream", params=query, headers=old) as answer:
            text = "".join([part async for part in answer.aiter_text()])
        ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
        run_id = ids[-1].partition(":")[0]
        refused = await http.get(watch_path(run_id), headers=old | {"Last-Event-ID": ids[-1]})
        await ollama.wait_stalled(1)
        ollama.release()
        new = {"Authorization": f"Bearer {token('us')}"}
        async with http.stream("GET", watch_path(run_id), headers=new | {"Last-Event-ID": ids[-1]}) as answer:
            rest = "".join([part async for part in answer.aiter_text()])
    assert (refused.status_code, reason(refused)) == (401, "TOKEN_EXPIRED")
    assert '"type":"complete"' not in text
    assert '"type":"complete"' in rest
