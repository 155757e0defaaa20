"""A batch, numbered: what every log does before it commits one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.runtime.ports import Batch, Event, LogConflictError, LogTail


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch as it goes into a log: its own events, already with their new bytes, and new bytes of older events."""

    after: int
    events: Sequence[Event]
    rewrites: Mapping[int, bytes]


def number(batch: Batch) -> Entry:
    """Numbers the batch's events. Raises ValueError for a batch that no log could take: a fault of the caller's.

    A rewrite of the batch's own event is done here, so that the text which it withdraws never gets to a disk.
    """
    last = batch.after + len(batch.payloads)
    if batch.terminal and not batch.payloads:
        raise ValueError("a terminal batch needs a payload")
    if any(not 1 <= sequence <= last for sequence in batch.rewrites):
        raise ValueError("rewrites must name sequences that exist by the end of the batch")
    events = tuple(
        Event(sequence, batch.rewrites.get(sequence, payload), batch.terminal and sequence == last)
        for sequence, payload in enumerate(batch.payloads, batch.after + 1)
    )
    older = {sequence: payload for sequence, payload in batch.rewrites.items() if sequence <= batch.after}
    return Entry(batch.after, events, older)


def follow(tail: LogTail, entry: Entry) -> LogTail:
    """The tail after the entry. Raises LogConflictError when the entry does not follow on this tail."""
    if tail.terminal:
        raise LogConflictError("the run's log has its terminal event")
    if tail.last != entry.after:
        raise LogConflictError(f"the run's log ends at {tail.last}, not at {entry.after}")
    if not entry.events:
        return tail
    return LogTail(tail.oldest or 1, entry.events[-1].sequence, entry.events[-1].terminal)
