"""Any sequence of appends and reads, on every log, against a list."""

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


_APPENDS = st.builds(
    _Append,
    run_id=st.sampled_from("ab"),
    offset=st.sampled_from([0, 0, 0, 0, -1, 1]),
    payloads=st.lists(st.binary(max_size=12), max_size=4),
    terminal=st.sampled_from([False] * 7 + [True]),
    rewrites=st.frozensets(st.integers(1, 12), max_size=3),
)


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


async def _play(appends: Sequence[_Append]) -> None:
    model: dict[str, list[Event]] = {"a": [], "b": []}
    async with _logs() as logs:
        for step in appends:
            after = max(0, len(model[step.run_id]) + step.offset)
            last = after + len(step.payloads)
            rewrites = {sequence: b"blank" for sequence in step.rewrites if sequence <= last}
            batch = Batch(after, step.payloads, step.terminal and bool(step.payloads), rewrites)
            expected = _apply(model[step.run_id], batch)
            for log in logs:
                assert await _append(log, step.run_id, batch) == expected
                await _agrees(log, step.run_id, model[step.run_id])


@settings(max_examples=40, deadline=None)
@given(st.lists(_APPENDS, max_size=12))
def test_every_log_is_a_list_that_only_grows_and_is_rewritten(appends: Sequence[_Append]) -> None:
    asyncio.run(_play(appends))
