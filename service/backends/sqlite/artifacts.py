"""What runs made, in SQLite."""

import sqlite3
from collections.abc import Sequence
from functools import partial

from service.backends.sqlite.part import Part
from service.errors import RunNotFound
from service.runtime.stores import Artifact, Series, SeriesQuery

_KEEP = """INSERT INTO artifacts (run_id, principal, child_id, series_id, first, create_time_ns, payload)
    SELECT run_id, principal, child_id, ?, ?, ?, ? FROM runs WHERE run_id = ?
    ON CONFLICT (run_id) DO UPDATE SET series_id = excluded.series_id, first = excluded.first,
    create_time_ns = excluded.create_time_ns, payload = excluded.payload"""
# CROSS JOIN keeps the order of the tables: from the few artifacts to their runs, never the other way round. Its state 4
# is SUCCEEDED of fabula.run.v1.RunState.
OF_SERIES = """SELECT made.run_id, made.series_id, made.first, made.create_time_ns, made.payload
    FROM artifacts AS made CROSS JOIN runs ON runs.run_id = made.run_id AND runs.state = 4
    WHERE made.principal = ? AND made.series_id = ? ORDER BY made.create_time_ns, made.run_id"""
_LIST = """SELECT begun.child_id,
    begun.run_id, begun.series_id, begun.first, begun.create_time_ns, begun.payload,
    newest.run_id, newest.series_id, newest.first, newest.create_time_ns, newest.payload
    FROM artifacts AS begun
    CROSS JOIN runs ON runs.run_id = begun.run_id AND runs.state = 4
    CROSS JOIN artifacts AS newest ON newest.artifact_id = (
        SELECT made.artifact_id FROM artifacts AS made
        CROSS JOIN runs AS maker ON maker.run_id = made.run_id AND maker.state = 4
        WHERE made.principal = begun.principal AND made.series_id = begun.series_id
        ORDER BY made.create_time_ns DESC, made.run_id DESC LIMIT 1)"""


class SqliteArtifacts(Part):
    """Implements ArtifactStore."""

    async def keep(self, artifact: Artifact) -> None:
        made = (artifact.series_id, artifact.first, artifact.create_time_ns, artifact.payload, artifact.run_id)
        if not await self._database.write(lambda connection: connection.execute(_KEEP, made).rowcount):
            raise RunNotFound("There is no such run: it was erased.")

    async def artifacts(self, principal: str, series_id: str) -> Sequence[Artifact]:
        return await self._database.read(partial(_of_series, principal, series_id))

    async def list_series(self, query: SeriesQuery) -> Sequence[Series]:
        return await self._database.read(partial(_list, *series_listing(query)))


def series_listing(query: SeriesQuery) -> tuple[str, tuple[object, ...]]:
    """The statement for a page, and its values; every condition is a fixed text."""
    conditions = ["begun.first = 1", "begun.principal = ?"]
    values: list[object] = [query.principal]
    if query.child_id:
        conditions.append("begun.child_id = ?")
        values.append(query.child_id)
    if query.before is not None:
        conditions.append("(begun.create_time_ns, begun.series_id) < (?, ?)")
        values.extend(query.before)
    where = " AND ".join(conditions)
    order = "begun.create_time_ns DESC, begun.series_id DESC"
    return f"{_LIST} WHERE {where} ORDER BY {order} LIMIT ?", (*values, query.limit)


def _of_series(principal: str, series_id: str, connection: sqlite3.Connection) -> Sequence[Artifact]:
    return [_artifact(*row) for row in connection.execute(OF_SERIES, (principal, series_id)).fetchall()]


def _list(statement: str, values: tuple[object, ...], connection: sqlite3.Connection) -> Sequence[Series]:
    rows = connection.execute(statement, values).fetchall()
    return [Series(row[0], _artifact(*row[1:6]), _artifact(*row[6:])) for row in rows]


def _artifact(run_id: str, series_id: str, first: int, create_time_ns: int, payload: bytes) -> Artifact:
    return Artifact(run_id, series_id, bool(first), create_time_ns, payload)
