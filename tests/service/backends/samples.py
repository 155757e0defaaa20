"""Runs, children and batches as the tests of the backends need them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from service.runtime.ports import Batch, Event, EventLog
from service.runtime.run import RUNNING, timestamp
from service.runtime.stores import Artifact, ChildRecord, RunRecord

CHILDREN = (
    ChildRecord(child_pb2.Child(child_id="1", nickname="Mia", age=6, interests=["dinosaurs"]), "house"),
    ChildRecord(child_pb2.Child(child_id="2", nickname="Noé", age=9), "other"),
)


def record(run_id: str, principal: str = "house", fingerprint: bytes = b"\x00mark", **fields: object) -> RunRecord:
    """A running run; `create_time_ns` and the fields of Run may be given."""
    create_time_ns = fields.pop("create_time_ns", 1)
    assert isinstance(create_time_ns, int)
    run = run_pb2.Run(run_id=run_id, workflow="story", state=RUNNING, child_id="1", story_id="tale")
    run.create_time.CopyFrom(timestamp(create_time_ns))
    for name, value in fields.items():
        setattr(run, name, value)
    return RunRecord(run, principal, fingerprint)


def child_record(child_id: str, principal: str = "house", create_time_ns: int = 1, **fields: Any) -> ChildRecord:
    """A child; the fields of Child may be given."""
    child = child_pb2.Child(child_id=child_id, nickname="Mia", age=6, **fields)
    child.create_time.CopyFrom(timestamp(create_time_ns))
    return ChildRecord(child, principal)


def artifact(run_id: str, series_id: str = "tale", create_time_ns: int = 1, *, first: bool = False) -> Artifact:
    """What a run made."""
    return Artifact(run_id, series_id, first, create_time_ns, f"chapter of {run_id}".encode())


def with_state(run: run_pb2.Run, state: "run_pb2.RunState.ValueType") -> run_pb2.Run:
    """A copy of the run in another state."""
    changed = run_pb2.Run()
    changed.CopyFrom(run)
    changed.state = state
    return changed


def payload(run_id: str, sequence: int) -> bytes:
    """Bytes that tell where they belong; their length varies and they hold every kind of byte."""
    return f"{run_id}:{sequence}:".encode() + bytes(range(256))[: sequence * 37 % 256]


async def extend(log: EventLog, run_id: str, *payloads: bytes, terminal: bool = False) -> int:
    """Appends at the end, wherever that is; returns the last sequence."""
    after = (await log.tails([run_id]))[run_id].last
    await log.append(run_id, Batch(after, payloads, terminal))
    return after + len(payloads)


async def everything(log: EventLog, run_id: str, page: int = 100) -> Sequence[Event]:
    """All events of a run, read in pages."""
    events: list[Event] = []
    while found := await log.read(run_id, len(events), page):
        events.extend(found)
    return events


async def follow(log: EventLog, run_id: str, after: int = 0, page: int = 7) -> Sequence[Event]:
    """What a live reader sees from `after` to the terminal event."""
    events: list[Event] = []
    while not (events and events[-1].terminal):
        last = events[-1].sequence if events else after
        await log.wait(run_id, last)
        events.extend(await log.read(run_id, last, page))
    return events


def open_files(directory: Path) -> list[Path]:
    """The files in the directory that this process has open."""
    opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [file for file in opened if file.is_relative_to(directory)]


def bytes_on_disk(directory: Path) -> bytes:
    """What the files in the directory hold."""
    return b"".join(file.read_bytes() for file in directory.iterdir())
