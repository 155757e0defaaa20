"""gRPC through a proxy, on the host and port where the page is."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from fabula import InvalidRequest, RetryPolicy, Unavailable
from fabula.child.v1.child_pb2 import CreateChildRequest
from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_service_pb2_grpc
from fabula.story.v1.story_pb2 import GenerateStoryRequest, StoryEvent, WatchStoryRequest
from service.rpc.server import MAX_REQUEST_BYTES
from service.rpc.validation import MAX_NAMED
from tests.conftest import Serve
from tests.deploy.conftest import Fronting
from tests.deploy.scripted import Turns, playing
from tests.harness import WITHIN, collect, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.rpc.raw import DETAILS_KEY, refusal
from tests.stories import TEXT, chapter

HTTP = {"http_address": "127.0.0.1:0"}
NIGHT = GenerateStoryRequest(child_id="1", theme="night", on_disconnect=run_pb2.ON_DISCONNECT_CANCEL)
GENERATE = "fabula.story.v1.StoryService/GenerateStory"


async def test_a_story_is_the_same_as_without_the_proxy(serve: Serve, ollama: OllamaServer, fronting: Fronting) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, fronting(served) as front, front.client() as client:
        events = await collect(client.tell("night"))
        assert events == await collect(served.client.watch(events[0].run_id))
    assert events[-1].complete.story_content == standing(events) == TEXT
    assert re.search(rf'POST "/{GENERATE}" HTTP/2\S* 200 .* grpc=(-,)?0 id=\w', front.proxy.text)


async def test_no_event_waits_for_the_next_one(fronting: Fronting) -> None:
    turns = Turns(20)
    async with playing() as played, fronting(played.behind) as front, front.channel() as channel:
        played.service.play = turns.play
        call = story_service_pb2_grpc.StoryServiceStub(channel).GenerateStory(NIGHT, timeout=WITHIN)
        async for _ in call:
            turns.next()
    assert turns.left == 0


async def test_a_deadline_gets_as_far_as_the_service(fronting: Fronting) -> None:
    async with playing() as played, fronting(played.behind) as front, front.channel() as channel:
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        await stub.GetRun(run_pb2.GetRunRequest(run_id="run-1"), timeout=WITHIN)
        assert played.service.remaining is not None
        assert played.service.remaining <= WITHIN
        await stub.GetRun(run_pb2.GetRunRequest(run_id="run-1"))
        assert played.service.remaining is None


async def test_a_refusal_keeps_every_detail(serve: Serve, fronting: Fronting) -> None:
    faulty = CreateChildRequest(interests=["\n"] * 40, avoid_topics=["\n"] * 40)
    method = "fabula.child.v1.ChildService/CreateChild"
    async with serve(**HTTP) as served, fronting(served) as front, front.channel() as channel:
        direct = await refusal(served.channel, method, faulty)
        refused = await refusal(channel, method, faulty)
        async with front.client() as client:
            with pytest.raises(InvalidRequest) as raised:
                await collect(client.tell("x" * 300))
    assert refused.status == direct.status
    assert len(refused.violations) == MAX_NAMED
    assert refused.reason == raised.value.reason == "VALIDATION_FAILED"
    assert [field for field, _ in raised.value.violations] == ["theme"]


async def test_the_details_of_an_error_may_be_as_large_as_grpc_lets_them_be(fronting: Fronting) -> None:
    details = bytes(range(256)) * 20  # in base64 short of the 8 KiB above which gRPC begins to refuse some

    async def fail(_: Any, context: Any) -> AsyncIterator[StoryEvent]:
        await context.abort(grpc.StatusCode.NOT_FOUND, "", ((DETAILS_KEY, details),))
        yield StoryEvent()

    async with playing() as played, fronting(played.behind) as front, front.channel() as channel:
        played.service.play = fail
        _, error = await outcome(story_service_pb2_grpc.StoryServiceStub(channel).GenerateStory(NIGHT, timeout=WITHIN))
    assert isinstance(error, grpc.aio.AioRpcError)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert dict(error.trailing_metadata() or ())[DETAILS_KEY] == details


async def test_a_run_that_ends_badly_ends_its_call_with_the_same_status(
    serve: Serve, ollama: OllamaServer, fronting: Fronting
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, fronting(served) as front, front.channel() as channel:
        call = story_service_pb2_grpc.StoryServiceStub(channel).GenerateStory(NIGHT, timeout=WITHIN)
        first = await anext(aiter(call))
        await ollama.wait_stalled(1)
        await served.client.cancel_run(first.run_id)
        events, error = await outcome(call)
    assert isinstance(error, grpc.aio.AioRpcError)
    assert error.code() is grpc.StatusCode.CANCELLED
    assert events[-1].error.code == run_pb2.ERROR_REASON_RUN_CANCELLED


async def test_a_call_that_is_cancelled_is_cancelled_for_the_service(
    serve: Serve, ollama: OllamaServer, fronting: Fronting
) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, fronting(served) as front, front.channel() as channel:
        call = story_service_pb2_grpc.StoryServiceStub(channel).GenerateStory(NIGHT)
        await anext(aiter(call))
        await ollama.wait_stalled(1)
        call.cancel()
        async with asyncio.timeout(WITHIN):
            await ollama.wait_for_chats(0)


async def test_health_and_reflection_are_there(serve: Serve, fronting: Fronting) -> None:
    async with serve(**HTTP) as served, fronting(served) as front, front.channel() as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="fabula.story.v1.StoryService"))
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", channel))
        asked = [reflection_pb2.ServerReflectionRequest(list_services="*")]
        (listed,) = [each async for each in reflection.ServerReflectionInfo(iter(asked))]
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert "fabula.story.v1.StoryService" in [each.name for each in listed.list_services_response.service]


async def test_one_connection_carries_more_streams_than_proxies_let_it_by_default(
    serve: Serve, ollama: OllamaServer, fronting: Fronting
) -> None:
    count = 150
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    settings = HTTP | {"max_streams": 2 * count, "run_watchers": 2 * count}
    async with serve(**settings) as served, fronting(served) as front, front.channel() as channel:
        run_id = (await anext(aiter(served.stories().GenerateStory(NIGHT)))).run_id
        stub = story_service_pb2_grpc.StoryServiceStub(channel)
        calls = [stub.WatchStory(WatchStoryRequest(run_id=run_id), timeout=WITHIN) for _ in range(count)]
        firsts = await asyncio.gather(*(anext(aiter(call)) for call in calls))
        assert [first.sequence for first in firsts] == [1] * count
        for call in calls:
            call.cancel()


async def test_what_is_too_large_for_the_service_is_refused_by_the_service(serve: Serve, fronting: Fronting) -> None:
    async with serve(**HTTP) as served, fronting(served) as front, front.channel() as channel:
        large = await refusal(channel, GENERATE, b"\0" * (MAX_REQUEST_BYTES - 1_000))
        larger = await refusal(channel, GENERATE, b"\0" * (MAX_REQUEST_BYTES + 1))
    assert large.reason == "MALFORMED_REQUEST"
    assert larger.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_service_that_is_away_is_unavailable(fronting: Fronting) -> None:
    async with playing() as played:
        away = played.behind
    async with fronting(away) as front, front.client(RetryPolicy(attempts=0)) as client:
        with pytest.raises(Unavailable):
            await collect(client.tell("night"))
