"""A reader of one run: what is committed after a sequence, then what comes. The same path live, resumed or replayed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from types import TracebackType
from typing import Self

from fabula.run.v1 import run_pb2
from service.errors import StoreUnavailable
from service.runtime.active import ActiveRun
from service.runtime.ports import Event, EventLog
from service.runtime.standing import is_lost, missing
from service.runtime.stores import Store

READ_LIMIT = 128
"""Events read at once: what a slow reader holds in memory at the most."""


class Subscription:
    """Follows a run through the log; counts as a watcher of it from its making until `close`.

    `terminal` is the run's terminal event once the reader is past it. Use it as an async context manager.
    """

    def __init__(
        self,
        run: run_pb2.Run,
        log: EventLog,
        store: Store,
        after: int,
        terminal: Event | None,
        active: ActiveRun | None,
        closed: Callable[[], None],
    ) -> None:
        self.run = run
        self.terminal = terminal
        self._log = log
        self._store = store
        self._after = after
        self._active = active
        self._closed: Callable[[], None] | None = closed
        if active is not None:
            active.attach()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops being a watcher. Closing twice is harmless."""
        if self._closed is None:
            return
        self._closed()
        self._closed = None
        if self._active is not None:
            self._active.detach()

    async def batches(self, idle_seconds: float) -> AsyncGenerator[Sequence[Event], None]:
        """Yields the events after the cursor in order, several at once, up to the terminal one.

        Yields an empty sequence whenever nothing came for `idle_seconds`. Raises StoreUnavailable when the log can't
        be read, or when the run's end can't be committed, and RunNotFound once the run is erased.
        """
        while self.terminal is None:
            events = await self._log.read(self.run.run_id, self._after, READ_LIMIT)
            if events:
                self._after = events[-1].sequence
                self.terminal = events[-1] if events[-1].terminal else None
                yield events
                if self.terminal is not None and self._active is not None:
                    # Whoever has seen the end finds the run ended, and its place free.
                    await self._active.settled()
            elif await self._is_erased():
                raise missing()
            elif not await self._came(idle_seconds):
                if self._active is not None and self._active.unsettled.is_set():
                    raise StoreUnavailable("The run ended, and its end can't be stored now. Watch it again later.")
                yield ()

    async def _came(self, idle_seconds: float) -> bool:
        try:
            async with asyncio.timeout(idle_seconds):
                await self._log.wait(self.run.run_id, self._after)
        except TimeoutError:
            return False
        return True

    async def _is_erased(self) -> bool:
        """Whether nothing will come any more: a run that is not under way has its terminal event, or was erased."""
        if self._active is not None and not self._active.ended.is_set():
            return False
        record = await self._store.get_run(self.run.run_id)
        if record is None:
            return True
        tail = (await self._log.tails([self.run.run_id]))[self.run.run_id]
        return tail.last < self._after or is_lost(record.run, tail)
