"""The store of runs and children in SQLite."""

import sqlite3
from collections.abc import Sequence
from functools import partial

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from service.backends.sqlite.database import Database
from service.runtime.ports import RunQuery, RunRecord
from service.runtime.run import SUCCEEDED

_SELECT = "SELECT message, principal, fingerprint FROM runs "
_BY_REQUEST = _SELECT + "WHERE principal = ? AND request_id = ? AND request_id <> ''"
_BY_ID = _SELECT + "WHERE run_id = ?"
_UNFINISHED = _SELECT + "WHERE state NOT IN (4, 5, 6) ORDER BY create_time_ns"
_INSERT = """INSERT INTO runs
    (run_id, principal, request_id, fingerprint, child_id, story_id, state, create_time_ns, message)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"""
_UPDATE = """UPDATE runs SET child_id = ?, story_id = ?, state = ?, create_time_ns = ?, message = ?
    WHERE run_id = ? AND state = ?"""
_HAS_STORY = "SELECT 1 FROM runs WHERE principal = ? AND story_id = ? AND state = ? LIMIT 1"
_CHILD = "SELECT message FROM children WHERE child_id = ?"

_Row = tuple[bytes, str, bytes]


class SqliteStore:
    """Implements Store. A read sees every write that was answered before it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_run(self, record: RunRecord) -> RunRecord:
        return await self._database.write(partial(_create, _row(record), record.run.request_id))

    async def find_run(self, principal: str, request_id: str) -> RunRecord | None:
        found = await self._database.read(partial(_select, _BY_REQUEST, (principal, request_id)))
        return found[0] if found else None

    async def get_run(self, run_id: str) -> RunRecord | None:
        found = await self._database.read(partial(_select, _BY_ID, (run_id,)))
        return found[0] if found else None

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        return await self._database.write(partial(_update, (*_columns(run), run.run_id, expected)))

    async def list_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        return await self._database.read(partial(_select, *_listing(query)))

    async def unfinished_runs(self) -> Sequence[RunRecord]:
        return await self._database.read(partial(_select, _UNFINISHED, ()))

    async def has_story(self, principal: str, story_id: str) -> bool:
        row = await self._database.read(partial(_first, _HAS_STORY, (principal, story_id, SUCCEEDED)))
        return row is not None

    async def get_child(self, child_id: str) -> child_pb2.Child | None:
        row = await self._database.read(partial(_first, _CHILD, (child_id,)))
        return None if row is None else child_pb2.Child.FromString(row[0])


def _columns(run: run_pb2.Run) -> tuple[object, ...]:
    """What queries need to know of the message, and the message."""
    return run.child_id, run.story_id, run.state, run.create_time.ToNanoseconds(), run.SerializeToString()


def _row(record: RunRecord) -> tuple[object, ...]:
    run = record.run
    return run.run_id, record.principal, run.request_id, record.fingerprint, *_columns(run)


def _create(row: tuple[object, ...], request_id: str, connection: sqlite3.Connection) -> RunRecord:
    run_id, principal = row[:2]
    if request_id and (stored := _select(_BY_REQUEST, (principal, request_id), connection)):
        return stored[0]
    if connection.execute(_INSERT, row).rowcount == 0:
        raise ValueError("a run with this run_id is stored")
    return _select(_BY_ID, (run_id,), connection)[0]


def _update(values: tuple[object, ...], connection: sqlite3.Connection) -> bool:
    return connection.execute(_UPDATE, values).rowcount == 1


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
    return f"{_SELECT}WHERE {where} ORDER BY create_time_ns DESC, run_id DESC LIMIT ?", (*values, query.limit)


def _select(statement: str, values: tuple[object, ...], connection: sqlite3.Connection) -> Sequence[RunRecord]:
    rows: list[_Row] = connection.execute(statement, values).fetchall()
    return [RunRecord(run_pb2.Run.FromString(message), principal, mark) for message, principal, mark in rows]


def _first(statement: str, values: tuple[object, ...], connection: sqlite3.Connection) -> tuple[bytes] | None:
    row: tuple[bytes] | None = connection.execute(statement, values).fetchone()
    return row
