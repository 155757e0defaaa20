"""A stream survives: every event once, whatever becomes of the connection."""

import asyncio

import grpc
import pytest

from fabula import (
    CursorOutOfRange,
    DeadlineExceeded,
    FabulaClient,
    Overloaded,
    ProtocolError,
    RetryPolicy,
    RunInterrupted,
    StoryEvent,
    Unavailable,
)
from fabula.stream import StoryStream
from tests.clients.python import scripted
from tests.clients.python.relay import relaying
from tests.clients.python.scripted import PATIENCE, RUN_ID, STORY, Scripted, cut, held, raw, serving
from tests.clients.python.statuses import LOST, retry_in, status

LAST = len(scripted.good_run())


async def sequences(stream: StoryStream) -> list[int]:
    return [event.sequence async for event in stream]


async def collect(stream: StoryStream, received: list[StoryEvent]) -> None:
    async for event in stream:
        received.append(event)  # noqa: PERF401 - a comprehension would lose what came before an error


async def test_an_unbroken_stream_is_one_call(client: FabulaClient, service: Scripted) -> None:
    stream = client.tell("a fox")
    assert await sequences(stream) == list(range(1, LAST + 1))
    assert service.methods == ["GenerateStory"]
    assert (stream.run_id, stream.last_sequence, stream.reconnects) == (RUN_ID, LAST, 0)
    assert stream.text == STORY
    assert stream.complete is not None
    assert stream.complete.story_content == STORY


@pytest.mark.parametrize("after", range(LAST))
@pytest.mark.parametrize("how", [LOST, None], ids=["unavailable", "closed with OK"])
async def test_a_cut_at_any_index_loses_and_repeats_nothing(
    client: FabulaClient, service: Scripted, after: int, how: object
) -> None:
    service.plays.append(cut(after, LOST if how else None))
    stream = client.tell("a fox")
    assert await sequences(stream) == list(range(1, LAST + 1))
    assert stream.reconnects == 1
    assert stream.text == STORY
    resumed = service.heard[1]
    if after:
        assert (resumed.method, resumed.request.run_id, resumed.request.after_sequence) == ("WatchStory", RUN_ID, after)
    else:
        assert resumed.method == "GenerateStory"


async def test_a_cut_after_every_event_loses_nothing(client: FabulaClient, service: Scripted) -> None:
    service.plays.extend(cut(1) for _ in range(LAST))
    stream = client.tell("a fox")
    assert (await stream.result()).story_content == STORY
    assert stream.reconnects == LAST - 1


async def test_a_call_that_breaks_before_its_first_event_is_repeated_with_the_same_request_id(
    client: FabulaClient, service: Scripted
) -> None:
    service.plays.extend([cut(0), raw(scripted.heartbeat()), cut(0)])
    stream = client.tell("a fox")
    await stream.result()
    assert service.methods == ["GenerateStory"] * 4
    assert {call.request.request_id for call in service.heard} == {stream.request_id}
    assert stream.request_id


