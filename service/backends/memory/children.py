"""Profiles of children in memory."""

from collections.abc import Callable, Sequence

from fabula.child.v1 import child_pb2
from service.backends.changing import changed
from service.backends.memory.tables import Tables, copy_child
from service.runtime.stores import ChildQuery, ChildRecord


class MemoryChildren(Tables):
    """Implements ChildStore."""

    async def create_child(self, record: ChildRecord) -> None:
        if record.child.child_id in self._children:
            raise ValueError("a child with this child_id is stored")
        self._children[record.child.child_id] = copy_child(record)

    async def get_child(self, principal: str, child_id: str) -> child_pb2.Child | None:
        record = self._children.get(child_id)
        return None if record is None or record.principal != principal else copy_child(record).child

    async def update_child(
        self, principal: str, child_id: str, change: Callable[[child_pb2.Child], None]
    ) -> child_pb2.Child | None:
        stored = await self.get_child(principal, child_id)
        if stored is None:
            return None
        child = changed(stored, change)
        self._children[child_id] = copy_child(ChildRecord(child, principal))
        return child

    async def list_children(self, query: ChildQuery) -> Sequence[child_pb2.Child]:
        found = sorted((each for each in self._children.values() if _matches(each, query)), key=_age, reverse=True)
        return [copy_child(record).child for record in found[: query.limit]]


def _matches(record: ChildRecord, query: ChildQuery) -> bool:
    return record.principal == query.principal and (query.before is None or _age(record) < query.before)


def _age(record: ChildRecord) -> tuple[int, str]:
    return record.child.create_time.ToNanoseconds(), record.child.child_id
