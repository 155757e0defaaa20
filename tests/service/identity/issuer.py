"""An issuer that publishes its keys over HTTP, changes them, and breaks down."""

import asyncio
import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import jwt

from tests.tokens import private_key


def jwk(algorithm: str, kid: str, **changes: Any) -> dict[str, Any]:
    """The public key of an algorithm as an issuer publishes it."""
    kind = jwt.get_algorithm_by_name(algorithm)
    document: dict[str, Any] = json.loads(kind.to_jwk(private_key(algorithm).public_key()))
    return document | {"kid": kid, "use": "sig"} | changes


class Issuer:
    """Answers every GET with `keys`, or with `body` if there is one, once `answering` is set. `asked` counts.

    An async context manager.
    """

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.body: bytes | None = None
        self.status = 200
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked = 0
        self._change = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self.answering.set()
        self._server.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/keys"

    async def until_asked(self, times: int) -> None:
        """Returns once `asked` is as much."""
        async with self._change:
            await self._change.wait_for(lambda: self.asked >= times)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        async with self._change:
            self.asked += 1
            self._change.notify_all()
        await self.answering.wait()
        body = self.body if self.body is not None else json.dumps({"keys": self.keys}).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (self.status, len(body), body)
        )
        with suppress(ConnectionError):  # nobody may wait any more
            await writer.drain()
        writer.close()
