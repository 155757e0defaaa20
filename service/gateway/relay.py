"""One stream under way: what the service sends goes to one browser, until either has enough."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio

from service.gateway.exchange import Exchange
from service.gateway.frames import Framer
from service.gateway.statuses import ended_run, refusal

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Of every stream: no cache keeps it, no proxy holds it back."""


class Relay:
    """Relays one call's events. `run` does all of it; `interrupt` ends it with a farewell.

    `patient` says that the reader is an EventSource that comes back. It gives up for good when it is answered with an
    error, so that while the service can't be reached it gets an empty stream, after which it comes back once more.
    """

    def __init__(
        self, exchange: Exchange, call: Any, framer: Framer, ping_seconds: float, *, patient: bool = False
    ) -> None:
        self._exchange = exchange
        self._call = call
        self._messages: AsyncIterator[bytes] = aiter(call)
        self._framer = framer
        self._ping_seconds = ping_seconds
        self._patient = patient
        self._begun = self._spoken = self._told = self._gone = self._interrupted = False

    async def run(self, headers_within: float | None) -> None:
        """Answers the request. The headers are sent with the first event, or after this time.

        Raises Refused when the service refuses before the headers are sent.
        """
        attendant = asyncio.create_task(self._attend())
        try:
            await self._relay(headers_within)
        except asyncio.CancelledError:
            if _is_stopped() or not (self._gone or self._interrupted):
                raise
            if self._interrupted:
                await self._end("stopping")
        finally:
            attendant.cancel()
            self._call.cancel()

    def interrupt(self) -> None:
        """Ends the stream with a farewell, because the gateway stops."""
        self._interrupted = True
        self._call.cancel()

    async def _relay(self, headers_within: float | None) -> None:
        try:
            first = await self._first(headers_within)
            if first is None and not self._begun:
                await self._exchange.answer(204, b"", HEADERS)
                return
            await self._follow(first)
        except grpc.aio.AioRpcError as error:
            await self._fail(error)
        else:
            await self._end("interrupted")

    async def _first(self, headers_within: float | None) -> bytes | None:
        reading = asyncio.ensure_future(anext(self._messages, None))
        try:
            await asyncio.wait({reading}, timeout=headers_within)
            if not reading.done():
                await self._begin()
            return await reading
        finally:
            reading.cancel()

    async def _follow(self, first: bytes | None) -> None:
        await self._begin()
        if first is not None:
            await self._tell(first)
        async for message in self._messages:
            await self._tell(message)

    async def _tell(self, message: bytes) -> None:
        frame, terminal = self._framer.frame(message)
        self._told = self._told or terminal
        await self._write(frame)

    async def _fail(self, error: grpc.aio.AioRpcError) -> None:
        if not self._begun:
            if ended_run(error):
                await self._exchange.answer(204, b"", HEADERS)
                return
            if not self._patient or error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise refusal(error) from None
        await self._end("interrupted")

    async def _end(self, reason: str) -> None:
        await self._begin()
        farewell = b"" if self._told else self._framer.farewell(reason)
        await self._exchange.send({"type": "http.response.body", "body": farewell, "more_body": False})

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            headers: Mapping[str, str] = {"content-type": self._framer.media, **HEADERS}
            await self._exchange.begin(200, headers)
            await self._write(self._framer.prelude)

    async def _write(self, frame: bytes) -> None:
        self._spoken = True
        await self._exchange.send({"type": "http.response.body", "body": frame, "more_body": True})

    async def _attend(self) -> None:
        """Notices when the browser goes, and pings it when it has heard nothing for a while."""
        while not self._gone:
            try:
                async with asyncio.timeout(self._ping_seconds):
                    await self._exchange.until_gone()
                    self._gone = True
                    self._call.cancel()
            except TimeoutError:
                if self._begun and not self._spoken:
                    await self._write(self._framer.ping)
                self._spoken = False


def _is_stopped() -> bool:
    """Whether it is this task that is cancelled, and not the call alone."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
