"""Log and store in the memory of this process: for trying things out and for tests. They grow, and end with it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from service.backends.entry import follow, number
from service.backends.source import Options, Source
from service.backends.waiters import Waiters
from service.runtime.ports import Batch, Event, EventLog, LogTail, RunQuery, RunRecord, Store
from service.runtime.run import END_STATES, SUCCEEDED


def locate(url: str) -> str:
    """There is one form; every source in memory is a new one."""
    if url.lower() not in ("memory:", "memory://"):
        raise ValueError("names a place, and memory has none")
    return ""


@asynccontextmanager
async def open_source(_location: str, options: Options) -> AsyncIterator[Source]:
    """A new, empty source with the fresh children."""
    yield _Memory(options.fresh_children)


class _Memory:
    def __init__(self, fresh_children: Sequence[child_pb2.Child]) -> None:
        self._log = MemoryEventLog()
        self._store = MemoryStore(fresh_children)

    def event_log(self) -> EventLog:
        return self._log

    def store(self) -> Store:
        return self._store


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

    def _tail(self, run_id: str) -> LogTail:
        events = self._events.get(run_id)
        return LogTail(1, events[-1].sequence, events[-1].terminal) if events else LogTail()


class MemoryStore:
    """Implements Store. No method suspends between looking and writing: that makes each atomic."""

    def __init__(self, fresh_children: Sequence[child_pb2.Child] = ()) -> None:
        self._runs: dict[str, RunRecord] = {}
        self._by_request: dict[tuple[str, str], str] = {}
        self._children = {child.child_id: _copy_child(child) for child in fresh_children}

    async def create_run(self, record: RunRecord) -> RunRecord:
        if (stored := await self.find_run(record.principal, record.run.request_id)) is not None:
            return stored
        if record.run.run_id in self._runs:
            raise ValueError("a run with this run_id is stored")
        self._runs[record.run.run_id] = _copy(record)
        if record.run.request_id:
            self._by_request[record.principal, record.run.request_id] = record.run.run_id
        return _copy(record)

    async def find_run(self, principal: str, request_id: str) -> RunRecord | None:
        run_id = self._by_request.get((principal, request_id))
        return None if run_id is None else await self.get_run(run_id)

    async def get_run(self, run_id: str) -> RunRecord | None:
        record = self._runs.get(run_id)
        return None if record is None else _copy(record)

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        stored = self._runs.get(run.run_id)
        if stored is None or stored.run.state != expected:
            return False
        self._runs[run.run_id] = _copy(RunRecord(run, stored.principal, stored.fingerprint))
        return True

    async def list_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        found = sorted((record for record in self._runs.values() if _matches(record, query)), key=_age, reverse=True)
        return [_copy(record) for record in found[: query.limit]]

    async def unfinished_runs(self) -> Sequence[RunRecord]:
        return [_copy(record) for record in self._runs.values() if record.run.state not in END_STATES]

    async def has_story(self, principal: str, story_id: str) -> bool:
        return any(
            record.principal == principal and record.run.story_id == story_id and record.run.state == SUCCEEDED
            for record in self._runs.values()
        )

    async def get_child(self, child_id: str) -> child_pb2.Child | None:
        child = self._children.get(child_id)
        return None if child is None else _copy_child(child)


def _matches(record: RunRecord, query: RunQuery) -> bool:
    return (
        record.principal == query.principal
        and query.child_id in ("", record.run.child_id)
        and query.state in (run_pb2.RUN_STATE_UNSPECIFIED, record.run.state)
        and (query.before is None or _age(record) < query.before)
    )


def _age(record: RunRecord) -> tuple[int, str]:
    return record.run.create_time.ToNanoseconds(), record.run.run_id


def _copy(record: RunRecord) -> RunRecord:
    run = run_pb2.Run()
    run.CopyFrom(record.run)
    return RunRecord(run, record.principal, record.fingerprint)


def _copy_child(child: child_pb2.Child) -> child_pb2.Child:
    copied = child_pb2.Child()
    copied.CopyFrom(child)
    return copied
