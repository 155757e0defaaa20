"""A proxy that cuts streams of events, as a bad line would."""

import asyncio
from types import TracebackType
from typing import Self

from service.gateway.frames import RETRY_MILLISECONDS

_HINT = f"retry: {RETRY_MILLISECONDS}\n".encode()
_HASTY = f"retry: {10:0{len(str(RETRY_MILLISECONDS))}}\n".encode()
"""The same hint of ten milliseconds, of the same length, so that the framing of HTTP stays true."""


class EventCutter:
    """Lets `events` whole events through on each connection, and then closes it. An async context manager.

    Other answers pass as they are, and so does the answer of a POST. The retry hint is shortened.
    """

    def __init__(self, port: int, events: int = 1) -> None:
        self._port = port
        self._events = events
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader: asyncio.StreamReader, browser: asyncio.StreamWriter) -> None:
        upstream, gateway = await asyncio.open_connection("127.0.0.1", self._port)
        both = {browser, gateway}
        self._open |= both
        asked = _Asked()
        asking = asyncio.create_task(_pass_on(reader, gateway, asked))
        try:
            await self._answer(upstream, browser, asked)
        except ConnectionError:
            pass
        finally:
            for writer in both:
                writer.close()  # in the midst of an answer, but with all that was written: an abort might lose it
            self._open -= both
            await asking

    async def _answer(self, upstream: asyncio.StreamReader, browser: asyncio.StreamWriter, asked: "_Asked") -> None:
        left, last = self._events, b""
        while line := await upstream.readline():
            browser.write(_HASTY if line == _HINT else line)
            await browser.drain()
            left -= last.startswith(b"data: ") and line == b"\n" and not asked.by_post
            if left == 0:
                self.cuts += 1
                return
            last = line


class _Asked:
    """How a connection's latest request was made."""

    by_post = False


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: _Asked) -> None:
    try:
        while data := await reader.read(65_536):
            # A browser waits for an answer before it asks again, so that a request begins where a read does.
            asked.by_post = data.startswith(b"POST ") or (asked.by_post and not data.startswith(b"GET "))
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side is gone, which the other pump sees as well
