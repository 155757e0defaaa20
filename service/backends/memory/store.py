"""The store in memory, of its parts."""

from service.backends.memory.artifacts import MemoryArtifacts
from service.backends.memory.children import MemoryChildren
from service.backends.memory.erasures import MemoryErasures
from service.backends.memory.runs import MemoryRuns


class MemoryStore(MemoryRuns, MemoryChildren, MemoryArtifacts, MemoryErasures):
    """Implements Store."""
