"""A model server in this process that tells when it wrote each token of which story."""

import re
import time
from collections import defaultdict

from tests.ollama_server import ChatRequest, OllamaServer
from tests.ollama_server.chat import Chat
from tests.ollama_server.connection import Connection
from tests.ollama_server.pace import Pace

_MARK = re.compile(r"bench-(\d+)")


class ClockedServer(OllamaServer):
    """Tells stories apart by the mark in their theme, which no review repeats; see `tests.bench.watched.theme`."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[int, list[float]] = defaultdict(list)
        """By the number of the story: when each of its tokens was about to be written, by `time.perf_counter()`."""

    async def _tell(self, connection: Connection, request: ChatRequest) -> None:
        mark = _MARK.search(request.prompt)
        steps, interval = self._playlist.steps(request)
        pace = _Clock(interval, self.written[int(mark[1])]) if mark else Pace(interval)
        await Chat(connection, request, self._tally, self._gate, pace).play(steps)


class _Clock(Pace):
    def __init__(self, interval: float, times: list[float]) -> None:
        super().__init__(interval)
        self._times = times

    async def tick(self) -> None:
        await super().tick()
        self._times.append(time.perf_counter())
