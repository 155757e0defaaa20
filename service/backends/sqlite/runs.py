"""Runs in SQLite."""

import sqlite3
from collections.abc import Sequence
from functools import partial

from fabula.run.v1 import run_pb2
from service.backends.sqlite.part import Part
from service.backends.tombstones import refusals
from service.errors import FabulaError
from service.runtime.run import CANCELLED, FAILED
from service.runtime.stores import Erasure, RunQuery, RunRecord

SELECT_RUNS = "SELECT message, principal, fingerprint FROM runs "
_BY_REQUEST = SELECT_RUNS + "WHERE principal = ? AND request_id = ? AND request_id <> ''"
_BY_ID = SELECT_RUNS + "WHERE run_id = ?"
_UNFINISHED = SELECT_RUNS + "WHERE state NOT IN (4, 5, 6) ORDER BY create_time_ns"
_INSERT = """INSERT INTO runs
    (run_id, principal, request_id, fingerprint, child_id, story_id, state, create_time_ns, message)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"""
_UPDATE = """UPDATE runs SET child_id = ?, story_id = ?, state = ?, create_time_ns = ?, message = ?
    WHERE run_id = ? AND state = ?"""
_LOSE_ARTIFACT = "DELETE FROM artifacts WHERE run_id = ?"
_ERASED = "SELECT 1 FROM erasures WHERE principal = ? AND subject = ? AND id = ?"

_Row = tuple[bytes, str, bytes]


class SqliteRuns(Part):
    """Implements RunStore."""

    async def create_run(self, record: RunRecord) -> RunRecord:
        work = partial(_create, _row(record), record.run.request_id, refusals(record))
        return await self._database.write(work)

    async def find_run(self, principal: str, request_id: str) -> RunRecord | None:
        found = await self._database.read(partial(select_runs, _BY_REQUEST, (principal, request_id)))
        return found[0] if found else None

    async def get_run(self, run_id: str) -> RunRecord | None:
        found = await self._database.read(partial(select_runs, _BY_ID, (run_id,)))
        return found[0] if found else None

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        values = (*_columns(run), run.run_id, expected)
        loser = run.run_id if run.state in (FAILED, CANCELLED) else ""
        changed, _ = await self._database.write(partial(_update, values, loser), self._updated)
        return changed

    def _updated(self, result: tuple[bool, bool]) -> None:
        _, lost = result
        if lost:
            self._database.note_deletion()

    async def list_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        return await self._database.read(partial(select_runs, *_listing(query)))

    async def unfinished_runs(self) -> Sequence[RunRecord]:
        return await self._database.read(partial(select_runs, _UNFINISHED, ()))


def _columns(run: run_pb2.Run) -> tuple[object, ...]:
    """What queries need to know of the message, and the message."""
    return run.child_id, run.story_id, run.state, run.create_time.ToNanoseconds(), run.SerializeToString()


def _row(record: RunRecord) -> tuple[object, ...]:
    run = record.run
    return run.run_id, record.principal, run.request_id, record.fingerprint, *_columns(run)


def _create(
    row: tuple[object, ...],
    request_id: str,
    refused: Sequence[tuple[Erasure, FabulaError]],
    connection: sqlite3.Connection,
) -> RunRecord:
    run_id, principal = row[:2]
    for erasure, refusal in refused:
        if connection.execute(_ERASED, (principal, erasure.subject.value, erasure.id)).fetchone():
            raise refusal
    if request_id and (stored := select_runs(_BY_REQUEST, (principal, request_id), connection)):
        return stored[0]
    if connection.execute(_INSERT, row).rowcount == 0:
        raise ValueError("a run with this run_id is stored")
    return select_runs(_BY_ID, (run_id,), connection)[0]


def _update(values: tuple[object, ...], loser: str, connection: sqlite3.Connection) -> tuple[bool, bool]:
    """Whether the run was changed, and whether it lost an artifact."""
    if connection.execute(_UPDATE, values).rowcount == 0:
        return False, False
    return True, bool(loser) and connection.execute(_LOSE_ARTIFACT, (loser,)).rowcount == 1


def _listing(query: RunQuery) -> tuple[str, tuple[object, ...]]:
    """The statement for a page, and its values; every condition is a fixed text."""
    conditions = ["principal = ?"]
    values: list[object] = [query.principal]
    if query.child_id:
        conditions.append("child_id = ?")
        values.append(query.child_id)
    if query.state:
        conditions.append("state = ?")
        values.append(query.state)
    if query.before is not None:
        conditions.append("(create_time_ns, run_id) < (?, ?)")
        values.extend(query.before)
    where = " AND ".join(conditions)
    return f"{SELECT_RUNS}WHERE {where} ORDER BY create_time_ns DESC, run_id DESC LIMIT ?", (*values, query.limit)


def select_runs(statement: str, values: tuple[object, ...], connection: sqlite3.Connection) -> Sequence[RunRecord]:
    """The runs that a statement finds, which begins with SELECT_RUNS."""
    rows: list[_Row] = connection.execute(statement, values).fetchall()
    return [RunRecord(run_pb2.Run.FromString(message), principal, mark) for message, principal, mark in rows]