async def test_the_service_that_is_shutting_down_is_asked_again(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(0, status(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")))
    await client.tell("a fox").result()
    assert len(service.heard) == 2


async def test_a_connection_torn_by_a_proxy_is_made_anew(client: FabulaClient, service: Scripted) -> None:
    torn = status(grpc.StatusCode.INTERNAL)
    torn.message = "Received RST_STREAM with error code 2"
    service.plays.append(cut(3, torn))
    assert await sequences(client.tell("a fox")) == list(range(1, LAST + 1))


async def test_it_gives_up_after_the_allowed_attempts_and_keeps_the_cursor(
    client: FabulaClient, service: Scripted
) -> None:
    service.plays.append(cut(4))
    service.plays.extend(cut(0) for _ in range(10))
    stream = client.tell("a fox")
    with pytest.raises(Unavailable) as caught:
        await stream.result()
    assert (caught.value.run_id, caught.value.last_sequence) == (RUN_ID, 4)
    assert len(service.heard) == 1 + 4
    service.plays.clear()
    assert await sequences(client.watch(caught.value.run_id, caught.value.last_sequence)) == list(range(5, LAST + 1))


async def test_it_gives_up_before_the_first_event_too(client: FabulaClient, service: Scripted) -> None:
    service.plays.extend(cut(0) for _ in range(10))
    with pytest.raises(Unavailable) as caught:
        await client.tell("a fox").result()
    assert (caught.value.run_id, caught.value.last_sequence) == ("", 0)
    assert len(service.heard) == 1 + 4


async def test_every_event_received_grants_all_attempts_again(client: FabulaClient, service: Scripted) -> None:
    for _ in range(3):
        service.plays.extend([cut(1), cut(0), cut(0), cut(0)])
    assert await sequences(client.tell("a fox")) == list(range(1, LAST + 1))


async def test_retry_info_is_waited_for(client: FabulaClient, service: Scripted) -> None:
    busy = status(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", retry_in(0.3))
    service.plays.append(cut(2, busy))
    begun = asyncio.get_running_loop().time()
    assert await sequences(client.tell("a fox")) == list(range(1, LAST + 1))
    assert asyncio.get_running_loop().time() - begun >= 0.3


async def test_overload_without_retry_info_is_not_repeated(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(0, status(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_RUNS")))
    with pytest.raises(Overloaded):
        await client.tell("a fox").result()
    assert len(service.heard) == 1


async def test_a_server_restarted_on_the_same_port_is_resumed() -> None:
    before, after = Scripted(scripted.good_run()), Scripted(scripted.good_run())
    before.plays.append(held(4, asyncio.Event()))
    received = []
    async with FabulaClient(retry=RetryPolicy(0.01, 0.05, attempts=400)) as client:
        async with serving(before) as port:
            client.address = f"127.0.0.1:{port}"
            events = aiter(client.tell("a fox"))
            received += [(await anext(events)).sequence for _ in range(4)]
        async with serving(after, port):
            received += [event.sequence async for event in events]
    assert received == list(range(1, LAST + 1))
    assert [(call.method, call.request.after_sequence) for call in after.heard] == [("WatchStory", 4)]


async def test_a_tcp_connection_that_breaks_is_resumed(service: Scripted, address: str) -> None:
    service.plays.append(held(5, asyncio.Event()))
    policy = RetryPolicy(0.01, 0.05, attempts=400)
    async with relaying(address) as relay, FabulaClient(relay.address, retry=policy) as client:
        received = []
        async for event in client.tell("a fox"):
            received.append(event.sequence)
            if event.sequence == 5:
                relay.cut()
    assert received == list(range(1, LAST + 1))
    assert service.heard[-1].request.after_sequence == 5


async def test_no_server_at_all_is_unavailable(client: FabulaClient, service: Scripted) -> None:
    async with serving(service) as port:
        pass
    async with FabulaClient(f"127.0.0.1:{port}", retry=RetryPolicy(0.001, 0.001, attempts=2)) as nobody:
        with pytest.raises(Unavailable):
            await nobody.tell("a fox").result()


@pytest.mark.parametrize(
    ("sent", "promise"),
    [((1, 2, 2), "sequence 2 where 3 was due"), ((1, 3), "sequence 3 where 2 was due"), ((2,), "1 was due")],
    ids=["twice", "missing", "not from the first"],
)
async def test_a_sequence_out_of_turn_breaks_the_contract(
    client: FabulaClient, service: Scripted, sent: tuple[int, ...], promise: str
) -> None:
    service.plays.append(raw(*(service.events[sequence - 1] for sequence in sent)))
    with pytest.raises(ProtocolError, match=promise):
        await client.tell("a fox").result()
    assert len(service.heard) == 1


async def test_an_event_of_another_run_breaks_the_contract(client: FabulaClient, service: Scripted) -> None:
    other = scripted.numbered(*scripted.good_run(), run_id="run-2")
    service.plays.append(raw(service.events[0], other[1]))
    with pytest.raises(ProtocolError, match="run-2"):
        await client.tell("a fox").result()


async def test_an_event_after_the_last_one_breaks_the_contract(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(raw(*service.events, service.events[-1]))
    with pytest.raises(ProtocolError, match="after the run's last event"):
        await client.tell("a fox").result()


async def test_an_event_that_only_a_newer_client_knows_is_passed_on(client: FabulaClient, service: Scripted) -> None:
    service.events[3].ClearField("content")
    assert await sequences(client.tell("a fox")) == list(range(1, LAST + 1))


async def test_heartbeats_are_swallowed_unless_they_are_asked_for(client: FabulaClient, service: Scripted) -> None:
    beating = [event for each in service.events for event in (scripted.heartbeat(), each)]
    service.plays.extend([raw(*beating), raw(*beating)])
    assert await sequences(client.tell("a fox")) == list(range(1, LAST + 1))
    assert (await sequences(client.tell("a fox", heartbeats=True))).count(0) == LAST


async def test_after_the_error_event_the_stream_is_over_whatever_the_status(
    client: FabulaClient, service: Scripted
) -> None:
    bad = scripted.failed("RUN_INTERRUPTED", grpc.StatusCode.UNAVAILABLE, partial_text_id=RUN_ID)
    service.events = scripted.numbered(*scripted.good_run()[:3], bad)
    stream, received = client.tell("a fox"), list[StoryEvent]()
    with pytest.raises(RunInterrupted) as caught:
        await collect(stream, received)
    assert [event.WhichOneof("event") for event in received][-1] == "error"
    assert (caught.value.run_id, caught.value.partial_text_id, caught.value.retryable) == (RUN_ID, RUN_ID, True)
    assert len(service.heard) == 1


async def test_a_stream_that_is_over_tells_so_again_without_a_call(client: FabulaClient, service: Scripted) -> None:
    stream = client.tell("a fox")
    assert await stream.result() == await stream.result()
    assert await sequences(stream) == []
    assert len(service.heard) == 1


async def test_a_loop_begun_anew_goes_on_where_the_last_one_stopped(client: FabulaClient) -> None:
    stream, received = client.tell("a fox"), []
    async for event in stream:
        received.append(event.sequence)
        if event.sequence == 3:
            break
    assert received + await sequences(stream) == list(range(1, LAST + 1))


async def test_the_service_ends_the_call_itself_after_the_last_event(client: FabulaClient, service: Scripted) -> None:
    await client.tell("a fox").result()
    await asyncio.wait_for(service.heard[0].ended_by_itself.wait(), PATIENCE)
    assert not service.heard[0].cancelled.is_set()


async def test_watching_after_the_very_last_event_ends_at_once(client: FabulaClient, service: Scripted) -> None:
    stream = client.watch(RUN_ID, LAST)
    assert await sequences(stream) == []
    assert len(service.heard) == 1
    with pytest.raises(CursorOutOfRange):
        await stream.result()


async def test_the_timeout_holds_for_the_whole_stream_and_travels(client: FabulaClient, service: Scripted) -> None:
    later = status(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", retry_in(0.5))
    service.plays.extend([cut(2, later), held(1, asyncio.Event())])
    with pytest.raises(DeadlineExceeded):
        await client.tell("a fox", timeout=2).result()
    first, second = (call.seconds_left for call in service.heard)
    # gRPC rounds what travels up a little.
    assert first < 2.1
    assert second < 1.6


async def test_the_timeout_is_not_slept_through(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(0, status(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", retry_in(3600))))
    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(client.tell("a fox", timeout=60).result(), PATIENCE)
