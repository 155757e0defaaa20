"""What an answer of a model server may take at the most, whatever the server does: httpx itself has no bound.

A line is held in memory until its end has come. A server that never ends it, by fault or by malice, would take the
service's memory with it: 64 MB of one line were 145 MB of ours.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import parsedate_to_datetime

import httpx

MAX_LINE_BYTES = 1 << 20
"""Of one line; a line of Ollama's is a token and about 120 bytes around it."""

BYTES_A_TOKEN = 1 << 10
"""Of a whole answer, for each token that was asked for, beside MAX_LINE_BYTES for what is no token."""

MAX_ERROR_BYTES = 1 << 16
"""Of the body of an error: what is more is not read, for its status has said it."""

PLAIN = "identity"
"""The only encoding that is asked for and read."""

_TOO_MANY_REQUESTS = 429


class OverlongError(Exception):
    """The server sends more than an answer can be, or what can't be measured."""


class BusyError(httpx.HTTPError):
    """Status 429, with the seconds that the server asks us to wait, where it does."""

    def __init__(self, retry_after_seconds: float | None) -> None:
        super().__init__("429")
        self.retry_after_seconds = retry_after_seconds


def bounding(tokens: int) -> Callable[[httpx.Response], Awaitable[None]]:
    """A response hook of an AsyncClient that bounds each answer: OverlongError is raised as soon as it is too long."""

    async def bound(response: httpx.Response) -> None:
        if response.status_code == _TOO_MANY_REQUESTS:
            raise BusyError(retry_after(response.headers.get("Retry-After", "")))
        if response.headers.get("Content-Encoding", PLAIN) != PLAIN:
            raise OverlongError  # a few bytes may become any number of them
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 -- an AsyncClient's
        bounds = _ErrorBody if response.is_error else _Lines
        response.stream = bounds(response.stream, MAX_LINE_BYTES + tokens * BYTES_A_TOKEN)

    return bound


def retry_after(value: str) -> float | None:
    """The seconds that a Retry-After header stands for: it holds seconds or a date. None when it is neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


class _Lines(httpx.AsyncByteStream):
    """Lines, each of them and all together bounded."""

    def __init__(self, stream: httpx.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        line = 0
        async for chunk in self._stream:
            self._left -= len(chunk)
            line = len(chunk) - chunk.rfind(b"\n") - 1 if b"\n" in chunk else line + len(chunk)
            if self._left < 0 or line > MAX_LINE_BYTES:
                raise OverlongError
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _ErrorBody(_Lines):
    """The beginning of a body that explains a status."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ERROR_BYTES
        async for chunk in self._stream:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return
