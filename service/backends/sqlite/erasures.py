"""Erasing in SQLite."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from functools import partial

from service.backends.sqlite.part import Part
from service.backends.sqlite.runs import SELECT_RUNS, select_runs
from service.runtime.stores import Erasure, RunRecord, Subject

_RUNS: Mapping[Subject, str] = {
    Subject.CHILD: "WHERE principal = ? AND child_id = ?",
    Subject.SERIES: "WHERE principal = ? AND story_id = ?",
}
_ANY_RUN = "SELECT 1 FROM runs "
_DELETE_RUNS = "DELETE FROM runs "
_DELETE_ARTIFACTS = "DELETE FROM artifacts WHERE run_id IN (SELECT run_id FROM runs "
_BEGUN = "SELECT 1 FROM erasures WHERE principal = ? AND subject = ? AND id = ? AND finish_time_ns IS NULL"
_BEGIN = """INSERT INTO erasures (principal, subject, id, begin_time_ns) VALUES (?, ?, ?, ?)
    ON CONFLICT (principal, subject, id) DO UPDATE SET finish_time_ns = NULL"""
_FINISH = "UPDATE erasures SET finish_time_ns = ? WHERE principal = ? AND subject = ? AND id = ?"
_UNFINISHED = "SELECT principal, subject, id FROM erasures WHERE finish_time_ns IS NULL ORDER BY erasure_id"
_TAKE_CHILD = "DELETE FROM children WHERE principal = ? AND child_id = ?"
# The old runs by their index; whether their series lives on, by that of the stories.
EXPIRED = """SELECT DISTINCT principal, story_id FROM runs AS old INDEXED BY runs_by_age
    WHERE create_time_ns < ? AND story_id <> '' AND NOT EXISTS (
        SELECT 1 FROM runs AS other WHERE other.principal = old.principal AND other.story_id = old.story_id
        AND (other.create_time_ns >= ? OR other.state NOT IN (4, 5, 6)))
    LIMIT ?"""


class SqliteErasures(Part):
    """Implements ErasureStore."""

    async def begin_erasure(self, erasure: Erasure) -> bool:
        return await self._database.write(partial(_begin, erasure), deletes=True)

    async def unfinished_erasures(self) -> Sequence[Erasure]:
        return await self._database.read(_unfinished)

    async def runs_to_erase(self, erasure: Erasure) -> Sequence[RunRecord]:
        statement = SELECT_RUNS + _RUNS[erasure.subject]
        return await self._database.read(partial(select_runs, statement, (erasure.principal, erasure.id)))

    async def erase_runs(self, erasure: Erasure) -> None:
        await self._database.write(partial(_erase_runs, erasure), deletes=True)

    async def finish_erasure(self, erasure: Erasure) -> None:
        await self._database.write(partial(_finish, erasure))

    async def expired_series(self, before_ns: int, limit: int) -> Sequence[Erasure]:
        return await self._database.read(partial(_expired, before_ns, limit))

    async def scrub(self) -> None:
        await self._database.scrub()


def _key(erasure: Erasure) -> tuple[str, str, str]:
    return erasure.principal, erasure.subject.value, erasure.id


def _begin(erasure: Erasure, connection: sqlite3.Connection) -> bool:
    if connection.execute(_BEGUN, _key(erasure)).fetchone():
        return True
    if not _take(erasure, connection):
        return False
    connection.execute(_BEGIN, (*_key(erasure), time.time_ns()))
    return True


def _take(erasure: Erasure, connection: sqlite3.Connection) -> bool:
    """Whether there is such a child or series; the child's profile is deleted."""
    names = (erasure.principal, erasure.id)
    if erasure.subject is Subject.CHILD:
        return connection.execute(_TAKE_CHILD, names).rowcount == 1
    return connection.execute(_ANY_RUN + _RUNS[erasure.subject], names).fetchone() is not None


def _erase_runs(erasure: Erasure, connection: sqlite3.Connection) -> None:
    where, names = _RUNS[erasure.subject], (erasure.principal, erasure.id)
    connection.execute(f"{_DELETE_ARTIFACTS}{where})", names)
    connection.execute(_DELETE_RUNS + where, names)


def _finish(erasure: Erasure, connection: sqlite3.Connection) -> None:
    connection.execute(_FINISH, (time.time_ns(), *_key(erasure)))


def _unfinished(connection: sqlite3.Connection) -> Sequence[Erasure]:
    rows = connection.execute(_UNFINISHED).fetchall()
    return [Erasure(principal, Subject(subject), id_) for principal, subject, id_ in rows]


def _expired(before_ns: int, limit: int, connection: sqlite3.Connection) -> Sequence[Erasure]:
    rows = connection.execute(EXPIRED, (before_ns, before_ns, limit)).fetchall()
    return [Erasure(principal, Subject.SERIES, story_id) for principal, story_id in rows]
