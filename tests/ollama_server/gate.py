"""Where stalled chats wait."""

import asyncio

from tests.ollama_server.tally import Tally


class Gate:
    """Holds chats until it is opened; it shuts again behind those that waited."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._opened = asyncio.Event()

    async def stall(self) -> None:
        """Wait for the next `release`."""
        opened = self._opened
        self._tally.stall(+1)
        try:
            await opened.wait()
        finally:
            self._tally.stall(-1)

    def release(self) -> None:
        """Let go on the chats that are waiting now."""
        self._opened.set()
        self._opened = asyncio.Event()
