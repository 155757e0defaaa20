"""The load generator of the gateway: streams over HTTP, read as bytes, for on the same cores it must cost little."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

PATH = "/api/v1/stories/generate/stream"

STREAM_SECONDS = 60.0

_EVENT = re.compile(
    rb'id: [^:\n]+:(\d+)\nevent: story_chunk\ndata: \{"type": ?"(\w+)", ?"data": ?\{(?:"chunk": ?"(\d+) )?'
)


@dataclass(slots=True)
class Heard:
    """One stream: the sequences that came, the kind of the last event, and each event's seconds on its way."""

    sequences: list[int] = field(default_factory=list)
    last: bytes = b""
    lags: list[float] = field(default_factory=list)

    def is_whole(self, events: int) -> bool:
        """Whether every event came, once and in order."""
        return self.sequences == list(range(1, events + 1)) and self.last == b"complete"


class Stream(asyncio.Protocol):
    """One browser. `begun` is done with its first event, `ended` when the server has closed the connection."""

    def __init__(self, theme: str) -> None:
        self._ask = (
            f"GET {PATH}?child_id=1&theme={theme} HTTP/1.1\r\nhost: gateway\r\naccept: text/event-stream\r\n"
            "connection: close\r\n\r\n"
        ).encode()
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.heard = Heard()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._ask)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        whole, end, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not end:
            return
        heard = self.heard
        for sequence, kind, sent in _EVENT.findall(whole):
            heard.sequences.append(int(sequence))
            heard.last = kind
            if sent:
                heard.lags.append((now - int(sent)) / 1e9)
        if heard.sequences and not self.begun.done():
            self.begun.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)

    def leave(self) -> None:
        """Goes away, as a browser does whose tab is closed."""
        assert self._transport is not None
        self._transport.abort()


async def read(port: int, theme: str, streams: int) -> Sequence[Heard]:
    """Opens all streams at once and reads each to its end."""
    readers = await _opened(port, theme, streams)
    async with asyncio.timeout(STREAM_SECONDS):
        await asyncio.gather(*(each.ended for each in readers))
    return [each.heard for each in readers]


async def hold(port: int, theme: str, streams: int) -> Sequence[Stream]:
    """Opens all streams, and returns when each has heard its first event."""
    readers = await _opened(port, theme, streams)
    async with asyncio.timeout(STREAM_SECONDS):
        await asyncio.gather(*(each.begun for each in readers))
    return readers


async def _opened(port: int, theme: str, streams: int) -> Sequence[Stream]:
    loop = asyncio.get_running_loop()
    opened = [loop.create_connection(lambda: Stream(theme), "127.0.0.1", port) for _ in range(streams)]
    return [reader for _, reader in await asyncio.gather(*opened)]
