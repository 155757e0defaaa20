"""One connection to a service, and what every single call over it has in common."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import grpc

from fabula.channel import open_channel
from fabula.errors import Closed, Unavailable
from fabula.retry import DEFAULT_RETRY, Deadline, RetryPolicy, repeat

if TYPE_CHECKING:
    from grpc.aio import UnaryUnaryMultiCallable


class PageRequest(Protocol):
    """Asks for one page of a list."""

    page_token: str


class Page(Protocol):
    """One page of a list."""

    next_page_token: str


_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
_PageRequest = TypeVar("_PageRequest", bound=PageRequest)
_Page = TypeVar("_Page", bound=Page)


class Connection:
    """Opened by the first call; after `aclose` every call raises Closed."""

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Sequence[tuple[str, str | bytes]] = (),
        token: str | Callable[[], str] = "",
        retry: RetryPolicy = DEFAULT_RETRY,
    ) -> None:
        self.address = address
        self._credentials = credentials
        self._fixed = tuple(metadata)
        self._token = token
        self._retry = retry
        self._opened: grpc.aio.Channel | None = None
        self._closed = False

    @property
    def _renews(self) -> bool:
        return callable(self._token)

    def _metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        token = self._token() if callable(self._token) else self._token
        return (*self._fixed, ("authorization", f"Bearer {token}")) if token else self._fixed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancels every call that is open and closes the connection."""
        self._closed = True
        if self._opened is not None:
            await self._opened.close()

    async def wait_until_ready(self, within: float = 5.0) -> None:
        """Connects. Unavailable when no service answers within that many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._channel().channel_ready()
        except TimeoutError:
            raise Unavailable(f"No service answers at {self.address}.", grpc.StatusCode.UNAVAILABLE) from None

    def _channel(self) -> grpc.aio.Channel:
        if self._closed:
            raise Closed("The client is closed.")
        # Made on the first call, not in the constructor: a channel belongs to the loop that runs when it is made.
        self._opened = self._opened or open_channel(self.address, self._credentials)
        return self._opened

    async def _ask(
        self, method: "UnaryUnaryMultiCallable[_Request, _Answer]", request: _Request, deadline: Deadline | None = None
    ) -> _Answer:
        return await repeat(self._attempt(method, request), self._retry, deadline or Deadline(None))

    def _attempt(
        self, method: "UnaryUnaryMultiCallable[_Request, _Answer]", request: _Request
    ) -> Callable[[float | None], Awaitable[_Answer]]:
        """One call, made each time that it is called, with so many seconds left."""
        return lambda left: method(request, timeout=left, metadata=self._metadata())

    async def _pages(
        self, method: "UnaryUnaryMultiCallable[_PageRequest, _Page]", request: _PageRequest
    ) -> AsyncIterator[_Page]:
        """One page after another, each asked for when the loop comes to it."""
        while True:
            page = await self._ask(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
