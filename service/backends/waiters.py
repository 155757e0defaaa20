"""Who waits for which event of a run."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Waiters:
    """Readers that wait for the next event of a run; each costs one future, and only those that are served wake."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[asyncio.Future[None], int]] = {}

    @contextmanager
    def enter(self, run_id: str, after: int) -> Iterator[asyncio.Future[None]]:
        """The future is done once an event with sequence > after is reported to `wake`.

        Enter first, then look whether that event is there already: so none is missed in between.
        """
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        of_run = self._waiting.setdefault(run_id, {})
        of_run[woken] = after
        try:
            yield woken
        finally:
            of_run.pop(woken)
            if not of_run:
                self._waiting.pop(run_id)

    def wake(self, run_id: str, last: int) -> None:
        """The events of the run up to `last` are committed."""
        for woken, after in self._waiting.get(run_id, {}).items():
            if after < last and not woken.done():
                woken.set_result(None)

    def wake_all(self, run_id: str) -> None:
        """The run's events were deleted: whatever somebody waits for will not come."""
        for woken in self._waiting.get(run_id, {}):
            if not woken.done():
                woken.set_result(None)
