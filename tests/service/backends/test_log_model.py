"""Any sequence of appends, deletions and reads, on every log, against a list."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.backends.memory import MemoryEventLog
from service.backends.source import Options
from service.backends.sqlite.database import open_database
from service.backends.sqlite.hot import HotLimits
from service.backends.sqlite.log import SqliteEventLog
from service.runtime.ports import Batch, Event, EventLog, LogConflictError, LogTail

_FEW = HotLimits(events=3, payload_bytes=20, ended_runs=1)


@dataclass(frozen=True)
class _Append:
    """An append at `offset` from the end; `rewrites` are sequences, as far as they exist."""

    run_id: str
    offset: int
    payloads: Sequence[bytes]
    terminal: bool
    rewrites: frozenset[int]


@dataclass(frozen=True)
class _Delete:
    """The deletion of a run's events."""

    run_id: str


_APPENDS = st.builds(
    _Append,
    run_id=st.sampled_from("ab"),
    offset=st.sampled_from([0, 0, 0, 0, -1, 1]),
    payloads=st.lists(st.binary(max_size=12), max_size=4),
    terminal=st.sampled_from([False] * 7 + [True]),
    rewrites=st.frozensets(st.integers(1, 12), max_size=3),
)
_STEPS = st.one_of(_APPENDS, _APPENDS, _APPENDS, st.builds(_Delete, run_id=st.sampled_from("ab")))


@asynccontextmanager
async def _logs() -> AsyncIterator[Sequence[EventLog]]:
    with tempfile.TemporaryDirectory() as directory:
        async with open_database(Path(directory) / "fabula.db", Options(0)) as database:
            yield MemoryEventLog(), SqliteEventLog(database, _FEW)


def _apply(events: list[Event], batch: Batch) -> bool:
    """The append on the model; False when it conflicts."""
    if batch.after != len(events) or (events and events[-1].terminal):
        return False
    events += [Event(batch.after + n, payload) for n, payload in enumerate(batch.payloads, 1)]
    for sequence, payload in batch.rewrites.items():
        events[sequence - 1] = Event(sequence, payload)
    if batch.terminal:
        events[-1] = Event(len(events), events[-1].payload, terminal=True)
    return True


async def _append(log: EventLog, run_id: str, batch: Batch) -> bool:
    try:
        await log.append(run_id, batch)
    except LogConflictError:
        return False
    return True


async def _agrees(log: EventLog, run_id: str, events: Sequence[Event]) -> None:
    tail = LogTail(1, len(events), events[-1].terminal) if events else LogTail()
    assert await log.tails([run_id]) == {run_id: tail}
    for after in range(len(events) + 2):
        assert await log.read(run_id, after, 3) == events[after : after + 3]


def _batch(step: _Append, events: Sequence[Event]) -> Batch:
    after = max(0, len(events) + step.offset)
    last = after + len(step.payloads)
    rewrites = {sequence: b"blank" for sequence in step.rewrites if sequence <= last}
    return Batch(after, step.payloads, step.terminal and bool(step.payloads), rewrites)


async def _play(steps: Sequence[_Append | _Delete]) -> None:
    model: dict[str, list[Event]] = {"a": [], "b": []}
    async with _logs() as logs:
        for step in steps:
            events = model[step.run_id]
            if isinstance(step, _Delete):
                events.clear()
                await asyncio.gather(*(log.delete([step.run_id]) for log in logs))
            else:
                batch = _batch(step, events)
                expected = _apply(events, batch)
                assert [await _append(log, step.run_id, batch) for log in logs] == [expected] * len(logs)
            for log in logs:
                await _agrees(log, step.run_id, events)


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEPS, max_size=12))
def test_every_log_is_a_list_that_grows_is_rewritten_and_is_deleted(steps: Sequence[_Append | _Delete]) -> None:
    asyncio.run(_play(steps))
