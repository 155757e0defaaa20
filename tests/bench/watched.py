"""A model server in this process that tells when it noticed which run's connection close."""

import asyncio
import re
import time

from tests.ollama_server import ChatRequest, OllamaServer
from tests.ollama_server.connection import Connection

_MARK = re.compile(r"bench-\d+")


def theme(number: int) -> str:
    """The theme of a story that the model server can tell from others."""
    return f"a fox bench-{number}"


class WatchedServer(OllamaServer):
    """Tells chats apart by the mark in their theme."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[str, asyncio.Future[float]] = {}

    async def closed(self, number: int) -> float:
        """When the chat of the story with this number was over, by `time.monotonic()`; waits for it."""
        return await asyncio.shield(self._end(f"bench-{number}"))

    async def _tell(self, connection: Connection, request: ChatRequest) -> None:
        mark = _MARK.search(request.prompt)
        try:
            await super()._tell(connection, request)
        finally:
            if mark is not None and not self._end(mark[0]).done():
                self._end(mark[0]).set_result(time.monotonic())

    def _end(self, mark: str) -> "asyncio.Future[float]":
        return self._ends.setdefault(mark, asyncio.get_running_loop().create_future())
