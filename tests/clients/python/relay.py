"""A TCP relay whose connections a test can break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Relay:
    """Passes bytes on to `target` ("host:port") in both directions."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = ""

    def cut(self) -> None:
        """Breaks every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes one connection on until either end is gone."""
        beyond_reader, beyond_writer = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, beyond_writer}
        try:
            await asyncio.gather(_pump(reader, beyond_writer), _pump(beyond_reader, writer))
        finally:
            self._writers -= {writer, beyond_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def relaying(target: str) -> AsyncIterator[Relay]:
    """A relay on a free port of 127.0.0.1."""
    relay = Relay(target)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    relay.address = f"{host}:{port}"
    async with server:
        yield relay
        relay.cut()
