"""What an account may have is its own: one that takes too much is refused at once, and nobody else feels it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from fabula import FabulaClient, Overloaded, RetryPolicy
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from tests.conftest import Serve
from tests.harness import Served
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, browsing, reason
from tests.stories import chapter
from tests.tokens import ISSUER, SECRET, token

AT_ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class House:
    """A service with keys."""

    served: Served
    http: httpx.AsyncClient

    @asynccontextmanager
    async def account(self, name: str) -> AsyncIterator[tuple[FabulaClient, str]]:
        """A client of an account, and a child of its own."""
        async with FabulaClient(self.served.address, token=token(name), retry=AT_ONCE) as client:
            yield client, (await client.create_child("Robin", 6)).child_id


@asynccontextmanager
async def house(serve: Serve, **limits: int) -> AsyncIterator[House]:
    settings: dict[str, Any] = {"auth_secret": SECRET, "auth_issuer": ISSUER, "http_address": "127.0.0.1:0"}
    async with serve(**settings, **limits) as served, browsing(served) as http:
        yield House(served, http)


async def test_an_account_that_tells_enough_is_refused_and_another_is_not(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=1))
    async with house(serve, account_runs=2) as rooms, rooms.account("us") as (us, ours), rooms.account("them") as them:
        for _ in range(2):
            await anext(aiter(us.tell("stars", child_id=ours)))
        with pytest.raises(Overloaded) as refused:
            await us.tell("stars", child_id=ours).result()
        await anext(aiter(them[0].tell("stars", child_id=them[1])))
        await ollama.wait_stalled(3)
        assert len(ollama.requests) == 3
    assert refused.value.reason == "TOO_MANY_RUNS"
    assert refused.value.retry_after is not None


async def test_a_place_is_free_as_soon_as_a_run_is_cancelled(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=1))
    async with house(serve, account_runs=1, account_runs_per_minute=0) as rooms, rooms.account("us") as (us, ours):
        for _ in range(5):
            stream = us.tell("stars", child_id=ours)
            await anext(aiter(stream))
            await us.cancel_run(stream.run_id)


async def test_the_pace_of_an_account_is_bounded_and_the_refusal_says_when_to_come_back(
    serve: Serve, ollama: OllamaServer
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with house(serve, account_runs_per_minute=2) as rooms, rooms.account("us") as (us, ours):
        for _ in range(2):
            await us.tell("stars", child_id=ours).result()
        stub = story_service_pb2_grpc.StoryServiceStub(rooms.served.channel)
        request = story_pb2.GenerateStoryRequest(child_id=ours, theme="stars")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in stub.GenerateStory(request, metadata=(("authorization", f"Bearer {token('us')}"),)):
                pass
        over_http = await rooms.http.get(
            GENERATE,
            params={"child_id": ours, "theme": "stars"},
            headers={"Authorization": f"Bearer {token('us')}"},
        )
    details = _details(refused.value)
    assert details["QuotaFailure"].violations[0].subject == "account"
    assert 25 < details["RetryInfo"].retry_delay.seconds < 31
    assert (over_http.status_code, reason(over_http)) == (429, "RATE_LIMITED")
    assert 25 < int(over_http.headers["retry-after"]) < 32
    assert over_http.headers["ratelimit-policy"] == '"runs_per_minute";q=2;w=60'
    assert over_http.headers["ratelimit"] == f'"runs_per_minute";r=0;t={over_http.headers["retry-after"]}'


async def test_a_request_that_is_repeated_is_never_refused(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with house(serve, account_runs_per_minute=1, account_runs=1) as rooms, rooms.account("us") as (us, ours):
        told = [await us.tell("stars", child_id=ours, request_id="one").result() for _ in range(4)]
    assert len({each.story_id for each in told}) == 1


async def test_streams_of_an_account_and_watchers_of_a_run_are_bounded(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=1))
    async with house(serve, account_streams=3, run_watchers=2) as rooms, rooms.account("us") as (us, ours):
        first, other = us.tell("stars", child_id=ours), us.tell("the sea", child_id=ours)
        # Held, for one that nobody has any more closes.
        held = [aiter(first)]
        await anext(held[0])
        held += [aiter(us.watch(first.run_id)), aiter(other)]
        await anext(held[1])
        with pytest.raises(Overloaded, match="watchers of one run"):
            await anext(aiter(us.watch(first.run_id)))
        await anext(held[2])
        with pytest.raises(Overloaded, match="streams at once"):
            await anext(aiter(us.watch(other.run_id)))


def _details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    found: dict[str, Any] = {}
    for detail in status.details:
        for kind in (error_details_pb2.QuotaFailure, error_details_pb2.RetryInfo, error_details_pb2.ErrorInfo):
            if detail.Is(kind.DESCRIPTOR):
                found[kind.DESCRIPTOR.name] = kind.FromString(detail.value)
    return found
