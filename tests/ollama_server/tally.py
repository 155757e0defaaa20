"""Counts chats and wakes whoever waits for a count."""

import asyncio
import time
from collections.abc import Callable


class Tally:
    """How many chats started, ended and are open.

    Waiters are futures tried at every change, and not an `asyncio.Condition`: a count is then changed without an
    `await`, so also by a task that is being cancelled, and a waiter does not miss a value that lasts but a moment.
    """

    def __init__(self) -> None:
        self.started = 0
        self.finished = 0
        self.aborted = 0
        self.stalled = 0
        self.held_back = 0
        self.peak = 0
        self.abort_times: list[float] = []
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @property
    def open(self) -> int:
        """Chats being answered now."""
        return self.started - self.finished - self.aborted

    def start(self) -> None:
        """A chat is being answered."""
        self.started += 1
        self.peak = max(self.peak, self.open)
        self._changed()

    def finish(self) -> None:
        """The server ended a chat, well or as scripted."""
        self.finished += 1
        self._changed()

    def abort(self) -> None:
        """The client went away before the end."""
        self.aborted += 1
        self.abort_times.append(time.monotonic())
        self._changed()

    def stall(self, change: int) -> None:
        """A chat fell silent (+1) or is silent no more (-1)."""
        self.stalled += change
        self._changed()

    def hold_back(self, change: int) -> None:
        """A chat can send no more until its client reads (+1), or goes on (-1)."""
        self.held_back += change
        self._changed()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of the counts."""
        if holds():
            return
        waiter = (holds, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter[1]
        finally:
            self._waiters.remove(waiter)

    def _changed(self) -> None:
        for holds, future in self._waiters:
            if not future.done() and holds():
                future.set_result(None)
