"""The event log in SQLite."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial

from service.backends.entry import Entry, follow, number
from service.backends.sqlite.database import Database
from service.backends.sqlite.hot import HotEvents, HotLimits
from service.backends.waiters import Waiters
from service.errors import StoreUnavailable
from service.runtime.ports import Batch, Event, LogConflictError, LogTail

_INSERT = "INSERT INTO events (run_id, sequence, terminal, payload) VALUES (?, ?, ?, ?)"
_REWRITE = "UPDATE events SET payload = ? WHERE run_id = ? AND sequence = ?"
_DELETE = "DELETE FROM events WHERE run_id IN (SELECT value FROM json_each(?))"
_READ = "SELECT sequence, payload, terminal FROM events WHERE run_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"
# Three seeks per run: an aggregate over the rows would read every event of a run.
_TAILS = """SELECT ids.value,
    (SELECT min(sequence) FROM events WHERE run_id = ids.value),
    (SELECT max(sequence) FROM events WHERE run_id = ids.value),
    (SELECT terminal FROM events WHERE run_id = ids.value ORDER BY sequence DESC LIMIT 1)
    FROM json_each(?) AS ids"""

_DELETED_AT_ONCE = 8
"""Runs; each has some hundred events."""


class SqliteEventLog:
    """Implements EventLog. Live readers are served from memory, and woken, only after the commit."""

    def __init__(self, database: Database, limits: HotLimits | None = None) -> None:
        self._database = database
        self._hot = HotEvents(limits or HotLimits())
        self._waiters = Waiters()

    async def append(self, run_id: str, batch: Batch) -> None:
        entry = number(batch)
        try:
            await self._database.write(partial(_append, run_id, entry), partial(self._committed, run_id, entry))
        except (StoreUnavailable, LogConflictError):
            self._hot.forget(run_id)  # a commit that failed may be on the disk all the same: only the database knows
            raise

    async def read(self, run_id: str, after: int, limit: int) -> Sequence[Event]:
        hot = self._hot.read(run_id, after, limit)
        return hot if hot is not None else await self._database.read(partial(_read, run_id, after, limit))

    async def wait(self, run_id: str, after: int) -> None:
        with self._waiters.enter(run_id, after) as woken:
            if (await self.tails([run_id]))[run_id].last <= after:
                await woken

    async def tails(self, run_ids: Sequence[str]) -> Mapping[str, LogTail]:
        hot = {run_id: tail for run_id in run_ids if (tail := self._hot.tail(run_id)) is not None}
        cold = [run_id for run_id in run_ids if run_id not in hot]
        return {**hot, **(await self._database.read(partial(_tails, cold)))} if cold else hot

    async def delete(self, run_ids: Sequence[str]) -> None:
        # A few at a time: a long delete would hold up everybody who writes.
        for start in range(0, len(run_ids), _DELETED_AT_ONCE):
            await self._delete(run_ids[start : start + _DELETED_AT_ONCE])

    async def scrub(self) -> None:
        await self._database.scrub()

    async def _delete(self, run_ids: Sequence[str]) -> None:
        forget = partial(self._forget, run_ids)
        try:
            await self._database.write(partial(_delete, json.dumps(run_ids)), forget, deletes=True)
        except StoreUnavailable:
            forget(None)  # as above
            raise

    def _forget(self, run_ids: Sequence[str], _: None) -> None:
        for run_id in run_ids:
            self._hot.forget(run_id)
            self._waiters.wake_all(run_id)

    def _committed(self, run_id: str, entry: Entry, tail: LogTail) -> None:
        self._hot.extend(run_id, entry, tail)
        self._waiters.wake(run_id, tail.last)


def _append(run_id: str, entry: Entry, connection: sqlite3.Connection) -> LogTail:
    tail = follow(_tails([run_id], connection)[run_id], entry)
    connection.executemany(_INSERT, [(run_id, event.sequence, event.terminal, event.payload) for event in entry.events])
    connection.executemany(_REWRITE, [(payload, run_id, sequence) for sequence, payload in entry.rewrites.items()])
    return tail


def _delete(run_ids: str, connection: sqlite3.Connection) -> None:
    connection.execute(_DELETE, (run_ids,))


def _read(run_id: str, after: int, limit: int, connection: sqlite3.Connection) -> Sequence[Event]:
    rows = connection.execute(_READ, (run_id, after, limit)).fetchall()
    return [Event(sequence, payload, bool(terminal)) for sequence, payload, terminal in rows]


def _tails(run_ids: Sequence[str], connection: sqlite3.Connection) -> Mapping[str, LogTail]:
    rows = connection.execute(_TAILS, (json.dumps(run_ids),)).fetchall()
    return {run_id: LogTail(oldest or 0, last or 0, bool(terminal)) for run_id, oldest, last, terminal in rows}
