"""What the gateway passes on, and what becomes of a call whose browser, service or time is gone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from fabula.story.v1.story_pb2 import StoryEvent
from service.gateway.statuses import HTTP_STATUSES
from tests.harness import WITHIN
from tests.service.gateway.browser import GENERATE, NIGHT, details, read, reason, watch_path
from tests.service.gateway.upstream import RUN_ID, fronted, told

RUN = "/api/v1/runs/run-1"
DETAILS_KEY = "grpc-status-details-bin"


def ending(code: grpc.StatusCode, *parts: Any) -> Any:
    """Ends a call with this code and these details."""

    async def end(request: Any, context: Any) -> Any:
        status = status_pb2.Status(code=code.value[0], message="Told.")
        for part in parts:
            status.details.add().Pack(part)
        rich = ((DETAILS_KEY, status.SerializeToString()),) if parts else ()
        await context.abort(code, "ipv4:10.0.0.1 secrets", trailing_metadata=rich)

    return end


def broken_off(code: grpc.StatusCode, after: int = 1) -> Any:
    """Plays so many events and then ends with this code."""

    async def play(request: Any, context: Any) -> AsyncIterator[StoryEvent]:
        for event in told("Once. ", "The end.")[:after]:
            yield event
        await context.abort(code, "gone")

    return play


CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


@pytest.mark.parametrize("code", CODES)
async def test_every_code_has_its_http_status_and_the_body_of_a_status(code: grpc.StatusCode) -> None:
    info = error_details_pb2.ErrorInfo(reason="WHY", domain="fabula", metadata={"key": "value"})
    async with fronted() as front:
        front.service.single = ending(code, info)
        answer = await front.http.get(RUN)
    assert answer.status_code == HTTP_STATUSES[code.value[0]]
    assert reason(answer) == "WHY"
    error = answer.json()["error"]
    assert (error["code"], error["status"], error["message"]) == (code.value[0], code.name, "Told.")
    assert details(answer)[0]["metadata"] == {"key": "value"}


async def test_words_of_grpc_itself_are_not_passed_on() -> None:
    async with fronted() as front:
        for code in CODES:
            front.service.single = ending(code)
            answer = await front.http.get(RUN)
            assert "10.0.0.1" not in answer.text
            assert details(answer) == []


async def test_retry_info_becomes_retry_after() -> None:
    info = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))
    async with fronted() as front:
        front.service.single = ending(grpc.StatusCode.RESOURCE_EXHAUSTED, info)
        answer = await front.http.get(RUN)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert details(answer)[0]["retry_delay"] == "2.500s" or details(answer)[0]["retry_delay"] == "2.5s"


async def test_a_service_that_is_not_there_is_503() -> None:
    async with fronted() as front:
        await front.grpc.stop(0)
        answer = await front.http.get(RUN)
        stream = await front.http.get(GENERATE, params=NIGHT)
        health = await front.http.get("/healthz")
    assert [each.status_code for each in (answer, stream, health)] == [503, 503, 503]
    assert answer.headers["retry-after"] == "1"
    assert details(answer) == []


async def test_what_the_service_must_know_of_the_caller_is_passed_on() -> None:
    told_by_caller = {
        "authorization": "Bearer abc",
        "x-request-id": "evening-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=1",
    }
    async with fronted() as front:
        answer = await front.http.get(RUN, headers=told_by_caller | {"Request-Timeout": "30", "cookie": "x=1"})
        _, _, metadata = front.service.calls[0]
        assert front.service.remaining is not None
        assert 0 < front.service.remaining < 31  # gRPC rounds it
        await front.http.get(GENERATE, params=NIGHT, headers=told_by_caller)
        assert told_by_caller.items() <= front.service.calls[1][2].items()
    assert told_by_caller.items() <= metadata.items()
    assert "cookie" not in metadata
    assert answer.headers["x-request-id"] == "evening-1"


async def test_a_request_without_an_id_gets_one() -> None:
    async with fronted() as front:
        first = await front.http.get(RUN)
        odd = await front.http.get(RUN, headers={"x-request-id": "two words"})
        assert front.service.calls[0][2]["x-request-id"] == first.headers["x-request-id"]
    assert len({first.headers["x-request-id"], odd.headers["x-request-id"], "two words"}) == 3


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "1e3", "nan", "99999999", ""])
async def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    async with fronted() as front:
        answer = await front.http.get(RUN, headers={"Request-Timeout": seconds})
        assert front.service.calls == []
    assert answer.status_code == 400


async def test_a_header_that_grpc_can_not_carry_is_refused() -> None:
    async with fronted() as front:
        answer = await front.http.get(RUN, headers={b"authorization": b"Bearer \xe4"})
    assert answer.status_code == 400


async def test_a_deadline_that_passes_is_504() -> None:
    async with fronted() as front:
        front.service.single = _for_ever
        answer = await front.http.get(RUN, headers={"Request-Timeout": "0.05"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (504, "DEADLINE_EXCEEDED")


async def _for_ever(request: Any, context: Any) -> None:
    await asyncio.Event().wait()


async def test_a_caller_that_goes_takes_its_call_along() -> None:
    async with fronted() as front, asyncio.timeout(WITHIN):
        called = asyncio.Event()

        async def wait(request: Any, context: Any) -> None:
            called.set()
            await _for_ever(request, context)

        front.service.single = wait
        asking = asyncio.create_task(front.http.get(RUN))
        await called.wait()
        asking.cancel()
        await front.service.cancelled.wait()


async def test_a_browser_that_goes_while_nothing_comes_takes_its_call_along() -> None:
    async def play(request: Any, context: Any) -> AsyncIterator[StoryEvent]:
        yield told("Once.")[0]
        await _for_ever(request, context)

    async with fronted() as front, asyncio.timeout(WITHIN):
        front.service.play = play
        await read(front.http, GENERATE, NIGHT, at_most=1)
        await front.service.cancelled.wait()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED])
async def test_a_stream_that_breaks_off_ends_with_the_hint_to_come_back(code: grpc.StatusCode) -> None:
    async with fronted() as front:
        front.service.play = broken_off(code)
        answer = await front.http.get(GENERATE, params=NIGHT)
    assert answer.status_code == 200
    assert answer.text.endswith("\n\nretry: 1000\n: interrupted\n")


async def test_after_the_last_event_nothing_is_added_whatever_the_call_ends_with() -> None:
    async with fronted() as front:
        front.service.play = broken_off(grpc.StatusCode.FAILED_PRECONDITION, 3)
        answer = await front.http.get(GENERATE, params=NIGHT)
    assert answer.text.endswith("}\n\n")
    assert '"type":"complete"' in answer.text


async def test_a_browser_that_comes_back_to_a_service_that_is_away_is_told_to_come_back_again() -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "run-1:1"}
    async with fronted() as front:
        await front.grpc.stop(0)
        browser = await front.http.get(GENERATE, params=NIGHT, headers=headers)
        tool = await front.http.get(GENERATE, params=NIGHT, headers={"Last-Event-ID": "run-1:1"})
    assert (browser.status_code, browser.text) == (200, "retry: 1000\nretry: 1000\n: interrupted\n")
    assert tool.status_code == 503


async def test_a_cursor_calls_the_rpc_that_resumes_whatever_else_is_given() -> None:
    async with fronted() as front:
        front.service.events = told("Once. ", "The end.")
        found = await read(front.http, GENERATE, NIGHT, cursor="run-1:1")
        posted = await front.http.post(GENERATE, json=NIGHT, headers={"Last-Event-ID": "run-1:2"})
        watched = await read(front.http, watch_path(RUN_ID), {"after_sequence": 0}, cursor="run-1:2")
        called = [(name, request) for name, request, _ in front.service.calls]
    assert [name for name, _ in called] == ["WatchStory"] * 3
    assert [(request.run_id, request.after_sequence) for _, request in called] == [(RUN_ID, n) for n in (1, 2, 2)]
    assert (found.sequences, watched.sequences) == ([2, 3], [3])
    assert posted.text.count("id: ") == 1


async def test_the_gateway_stops_with_a_farewell() -> None:
    async def play(request: Any, context: Any) -> AsyncIterator[StoryEvent]:
        yield told("Once.")[0]
        await _for_ever(request, context)

    text = b""
    async with fronted() as front, asyncio.timeout(WITHIN):
        front.service.play = play
        async with front.http.stream("GET", GENERATE, params=NIGHT) as answer:
            async for data in answer.aiter_raw():
                text += data
                if text.endswith(b"}\n\n"):
                    stopping = asyncio.create_task(front.server.__aexit__(None, None, None))
        await stopping
    assert text.endswith(b"}\n\nretry: 1000\n: stopping\n")
