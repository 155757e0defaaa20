"""What the runtime needs of a store: runs, children, what runs made, and the erasing of any of them.

Backends implement `Store`. The contract of each method stands here, and the contract suite in tests/service/backends
holds every backend to it. Messages that go in or come out are the caller's own: a store keeps copies. Every method
raises StoreUnavailable when the store can't be reached.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it is stored: the message that callers see, whose it is, and the fingerprint of its request."""

    run: run_pb2.Run
    principal: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class RunQuery:
    """A page of a principal's runs, newest first; `before` is the (create_time in ns, run_id) that it starts after."""

    principal: str
    limit: int
    child_id: str = ""
    state: "run_pb2.RunState.ValueType" = run_pb2.RUN_STATE_UNSPECIFIED
    before: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class ChildRecord:
    """A child's profile as it is stored, and whose it is."""

    child: child_pb2.Child
    principal: str


@dataclass(frozen=True, slots=True)
class ChildQuery:
    """A page of a principal's children, newest first; `before` is the (create_time in ns, child_id) it starts after."""

    principal: str
    limit: int
    before: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a run made and is kept, for example a chapter. It is there for others once its run has SUCCEEDED.

    A series is what belongs together: the chapters of a story. `first` marks the one artifact that began the series.
    The payload is the workflow's own; principal and child are the run's.
    """

    run_id: str
    series_id: str
    first: bool
    create_time_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Series:
    """A series as lists show it: its first artifact, its newest one, and the child of the run that made the first."""

    child_id: str
    first: Artifact
    newest: Artifact


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """A page of a principal's series, newest beginning first; `before` is the (create_time_ns of the first artifact,
    series_id) that it starts after."""

    principal: str
    limit: int
    child_id: str = ""
    before: tuple[int, str] | None = None


class Subject(Enum):
    """What an erasure erases."""

    CHILD = "child"
    SERIES = "series"


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasing of a principal's child, or series, with the runs that served it and all that belongs to them."""

    principal: str
    subject: Subject
    id: str


class RunStore(Protocol):
    """Runs."""

    async def create_run(self, record: RunRecord) -> RunRecord:
        """Stores a run, or returns the one stored before under the same principal and non-empty request_id.

        Raises ChildNotFound or StoryNotFound when the run's child or story (Run.story_id, its series) was erased or is
        being erased, also for one that was stored before, and ValueError when the run_id is stored already under
        another request.
        """

    async def find_run(self, principal: str, request_id: str) -> RunRecord | None:
        """The run stored under this principal and non-empty request_id, or None."""

    async def get_run(self, run_id: str) -> RunRecord | None:
        """The run, or None."""

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        """Replaces the run's message if its stored state is `expected`; False, and no change, if it is not.

        A run that goes into FAILED or CANCELLED loses its artifact with it.
        """

    async def list_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        """At most `query.limit` runs, newest first by (create_time, run_id)."""

    async def unfinished_runs(self) -> Sequence[RunRecord]:
        """Every run whose state is not an end state."""


class ChildStore(Protocol):
    """Profiles of children. A foreign child is as a missing one."""

    async def create_child(self, record: ChildRecord) -> None:
        """Stores a profile. Raises ValueError when its child_id is stored already."""

    async def get_child(self, principal: str, child_id: str) -> child_pb2.Child | None:
        """The child's profile, or None."""

    async def update_child(
        self, principal: str, child_id: str, change: Callable[[child_pb2.Child], None]
    ) -> child_pb2.Child | None:
        """Changes the profile by `change`, atomically; returns it changed, or None when there is none.

        `change` may run in another thread; what it raises is raised here, and nothing is changed then. child_id and
        create_time stay as they are.
        """

    async def list_children(self, query: ChildQuery) -> Sequence[child_pb2.Child]:
        """At most `query.limit` profiles, newest first by (create_time, child_id)."""


class ArtifactStore(Protocol):
    """What runs made."""

    async def keep(self, artifact: Artifact) -> None:
        """Stores what a run made, in place of what it stored before. Raises RunNotFound when the run is not stored."""

    async def artifacts(self, principal: str, series_id: str) -> Sequence[Artifact]:
        """What succeeded runs of this principal made in the series, in the order of (create_time_ns, run_id)."""

    async def list_series(self, query: SeriesQuery) -> Sequence[Series]:
        """At most `query.limit` series whose first artifact is of a succeeded run, newest beginning first."""


class ErasureStore(Protocol):
    """Erasing: begun, carried out by `runtime.eraser`, then finished; a crash in between loses none."""

    async def begin_erasure(self, erasure: Erasure) -> bool:
        """Marks it as begun and deletes the child's profile with it; from then on `create_run` refuses new runs.

        True as well for one that was begun and is not finished. False, and no change, when the principal has no such
        child, or no run of such a series.
        """

    async def unfinished_erasures(self) -> Sequence[Erasure]:
        """Those begun and not finished, oldest first."""

    async def runs_to_erase(self, erasure: Erasure) -> Sequence[RunRecord]:
        """The stored runs that it takes: those of the child, or those of the series."""

    async def erase_runs(self, erasure: Erasure) -> None:
        """Deletes those runs and their artifacts. Their events go first: after this nothing names them any more."""

    async def finish_erasure(self, erasure: Erasure) -> None:
        """Marks it as finished. Only after a `scrub` that followed the deletions; its mark is kept for ever."""

    async def expired_series(self, before_ns: int, limit: int) -> Sequence[Erasure]:
        """At most `limit` series whose newest run was created before this time and of which no run is unfinished.

        Of a series no chapter was told in, too: its failed runs are data as well. A run without a story_id is of none.
        """

    async def scrub(self) -> None:
        """Returns once nothing that was deleted before is left in the store's files, write-ahead log included.

        Does nothing when nothing was deleted since the last one. Raises StoreUnavailable when it can't be done.
        """


class Store(RunStore, ChildStore, ArtifactStore, ErasureStore, Protocol):
    """All of it, in one place."""
