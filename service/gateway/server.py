"""The gateway's HTTP server: uvicorn in a loop that is not its own."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import uvicorn

from service.errors import ConfigError
from service.gateway.app import Gateway
from service.gateway.protocol import BoundedProtocol

STOP_SECONDS = 5
"""How long answers under way may take when the server stops; a browser that reads no more would take for ever."""

_BACKLOG = 2048
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 -- as a server binds


class HttpServer:
    """Serves the gateway on one address. An async context manager; leaving it ends the streams with a farewell."""

    def __init__(self, address: str, gateway: Gateway) -> None:
        self._address = address
        self._gateway = gateway
        self._server = _Server(
            uvicorn.Config(
                gateway.app,
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{reachable(self._address, self.port)}"

    async def __aenter__(self) -> Self:
        bound = _bind(self._address)
        self.port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve([bound]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._gateway.interrupt()
        if self._serving is not None:
            await self._serving


class _Server(uvicorn.Server):
    """Leaves the signals to the service, and connections that outlast the end to nobody."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            transport: Any = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def reachable(address: str, port: int) -> str:
    """Where what is bound to this address is reached from the same machine."""
    host = address.rpartition(":")[0]
    return f"{_ANY.get(host, host)}:{port}"


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family, _, _, _, _ = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            [f"FABULA_HTTP_ADDRESS: {address} can't be bound: is it in use? Take another port, or 0 for any"]
        ) from error
