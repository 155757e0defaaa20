"""The server: listens, scripts the model and tells what it saw."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import h11

from tests.ollama_server.chat import Chat
from tests.ollama_server.connection import Connection
from tests.ollama_server.gate import Gate
from tests.ollama_server.models import DEFAULT_MODELS, ModelCard, ModelShelf
from tests.ollama_server.pace import Pace
from tests.ollama_server.playlist import Kind, Playlist, Responder
from tests.ollama_server.reply import Reply
from tests.ollama_server.request import ChatRequest
from tests.ollama_server.routes import Routes
from tests.ollama_server.tally import Tally

BACKLOG = 1024
"""Enough for a benchmark's chats to knock all at once."""


class OllamaServer:
    """Ollama's HTTP API over a scripted model, on 127.0.0.1.

    Every chat started is in the end either finished (the server ended it: well, with a scripted fault, or because it
    was stopped) or aborted (the client left first).
    """

    def __init__(
        self,
        *,
        models: Iterable[ModelCard | str] = DEFAULT_MODELS,
        default: Reply | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.requests: list[ChatRequest] = []
        self._address = (host, port)
        self._playlist = Playlist(default or Reply())
        self._tally = Tally()
        self._gate = Gate(self._tally)
        self._routes = Routes(ModelShelf(models), self.requests, self._tell)
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. After a `stop` the port is the one it was."""
        host, port = self._address
        self._listener = await asyncio.start_server(self._accept, host, port, backlog=BACKLOG)
        self._address = (host, self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop every connection, as when the server is killed."""
        if self._listener is None:
            return
        self._listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._listener.wait_closed()
        self._listener = None

    @property
    def base_url(self) -> str:
        """Where it listens, once started."""
        return "http://{}:{}".format(*self._address)

    # What the model says

    def reply_with(self, *replies: Reply) -> None:
        """Queue replies for the next chats, one each."""
        self._playlist.queue.extend(replies)

    def respond(self, responder: Responder) -> None:
        """Let a function decide by the request while the queue is empty; None from it means the default."""
        self._playlist.responder = responder

    def reply_by_default(self, reply: Reply) -> None:
        """The reply when the queue is empty and no responder decides."""
        self._playlist.default = reply

    def answer(self, kind: Kind, responder: Responder) -> None:
        """Let a function answer every request of a kind; queue and responder are for the others. The newest counts."""
        self._playlist.kinds.insert(0, (kind, responder))

    def release(self) -> None:
        """Let all chats that are stalled now go on; `wait_stalled` first to be sure that they are."""
        self._gate.release()

    # What the server saw

    @property
    def open_chats(self) -> int:
        """Chats being answered now: generations that a real server would be spending its GPU on."""
        return self._tally.open

    @property
    def peak_chats(self) -> int:
        """The most chats that were open at once."""
        return self._tally.peak

    @property
    def stalled_chats(self) -> int:
        """Open chats that are silent by script."""
        return self._tally.stalled

    @property
    def held_back_chats(self) -> int:
        """Open chats whose client does not read, so that nothing more can be sent."""
        return self._tally.held_back

    @property
    def chats_started(self) -> int:
        """Chats whose request was accepted."""
        return self._tally.started

    @property
    def chats_finished(self) -> int:
        """Chats that the server ended, scripted faults included."""
        return self._tally.finished

    @property
    def chats_aborted(self) -> int:
        """Chats whose client left before the end."""
        return self._tally.aborted

    @property
    def abort_times(self) -> tuple[float, ...]:
        """When each abort was noticed, by `time.monotonic()`."""
        return tuple(self._tally.abort_times)

    async def wait_for_chats(self, count: int) -> None:
        """Wait until exactly so many chats are open."""
        await self._tally.until(lambda: self._tally.open == count)

    async def wait_started(self, count: int) -> None:
        """Wait until at least so many chats have started."""
        await self._tally.until(lambda: self._tally.started >= count)

    async def wait_finished(self, count: int) -> None:
        """Wait until at least so many chats were ended by the server."""
        await self._tally.until(lambda: self._tally.finished >= count)

    async def wait_aborted(self, count: int) -> None:
        """Wait until at least so many clients have left early."""
        await self._tally.until(lambda: self._tally.aborted >= count)

    async def wait_stalled(self, count: int) -> None:
        """Wait until at least so many chats are silent by script."""
        await self._tally.until(lambda: self._tally.stalled >= count)

    async def wait_held_back(self, count: int) -> None:
        """Wait until at least so many chats can send nothing more."""
        await self._tally.until(lambda: self._tally.held_back >= count)

    # Connections

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(Connection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            while (request := await connection.next_request()) is not None:
                await self._routes.handle(connection, request)
                if not connection.keep_alive():
                    break
        except h11.RemoteProtocolError:
            pass  # not HTTP: there is nobody to answer
        finally:
            await connection.close()

    async def _tell(self, connection: Connection, request: ChatRequest) -> None:
        steps, interval = self._playlist.steps(request)
        await Chat(connection, request, self._tally, self._gate, Pace(interval)).play(steps)
