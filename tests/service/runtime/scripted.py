"""Ports whose moments and faults a test decides, over the real backends in memory, and jobs that wait to be told."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.backends.memory import MemoryEventLog, MemoryStore
from service.errors import StoreUnavailable
from service.runtime.ports import Batch, Emitter, Event, EventLog, Job, LogTail
from service.runtime.runner import Runner
from service.runtime.spec import Limits, RunSpec
from service.runtime.stores import ChildRecord, RunRecord, Store
from service.runtime.subscription import Subscription
from service.workflows.story.events import StoryCodec

CODEC = StoryCodec()
CANARY = "canary-of-a-story"
DOWN = "The store is down."


class Gate:
    """Where callers wait while it is shut. `reached` is set once one of them waits."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        self._open.clear()
        self.reached.clear()

    def open(self) -> None:
        self._open.set()

    async def enter(self) -> None:
        if not self._open.is_set():
            self.reached.set()
        await self._open.wait()


class ScriptedLog:
    """Implements EventLog. Appends wait at `gate`; while `down`, or for each fault in `refusals`, they fail.

    A fault in `lost_answers` is raised after the append was committed: its caller can't know.
    """

    def __init__(self) -> None:
        self._log = MemoryEventLog()
        self.gate = Gate()
        self.down = False
        self.refusals: deque[Exception] = deque()
        self.lost_answers: deque[Exception] = deque()
        self.refused = asyncio.Event()
        self.batches: list[Batch] = []

    async def append(self, run_id: str, batch: Batch) -> None:
        await self.gate.enter()
        if self.down or self.refusals:
            self.refused.set()
            raise self.refusals.popleft() if self.refusals else StoreUnavailable(DOWN)
        await self._log.append(run_id, batch)
        self.batches.append(batch)
        if self.lost_answers:
            raise self.lost_answers.popleft()

    async def read(self, run_id: str, after: int, limit: int) -> Sequence[Event]:
        return await self._log.read(run_id, after, limit)

    async def wait(self, run_id: str, after: int) -> None:
        await self._log.wait(run_id, after)

    async def tails(self, run_ids: Sequence[str]) -> Mapping[str, LogTail]:
        return await self._log.tails(run_ids)

    async def delete(self, run_ids: Sequence[str]) -> None:
        await self._log.delete(run_ids)

    async def scrub(self) -> None:
        await self._log.scrub()


class ScriptedStore(MemoryStore):
    """The store in memory. `create_run` waits at `gate`; while `down` nothing can be written."""

    def __init__(self) -> None:
        super().__init__([ChildRecord(child_pb2.Child(child_id="1"), "house")])
        self.gate = Gate()
        self.down = False
        self.refused = asyncio.Event()

    async def create_run(self, record: RunRecord) -> RunRecord:
        await self.gate.enter()
        self._check()
        return await super().create_run(record)

    async def update_run(self, run: run_pb2.Run, expected: "run_pb2.RunState.ValueType") -> bool:
        self._check()
        return await super().update_run(run, expected)

    def _check(self) -> None:
        if self.down:
            self.refused.set()
            raise StoreUnavailable(DOWN)


class Work:
    """A job: emits one event, says that it has `begun`, and ends once it may `go`: with a body or with an error.

    A stubborn one takes note of its cancellation and goes on.
    """

    def __init__(self, end: Message | Exception | None = None, *, stubborn: bool = False) -> None:
        self.begun, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.runs = 0
        self._end = end or complete()
        self._stubborn = stubborn

    async def __call__(self, emitter: Emitter) -> Message:
        self.runs += 1
        await emitter.emit(node("work"))
        self.begun.set()
        await self._wait()
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    async def _wait(self) -> None:
        while not self.go.is_set():
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                if not self._stubborn:
                    raise


class Listener:
    """Implements Emitter; what a job says to it is kept in `heard`."""

    run_id = "run"

    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def emit(self, body: Message, progress_percent: int = 0) -> None:
        del progress_percent
        self.heard.append(body)


def telling(*bodies: Message, end: Message | Exception | None = None) -> Job:
    """A job that emits these bodies and ends at once."""

    async def work(emitter: Emitter) -> Message:
        for body in bodies:
            await emitter.emit(body)
        if isinstance(end, Exception):
            raise end
        return end or complete()

    return work


def node(name: str) -> run_pb2.NodeEvent:
    return run_pb2.NodeEvent(node=name, status=run_pb2.NODE_STATUS_STARTED, iteration=1)


def content(text: str, segment: int = 1) -> story_pb2.Content:
    return story_pb2.Content(chunk=text, segment=segment, revision=1)


def complete() -> story_pb2.Complete:
    return story_pb2.Complete(success=True)


def spec(job: Job, **changes: Any) -> RunSpec:
    """A run to be started with this job."""
    values: dict[str, Any] = {
        "codec": CODEC,
        "job": job,
        "principal": "house",
        "fingerprint": b"mark",
        "child_id": "1",
        "story_id": "tale",
        "model": "scripted",
    }
    return RunSpec(**(values | changes))


@asynccontextmanager
async def running(log: EventLog | None = None, store: Store | None = None, **limits: Any) -> AsyncIterator[Runner]:
    """A runner over memory; its limits are generous where they are silent."""
    limits = {"linger_seconds": 3_600, "cancel_seconds": 30, "settle_seconds": 30} | limits
    async with Runner(log or MemoryEventLog(), store or MemoryStore(), {"story": CODEC}, Limits(**limits)) as runner:
        yield runner


async def committed(log: EventLog, run_id: str) -> list[story_pb2.StoryEvent]:
    """Every event that the run's log holds; their sequences have no gap."""
    events = [story_pb2.StoryEvent.FromString(event.payload) for event in await log.read(run_id, 0, 100_000)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return events


async def whole_run(log: EventLog, run_id: str) -> list[story_pb2.StoryEvent]:
    """Every event of a run that has ended: the last one is terminal, and no other."""
    events = await committed(log, run_id)
    assert [is_terminal(event) for event in events] == [False] * (len(events) - 1) + [True]
    return events


def is_terminal(event: story_pb2.StoryEvent) -> bool:
    return event.HasField("complete") or event.HasField("error")


async def read_on(subscription: Subscription, idle_seconds: float = 3_600) -> list[story_pb2.StoryEvent]:
    """What the subscription gives up to its end, which closes it."""
    async with subscription:
        batches = [batch async for batch in subscription.batches(idle_seconds)]
    return [story_pb2.StoryEvent.FromString(event.payload) for batch in batches for event in batch]


async def turns() -> None:
    """Lets the others have their turn: what could happen now has happened then."""
    for _ in range(20):
        await asyncio.sleep(0)
