"""Runs in memory."""

from collections.abc import Sequence

from fabula.run.v1 import run_pb2
from service.backends.memory.tables import Tables, copy_run
from service.backends.tombstones import refusals
from service.runtime.run import CANCELLED, END_STATES, FAILED
from service.runtime.stores import RunQuery, RunRecord


class MemoryRuns(Tables):
    """Implements RunStore."""

    async def create_run(self, record: RunRecord) -> RunRecord:
        for erasure, refusal in refusals(record):
            if erasure in self._erasures:
                raise refusal
        if (stored := await self.find_run(record.principal, record.run.request_id)) is not None:
            return stored
        if record.run.run_id in self._runs:
            raise ValueError("a run with this run_id is stored")
        self._runs[record.run.run_id] = copy_run(record)
        if record.run.request_id:
            self._by_request[record.principal, record.run.request_id] = record.run.run_id
        return copy_run(record)

    async def find_run(self, principal: str, request_id: str) -> RunRecord | None:
        run_id = self._by_request.get((principal, request_id))
        return None if run_id is None else await self.get_run(run_id)

    async def get_run(self, run_id: str) -> RunRecord | None:
        record = self._runs.get(run_id)
        return None if record is None else copy_run(record)

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        stored = self._runs.get(run.run_id)
        if stored is None or stored.run.state != expected:
            return False
        self._runs[run.run_id] = copy_run(RunRecord(run, stored.principal, stored.fingerprint))
        if run.state in (FAILED, CANCELLED):
            self._artifacts.pop(run.run_id, None)
        return True

    async def list_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        found = sorted((record for record in self._runs.values() if _matches(record, query)), key=_age, reverse=True)
        return [copy_run(record) for record in found[: query.limit]]

    async def unfinished_runs(self) -> Sequence[RunRecord]:
        return [copy_run(record) for record in self._runs.values() if record.run.state not in END_STATES]


def _matches(record: RunRecord, query: RunQuery) -> bool:
    return (
        record.principal == query.principal
        and query.child_id in ("", record.run.child_id)
        and query.state in (run_pb2.RUN_STATE_UNSPECIFIED, record.run.state)
        and (query.before is None or _age(record) < query.before)
    )


def _age(record: RunRecord) -> tuple[int, str]:
    return record.run.create_time.ToNanoseconds(), record.run.run_id
