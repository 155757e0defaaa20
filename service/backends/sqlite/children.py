"""Profiles of children in SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from fabula.child.v1 import child_pb2
from service.backends.changing import changed
from service.backends.sqlite.part import Part
from service.backends.sqlite.schema import insert_child
from service.runtime.stores import ChildQuery, ChildRecord

_SELECT = "SELECT message FROM children "
_BY_ID = _SELECT + "WHERE child_id = ? AND principal = ?"
_PAGE = _SELECT + "WHERE principal = ? ORDER BY create_time_ns DESC, child_id DESC LIMIT ?"
_NEXT_PAGE = (
    _SELECT
    + "WHERE principal = ? AND (create_time_ns, child_id) < (?, ?) ORDER BY create_time_ns DESC, child_id DESC LIMIT ?"
)
_UPDATE = "UPDATE children SET message = ? WHERE child_id = ? AND principal = ?"

Change = Callable[[child_pb2.Child], None]


class SqliteChildren(Part):
    """Implements ChildStore."""

    async def create_child(self, record: ChildRecord) -> None:
        child = child_pb2.Child()
        child.CopyFrom(record.child)  # the caller may change its own while this waits
        if not await self._database.write(partial(insert_child, ChildRecord(child, record.principal))):
            raise ValueError("a child with this child_id is stored")

    async def get_child(self, principal: str, child_id: str) -> child_pb2.Child | None:
        found = await self._database.read(partial(_select, _BY_ID, (child_id, principal)))
        return found[0] if found else None

    async def update_child(self, principal: str, child_id: str, change: Change) -> child_pb2.Child | None:
        return await self._database.write(partial(_update, principal, child_id, change))

    async def list_children(self, query: ChildQuery) -> Sequence[child_pb2.Child]:
        if query.before is None:
            return await self._database.read(partial(_select, _PAGE, (query.principal, query.limit)))
        values = (query.principal, *query.before, query.limit)
        return await self._database.read(partial(_select, _NEXT_PAGE, values))


def _update(principal: str, child_id: str, change: Change, connection: sqlite3.Connection) -> child_pb2.Child | None:
    found = _select(_BY_ID, (child_id, principal), connection)
    if not found:
        return None
    child = changed(found[0], change)
    connection.execute(_UPDATE, (child.SerializeToString(), child_id, principal))
    return child


def _select(statement: str, values: tuple[object, ...], connection: sqlite3.Connection) -> Sequence[child_pb2.Child]:
    rows: list[tuple[bytes]] = connection.execute(statement, values).fetchall()
    return [child_pb2.Child.FromString(message) for (message,) in rows]
