"""A gateway that keeps what it is asked, byte by byte, and answers or hangs up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


class Echo:
    """`heads` are those of the requests, in lower case, but for health checks; `answer` is what each is answered."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.answer = HELLO
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads one request, answers and closes."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        # Closed with something unread, the connection would be reset, and the answer might be lost.
        await reader.readexactly(int(head.partition("\r\ncontent-length: ")[2].partition("\r\n")[0] or 0))
        if head.startswith("get /healthz"):
            writer.write(HELLO)
        else:
            self.heads.append(head)
            writer.write(self.answer)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[Echo]:
    """Listens on a free port."""
    echo = Echo()
    server = await asyncio.start_server(echo.accept, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    async with server:
        yield echo
