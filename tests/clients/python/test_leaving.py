"""Leaving the loop cancels the call on the server, however it is left."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fabula import Closed, FabulaClient, RetryPolicy, StoryStream
from tests.clients.python.scripted import PATIENCE, Scripted, cut, held


async def by_break(stream: StoryStream) -> None:
    async for _ in stream:
        break


async def by_break_within_async_with(stream: StoryStream) -> None:
    async with stream:
        async for _ in stream:
            break


async def by_the_end_of_async_with(stream: StoryStream) -> None:
    async with stream:
        events = aiter(stream)
        await anext(events)


async def by_an_exception(stream: StoryStream) -> None:
    with pytest.raises(LookupError):
        await stumble(stream)


async def stumble(stream: StoryStream) -> None:
    async for event in stream:
        raise LookupError(event.run_id)


async def by_return(stream: StoryStream) -> None:
    async for _ in stream:
        return


async def by_cancelling_the_task(stream: StoryStream) -> None:
    task = asyncio.create_task(read_until_held(stream, reached := asyncio.Event()))
    await asyncio.wait_for(reached.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_a_timeout_around_the_loop(stream: StoryStream) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.result(), 0.3)


async def read_until_held(stream: StoryStream, reached: asyncio.Event) -> None:
    async for event in stream:
        if event.sequence == 3:
            reached.set()


@pytest.mark.parametrize(
    "leave",
    [
        by_break,
        by_break_within_async_with,
        by_the_end_of_async_with,
        by_an_exception,
        by_return,
        by_cancelling_the_task,
        by_a_timeout_around_the_loop,
    ],
)
async def test_leaving_the_loop_cancels_the_call(
    client: FabulaClient, service: Scripted, leave: Callable[[StoryStream], Awaitable[None]]
) -> None:
    service.plays.append(held(3, asyncio.Event()))
    await leave(client.tell("a fox"))
    await asyncio.wait_for(service.heard[0].cancelled.wait(), PATIENCE)
    assert len(service.heard) == 1


async def test_a_resumed_call_is_cancelled_like_the_first(client: FabulaClient, service: Scripted) -> None:
    service.plays.extend([cut(2), held(1, asyncio.Event())])
    async for event in client.tell("a fox"):
        if event.sequence == 3:
            break
    await asyncio.wait_for(service.heard[1].cancelled.wait(), PATIENCE)


async def test_a_cancel_during_the_backoff_passes_through(service: Scripted, address: str) -> None:
    service.plays.append(cut(2))
    async with FabulaClient(address, retry=RetryPolicy(initial_delay=60, max_delay=60)) as patient:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(patient.tell("a fox").result(), 0.3)
    assert service.methods == ["GenerateStory"]


@pytest.mark.parametrize("closing", ["the stream", "the client"])
async def test_a_reader_learns_that_another_task_closed(client: FabulaClient, service: Scripted, closing: str) -> None:
    service.plays.append(held(3, asyncio.Event()))
    stream = client.tell("a fox")
    task = asyncio.create_task(read_until_held(stream, reached := asyncio.Event()))
    await asyncio.wait_for(reached.wait(), PATIENCE)
    await (stream if closing == "the stream" else client).aclose()
    with pytest.raises(Closed):
        await asyncio.wait_for(task, PATIENCE)
    await asyncio.wait_for(service.heard[0].cancelled.wait(), PATIENCE)


async def test_a_waiting_single_call_learns_that_the_client_was_closed(client: FabulaClient, service: Scripted) -> None:
    service.answer.clear()
    task = asyncio.create_task(client.get_run("run-1"))
    await asyncio.wait_for(service.asked.wait(), PATIENCE)
    await client.aclose()
    with pytest.raises(Closed):
        await asyncio.wait_for(task, PATIENCE)


async def test_a_second_loop_ends_the_first(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(held(3, asyncio.Event()))
    stream = client.tell("a fox")
    first = asyncio.create_task(read_until_held(stream, reached := asyncio.Event()))
    await asyncio.wait_for(reached.wait(), PATIENCE)
    assert [event.sequence async for event in stream] == [4, 5, 6, 7, 8]
    with pytest.raises(Closed):
        await first


async def test_a_closed_stream_makes_no_call_but_keeps_what_it_has(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(held(3, asyncio.Event()))
    async with client.tell("a fox") as stream:
        await by_break(stream)
    assert stream.last_sequence == 1
    with pytest.raises(Closed):
        await stream.result()
    assert len(service.heard) == 1


async def test_a_stream_that_is_never_read_makes_no_call(client: FabulaClient, service: Scripted) -> None:
    async with client.tell("a fox"):
        pass
    assert not service.heard


async def test_a_closed_client_makes_no_call(client: FabulaClient) -> None:
    await client.aclose()
    with pytest.raises(Closed):
        await client.tell("a fox").result()
    with pytest.raises(Closed):
        await client.get_run("run-1")
