"""A stream says when its connection is lost and when it is back; the program tells of it when it lasts."""

import asyncio

import grpc
import pytest

from fabula import FabulaClient, FabulaError, NotFound, Overloaded, Unavailable
from fabula.outage import OutageNotice
from fabula.stream import StoryStream
from tests.clients.python import scripted
from tests.clients.python.scripted import PATIENCE, RUN_ID, Scripted, cut, held
from tests.clients.python.statuses import LOST, retry_in, status

Code = grpc.StatusCode


def listened(stream: StoryStream) -> list[type[FabulaError] | None]:
    """What the stream says of its outages, as it says it."""
    heard: list[type[FabulaError] | None] = []
    stream.on_outage = lambda error: heard.append(None if error is None else type(error))
    return heard


async def test_an_unbroken_stream_has_no_outage(client: FabulaClient) -> None:
    stream = client.tell("a fox")
    heard = listened(stream)
    await stream.result()
    assert heard == []


async def test_each_outage_is_told_once_and_so_is_its_end(client: FabulaClient, service: Scripted) -> None:
    service.plays.extend([cut(0), cut(0), cut(3), cut(0, None), cut(1)])
    stream = client.tell("a fox")
    heard = listened(stream)
    await stream.result()
    assert heard == [Unavailable, None] * 3
    assert stream.reconnects == 5


async def test_an_outage_is_told_before_the_wait_and_not_after(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(3, status(Code.UNAVAILABLE, "SHUTTING_DOWN", retry_in(3600))))
    stream, lost = client.tell("a fox"), asyncio.Event()
    stream.on_outage = lambda _: lost.set()
    task = asyncio.create_task(stream.result())
    await asyncio.wait_for(lost.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_service_that_is_busy_is_told_as_such(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(2, status(Code.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", retry_in(0.001))))
    stream = client.tell("a fox")
    heard = listened(stream)
    await stream.result()
    assert heard == [Overloaded, None]


async def test_a_heartbeat_ends_an_outage(client: FabulaClient, service: Scripted) -> None:
    service.events[2:2] = [scripted.heartbeat()]
    service.plays.extend([cut(2), held(1, go_on := asyncio.Event())])
    stream, back = client.tell("a fox"), asyncio.Event()
    stream.on_outage = lambda error: back.set() if error is None else None
    task = asyncio.create_task(stream.result())
    await asyncio.wait_for(back.wait(), PATIENCE)
    assert stream.last_sequence == 2
    go_on.set()
    await asyncio.wait_for(task, PATIENCE)


async def test_a_stream_that_gives_up_is_not_told_as_back(client: FabulaClient, service: Scripted) -> None:
    service.plays.extend([cut(3)] + [cut(0)] * 4)
    stream = client.tell("a fox")
    heard = listened(stream)
    with pytest.raises(Unavailable):
        await stream.result()
    assert heard == [Unavailable]


async def test_a_refusal_is_no_outage(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(0, status(Code.NOT_FOUND, "RUN_NOT_FOUND")))
    stream = client.watch(RUN_ID)
    heard = listened(stream)
    with pytest.raises(NotFound):
        await stream.result()
    assert heard == []


def failure() -> Unavailable:
    return Unavailable(LOST.message, Code.UNAVAILABLE)


async def test_a_short_outage_passes_unnoticed() -> None:
    told: list[str] = []
    notice = OutageNotice(told.append, patience=0.01)
    notice.changed(failure())
    notice.changed(None)
    await asyncio.sleep(0.05)
    assert told == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failure(), "connection lost, trying again…"),
        (Overloaded("Busy.", Code.RESOURCE_EXHAUSTED), "the service is busy, trying again…"),
    ],
    ids=["lost", "busy"],
)
async def test_an_outage_that_lasts_is_told_and_then_its_end(error: FabulaError, words: str) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    notice = OutageNotice(told.put_nowait, patience=0)
    for _ in range(2):
        notice.changed(error)
        assert await asyncio.wait_for(told.get(), PATIENCE) == words
        notice.changed(None)
        assert told.get_nowait() == "connected again"


async def test_a_notice_that_is_closed_says_nothing_more() -> None:
    told: list[str] = []
    notice = OutageNotice(told.append, patience=0.01)
    notice.close()
    notice.changed(failure())
    notice.close()
    await asyncio.sleep(0.05)
    assert told == []
