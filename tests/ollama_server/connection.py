"""HTTP/1.1 on one TCP connection: h11 frames, asyncio moves the bytes."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from types import MappingProxyType
from typing import Any

import h11

READ_SIZE = 65536

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One client. Sending does not wait, so that whoever ends an answer can count it in the same breath."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def next_request(self) -> HttpRequest | None:
        """The next request on this connection, None when there will be none."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._read())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, bytes(body))
            else:
                return None

    def respond(
        self, status: int, content_type: str, body: bytes, *, head: bool = False, headers: Mapping[str, str] = _NONE
    ) -> None:
        """Send a whole response; `head` leaves the body out, as the method HEAD wants it."""
        length = ("Content-Length", str(len(body)))
        self._send(h11.Response(status_code=status, headers=[*_headers(content_type), length, *headers.items()]))
        self._send(h11.Data(data=b"" if head else body))
        self._send(h11.EndOfMessage())

    def begin_stream(self, content_type: str) -> None:
        """Send the head of a response in chunks."""
        self._send(h11.Response(status_code=200, headers=_headers(content_type)))

    def send_chunk(self, data: bytes) -> None:
        """Send one chunk."""
        self._send(h11.Data(data=data))

    def end_stream(self) -> None:
        """End a response in chunks as HTTP wants it."""
        self._send(h11.EndOfMessage())

    @property
    def is_full(self) -> bool:
        """Whether more lies here than the client has taken, so that `flush` waits for it."""
        transport = self._writer.transport
        return transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]

    async def flush(self) -> None:
        """Wait while the client reads more slowly than we write; ConnectionError when it is gone."""
        await self._writer.drain()

    def cut(self) -> None:
        """Close the connection in the midst of things. What was sent does arrive: a dying process loses none of it."""
        self._http.send_failed()
        self._writer.close()

    async def while_client_stays(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work, or drop it the moment the client leaves. False if it left."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._client_left())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return False
            working.result()
            return True
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    def keep_alive(self) -> bool:
        """Make ready for the next request, if the last exchange allows for one."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _client_left(self) -> None:
        # Reading on during the answer is the only way to hear a client leave while we are silent (Go's server does
        # it too). What else comes is the next request, and h11 keeps it.
        while data := await self._read():
            self._http.receive_data(data)

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_SIZE)
        except ConnectionError:
            return b""

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)


def _headers(content_type: str) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("Date", formatdate(usegmt=True))]


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    path = head.target.decode("latin-1").partition("?")[0]
    return HttpRequest(head.method.decode("latin-1"), path, headers, body)
