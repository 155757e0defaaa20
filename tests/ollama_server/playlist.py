"""Which reply answers which request."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tests.ollama_server.reply import Reply
from tests.ollama_server.request import ChatRequest
from tests.ollama_server.script import Refuse, Step, steps

Responder: TypeAlias = Callable[[ChatRequest], Reply | None]


Kind: TypeAlias = Callable[[ChatRequest], bool]


class Playlist:
    """Requests of a kind with an answer of its own get that; of the others the queue comes first, then the responder,
    then the default."""

    def __init__(self, default: Reply) -> None:
        self.default = default
        self.kinds: list[tuple[Kind, Responder]] = []
        self.queue: deque[Reply] = deque()
        self.responder: Responder | None = None

    def steps(self, request: ChatRequest) -> tuple[Sequence[Step], float]:
        """The steps of the answer and the seconds between them.

        A script that cannot be played is an answer too: its error, for the test to see.
        """
        try:
            reply = self._choose(request)
            return list(steps(reply, request)), reply.interval
        except Exception as error:  # noqa: BLE001 - a responder is the test's own code and may raise anything
            return [Refuse(500, f"the script failed: {error!r}")], 0.0

    def _choose(self, request: ChatRequest) -> Reply:
        for is_of_kind, respond in self.kinds:
            if is_of_kind(request):
                return respond(request) or self.default
        if self.queue:
            return self.queue.popleft()
        return (self.responder(request) if self.responder else None) or self.default
