"""What the runtime needs from outside beside its stores (`stores.py`): a log of events, and a codec per workflow.

Backends implement `EventLog`; workflows implement `Codec`. The contract of each method stands here, and the
contract suite in tests/service/backends holds every backend to it.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.message import Message

from fabula.run.v1 import run_pb2


@dataclass(frozen=True, slots=True)
class Event:
    """One committed event: its number, its bytes as they go over the wire, and whether it ends the run."""

    sequence: int
    payload: bytes
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class LogTail:
    """How far a run's log reaches: sequences `oldest` to `last`, both 0 before the first event."""

    oldest: int = 0
    last: int = 0
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What one append commits as a whole: new payloads after `after`, and new bytes for earlier sequences.

    `terminal` says that the last payload ends the run. `rewrites` replaces the payloads of sequences that exist by the
    end of this append; that is how withdrawn text leaves the log.
    """

    after: int
    payloads: Sequence[bytes]
    terminal: bool = False
    rewrites: Mapping[int, bytes] = field(default_factory=dict)


class LogConflictError(Exception):
    """The run's log does not end at `Batch.after`, or it has ended: somebody else wrote."""


class EventLog(Protocol):
    """The one place where writers and readers of a run meet. It numbers: sequences run from 1 without a gap.

    Every method raises StoreUnavailable when the log can't be reached.
    """

    async def append(self, run_id: str, batch: Batch) -> None:
        """Commits the batch, all or nothing, and returns once it is durable; payload i gets sequence after + 1 + i.

        Raises LogConflictError when the log of the run does not end at `batch.after` or has its terminal event, and
        StoreUnavailable when it can't be committed; ValueError for a terminal batch without a payload, or rewrites of
        what does not exist. An append whose caller is cancelled may still be committed.
        """

    async def read(self, run_id: str, after: int, limit: int) -> Sequence[Event]:
        """The committed events with sequence > after, in order, at most `limit`; empty when there are none."""

    async def wait(self, run_id: str, after: int) -> None:
        """Returns once an event with sequence > after is committed. Cancelling it is how a reader stops to wait."""

    async def tails(self, run_ids: Sequence[str]) -> Mapping[str, LogTail]:
        """How far each run's log reaches; LogTail() for a run without events. Every id asked for is a key."""

    async def delete(self, run_ids: Sequence[str]) -> None:
        """Deletes the events of runs that nobody writes any more; who waits for one of theirs is woken by it."""

    async def scrub(self) -> None:
        """Returns once nothing that was deleted before is left in the log's files, write-ahead log included.

        Does nothing when nothing was deleted since the last one. Raises StoreUnavailable when it can't be done.
        """


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every event carries beside its body."""

    sequence: int
    emit_time_ns: int
    progress_percent: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event's bytes, and the new bytes of the earlier events that it withdraws, by sequence."""

    payload: bytes
    rewrites: Mapping[int, bytes] = field(default_factory=dict)


class Encoder(Protocol):
    """Encodes the events of one run, in order; it remembers what it needs to withdraw text later."""

    def encode(self, body: Message, envelope: Envelope) -> Encoded:
        """The event with this body. Raises TypeError for a body that the workflow's event has no field for."""

    def restore(self, payload: bytes) -> int:
        """Learns from an event of the log as if it had encoded it; returns its progress_percent."""


class Codec(Protocol):
    """The bytes of one workflow's events. Every codec encodes fabula.run.v1.RunError as the terminal error."""

    @property
    def workflow(self) -> str:
        """The workflow's name, as in Run.workflow."""

    def encoder(self, run_id: str) -> Encoder:
        """A new encoder for a run."""

    def error(self, payload: bytes) -> run_pb2.RunError | None:
        """The error of a terminal event; None when the run succeeded."""


class Emitter(Protocol):
    """How a run's job speaks."""

    @property
    def run_id(self) -> str:
        """The run."""

    async def emit(self, body: Message, progress_percent: int = 0) -> None:
        """Queues an event; waits while the queue is full. Progress never falls: a lower value keeps the last one.

        Raises StoreUnavailable or LogConflictError when an earlier event could not be committed.
        """


Job = Callable[[Emitter], Coroutine[None, None, Message]]
"""A run's work: emits events and returns the body of its terminal event. It ends soon after it is cancelled."""
