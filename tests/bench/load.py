"""The load generator: many streams at once over one channel, and when each heard what."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc.aio

STREAM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, on the wire: a method, the bytes of a request, and how to read the bytes of the answers.

    `is_content` tells a message with text of the story, `is_whole` whether these messages are all of it.
    """

    method: str
    request: bytes
    is_content: Callable[[bytes], bool]
    is_whole: Callable[[Sequence[bytes]], bool]


@dataclass(frozen=True, slots=True)
class Heard:
    """One stream: seconds from the call to its first message and to its first text, None when there was none."""

    first_event: float | None
    first_content: float | None
    messages: int
    whole: bool


async def load(address: str, target: Target, streams: int) -> Sequence[Heard]:
    """Opens all streams at once, as one internal service would: over one channel. Reads each to its end."""
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        return await asyncio.gather(*(_listen(channel, target) for _ in range(streams)))


async def _listen(channel: grpc.aio.Channel, target: Target) -> Heard:
    messages: list[bytes] = []
    first_event = first_content = None
    # Bytes in, bytes out: parsing every event would be the load generator's cost, on the same two cores.
    ask: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(target.method)
    began = time.perf_counter()
    call = ask(target.request, timeout=STREAM_SECONDS)
    try:
        async for message in call:
            elapsed = time.perf_counter() - began
            first_event = elapsed if first_event is None else first_event
            if first_content is None and target.is_content(message):
                first_content = elapsed
            messages.append(message)
        whole = target.is_whole(messages)
    except grpc.aio.AioRpcError:
        whole = False
    return Heard(first_event, first_content, len(messages), whole)
