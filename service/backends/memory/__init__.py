"""Log and store in the memory of this process: for trying things out and for tests. They grow, and end with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service.backends.memory.log import MemoryEventLog
from service.backends.memory.store import MemoryStore
from service.backends.source import Options, Source
from service.runtime.ports import EventLog
from service.runtime.stores import ChildRecord, Store

__all__ = ["MemoryEventLog", "MemoryStore", "locate", "open_source"]


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
    def __init__(self, fresh_children: Sequence[ChildRecord]) -> None:
        self._log = MemoryEventLog()
        self._store = MemoryStore(fresh_children)

    def event_log(self) -> EventLog:
        return self._log

    def store(self) -> Store:
        return self._store
