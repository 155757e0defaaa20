"""The newest committed events of the runs that are being written, so that live readers need no disk."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from service.backends.entry import Entry
from service.runtime.ports import Event, LogTail


@dataclass(frozen=True, slots=True)
class HotLimits:
    """How much is kept: events and payload bytes of one run, and runs that have ended.

    An ended run stays for a moment because everybody who follows it is about to read its last events. A run that has
    not ended always stays: its readers come for every event, and whoever starts runs bounds how many there are.
    """

    events: int = 512
    payload_bytes: int = 512 * 1024
    ended_runs: int = 16


class HotEvents:
    """Keeps events of runs up to their tails without a gap; what it does not know, the database does.

    It is told of entries after their commit, in the order of the commits.
    """

    def __init__(self, limits: HotLimits) -> None:
        self._limits = limits
        self._runs: dict[str, _HotRun] = {}
        self._ended: deque[str] = deque()

    def extend(self, run_id: str, entry: Entry, tail: LogTail) -> None:
        """An entry was committed, and the run's log reaches to `tail` now."""
        run = self._runs.get(run_id)
        if run is None or run.tail.last != entry.after:
            run = self._runs[run_id] = _HotRun(entry.after + 1)
        run.extend(entry, tail, self._limits)
        if tail.terminal:
            self._ended.append(run_id)
        if len(self._ended) > self._limits.ended_runs:
            self.forget(self._ended.popleft())

    def read(self, run_id: str, after: int, limit: int) -> Sequence[Event] | None:
        """The events with sequence > after, at most `limit`; None when some of them may be in the database alone."""
        run = self._runs.get(run_id)
        if run is None or after + 1 < run.first:
            return None
        return run.read(after, limit)

    def tail(self, run_id: str) -> LogTail | None:
        """How far the run's log reaches; None when only the database knows."""
        run = self._runs.get(run_id)
        return None if run is None else run.tail

    def forget(self, run_id: str) -> None:
        """The database is to be asked for this run."""
        self._runs.pop(run_id, None)


class _HotRun:
    """The events from `first` to the tail of one run; `first` is after the tail when none is kept."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.tail = LogTail()
        self._events: list[Event] = []
        self._bytes = 0

    def extend(self, entry: Entry, tail: LogTail, limits: HotLimits) -> None:
        self.tail = tail
        self._events.extend(entry.events)
        self._bytes += sum(len(event.payload) for event in entry.events)
        for sequence, payload in entry.rewrites.items():
            self._rewrite(sequence, payload)
        self._shrink(limits)

    def read(self, after: int, limit: int) -> Sequence[Event]:
        start = after + 1 - self.first
        return self._events[start : start + limit]

    def _rewrite(self, sequence: int, payload: bytes) -> None:
        index = sequence - self.first
        if index >= 0:
            self._bytes += len(payload) - len(self._events[index].payload)
            self._events[index] = Event(sequence, payload)

    def _shrink(self, limits: HotLimits) -> None:
        surplus = max(0, len(self._events) - limits.events)
        size = self._bytes - sum(len(event.payload) for event in self._events[:surplus])
        while size > limits.payload_bytes:
            size -= len(self._events[surplus].payload)
            surplus += 1
        del self._events[:surplus]
        self._bytes = size
        self.first += surplus
