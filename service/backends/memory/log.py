"""The event log in memory."""

from collections.abc import Mapping, Sequence

from service.backends.entry import follow, number
from service.backends.waiters import Waiters
from service.runtime.ports import Batch, Event, LogTail


class MemoryEventLog:
    """Implements EventLog. No method suspends between looking and writing: that makes each atomic."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._waiters = Waiters()

    async def append(self, run_id: str, batch: Batch) -> None:
        entry = number(batch)
        tail = follow(self._tail(run_id), entry)
        events = self._events.setdefault(run_id, [])
        events.extend(entry.events)
        for sequence, payload in entry.rewrites.items():
            events[sequence - 1] = Event(sequence, payload)
        self._waiters.wake(run_id, tail.last)

    async def read(self, run_id: str, after: int, limit: int) -> Sequence[Event]:
        return self._events.get(run_id, [])[after : after + limit]

    async def wait(self, run_id: str, after: int) -> None:
        with self._waiters.enter(run_id, after) as woken:
            if self._tail(run_id).last <= after:
                await woken

    async def tails(self, run_ids: Sequence[str]) -> Mapping[str, LogTail]:
        return {run_id: self._tail(run_id) for run_id in run_ids}

    async def delete(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            self._events.pop(run_id, None)
            self._waiters.wake_all(run_id)

    async def scrub(self) -> None:
        """There are no files."""

    def _tail(self, run_id: str) -> LogTail:
        events = self._events.get(run_id)
        return LogTail(1, events[-1].sequence, events[-1].terminal) if events else LogTail()
