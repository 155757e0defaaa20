"""Starts runs, looks after those under way, and hands out subscriptions to any of them."""

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from google.protobuf.message import DecodeError

from fabula.run.v1 import run_pb2
from service.errors import (
    CursorOutOfRange,
    FabulaError,
    NotImplementedYet,
    RequestIdReused,
    RunCancelled,
    RunInterrupted,
    ShuttingDown,
    TooManyRuns,
    TooManyStreams,
    to_run_error,
)
from service.logs import places
from service.runtime.active import ActiveRun
from service.runtime.ending import conclude
from service.runtime.ports import Codec, Event, EventLog, LogConflictError
from service.runtime.run import END_STATES
from service.runtime.spec import Limits, RunSpec, new_record
from service.runtime.standing import is_lost, missing, with_tail
from service.runtime.stores import RunQuery, RunRecord, Store
from service.runtime.subscription import Subscription
from service.runtime.supervisor import Supervisor
from service.runtime.writer import RunWriter

_T = TypeVar("_T")

_log = structlog.get_logger("fabula.runtime")

INTERRUPTED = "The service stopped while the run was under way. Its text is kept; ask again with a new request_id."
CANCELLED = "The run was cancelled by its caller."


class Runner:
    """The runs of one process. An async context manager: entering it ends the runs that a crash left open."""

    def __init__(self, log: EventLog, store: Store, codecs: Mapping[str, Codec], limits: Limits) -> None:
        self._log = log
        self._store = store
        self._codecs = codecs
        self._limits = limits
        self._active: dict[str, ActiveRun] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._starts: set[asyncio.Task[Subscription]] = set()
        self._starting: Counter[tuple[str, str]] = Counter()
        self._streams = 0
        self._draining = False
        self._interrupting = False

    @property
    def active_runs(self) -> Mapping[str, ActiveRun]:
        """The runs under way in this process, by run_id."""
        return self._active

    async def __aenter__(self) -> Self:
        for record in await self._store.unfinished_runs():
            await self._recover(record)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain(0)

    async def start(self, spec: RunSpec) -> Subscription:
        """Starts the run, or finds the one with the same request_id, and watches it from its first event.

        Raises RequestIdReused, TooManyRuns, TooManyStreams, ShuttingDown, StoreUnavailable, and ChildNotFound or
        StoryNotFound when they are erased.
        """
        task = self._own(self._start(spec))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)
        try:
            # Shielded: a caller that leaves in between must not leave a stored run that nobody runs.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_close_result)
            raise

    async def attach(self, principal: str, request_id: str, fingerprint: bytes) -> Subscription | None:
        """Watches the run that was started with this request_id, from its first event; None when there is none.

        Raises RequestIdReused, CursorOutOfRange, TooManyStreams, StoreUnavailable.
        """
        stored = await self._store.find_run(principal, request_id)
        if stored is None:
            return None
        await self._check_repeated(stored, fingerprint)
        self._take_stream()
        return self._subscription(stored.run, 0)

    async def watch(self, principal: str, run_id: str, after: int) -> Subscription:
        """Watches a run from after a sequence on. Raises RunNotFound, CursorOutOfRange, TooManyStreams."""
        record = await self._owned(principal, run_id)
        tail = (await self._log.tails([run_id]))[run_id]
        if after > tail.last or after < tail.oldest - 1 or is_lost(record.run, tail):
            raise CursorOutOfRange(after, tail.oldest, tail.last)
        terminal = None
        if tail.terminal and after == tail.last:
            # Nothing is left to send, but the caller is still to learn how the run ended.
            events = await self._log.read(run_id, after - 1, 1)
            if not events:
                raise missing()  # erased since
            terminal = events[0]
        self._take_stream()
        return self._subscription(record.run, after, terminal)

    async def get_run(self, principal: str, run_id: str) -> run_pb2.Run:
        """The run with its sequences. Raises RunNotFound."""
        record = await self._owned(principal, run_id)
        return with_tail(record.run, (await self._log.tails([run_id]))[run_id])

    async def list_runs(self, query: RunQuery) -> Sequence[run_pb2.Run]:
        """A page of runs with their sequences, newest first."""
        records = await self._store.list_runs(query)
        tails = await self._log.tails([record.run.run_id for record in records])
        return [with_tail(record.run, tails[record.run.run_id]) for record in records]

    async def cancel_run(self, principal: str, run_id: str) -> run_pb2.Run:
        """Cancels a run and returns it ended; a run that had ended is returned as it is. Raises RunNotFound."""
        record = await self._owned(principal, run_id)
        active = self._active.get(run_id)
        if active is not None:
            await active.end(RunCancelled(CANCELLED))
        elif record.run.state not in END_STATES:
            codec = self._codecs.get(record.run.workflow)
            if codec is None:
                raise NotImplementedYet("The workflow of this run is not one of this version of the service.")
            # Two callers may cancel it at once: for the second the first has done it.
            with suppress(LogConflictError):
                await conclude(self._log, self._store, codec, record.run, to_run_error(RunCancelled(CANCELLED), run_id))
        return await self.get_run(principal, run_id)

    async def end_runs(self, run_ids: Collection[str], message: str) -> None:
        """Cancels those of these runs that are under way, for this reason, and returns once they have ended.

        Raises StoreUnavailable when an end can't be stored now.
        """
        under_way = [self._active[run_id] for run_id in run_ids if run_id in self._active]
        for active in under_way:
            active.stop(RunCancelled(message))
        for active in under_way:
            await active.end(RunCancelled(message))

    async def started(self) -> None:
        """Returns once every start that is under way now has brought its run under way, or failed."""
        if self._starts:
            await asyncio.wait(self._starts)

    async def drain(self, grace_seconds: float) -> None:
        """Takes no new run, gives those under way the grace to end, interrupts the rest, and waits for their ends."""
        self._draining = True
        if grace_seconds > 0:
            await self._idle(grace_seconds)
        self._interrupting = True
        for active in self._active.values():
            active.stop(RunInterrupted(INTERRUPTED))
        await self._idle(self._limits.settle_seconds)
        for task in self._tasks:
            task.cancel()
        await self._idle(self._limits.cancel_seconds)

    async def _idle(self, seconds: float) -> None:
        """Returns once nothing is under way, after `seconds` at the latest. A start under way may bring a run yet."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    async def _recover(self, record: RunRecord) -> None:
        codec = self._codecs.get(record.run.workflow)
        if codec is None:
            _log.warning("run_left_open", run_id=record.run.run_id, workflow=record.run.workflow)
            return
        error = to_run_error(RunInterrupted(INTERRUPTED), record.run.run_id)
        try:
            ended = await conclude(self._log, self._store, codec, record.run, error)
        except DecodeError:
            # One damaged record must not keep every other story from being told.
            _log.error("run_left_open", run_id=record.run.run_id, error="DecodeError")
            return
        _log.info("run_recovered", run_id=ended.run_id, state=run_pb2.RunState.Name(ended.state))

    async def _start(self, spec: RunSpec) -> Subscription:
        if self._draining:
            raise ShuttingDown("The service is stopping. Ask again in a moment.")
        record = new_record(spec)
        # Calls that race with one request_id are one start.
        key = (spec.principal, spec.request_id or record.run.run_id)
        await self._check_room(spec, key)
        self._take_stream()
        self._starting[key] += 1
        try:
            run = await self._find_or_launch(spec, record)
        except BaseException:
            self._streams -= 1
            raise
        finally:
            self._starting -= Counter([key])
        return self._subscription(run, 0)

    async def _find_or_launch(self, spec: RunSpec, record: RunRecord) -> run_pb2.Run:
        stored = await self._store.create_run(record)
        if stored.run.run_id == record.run.run_id:
            self._launch(record.run, spec)
        else:
            await self._check_repeated(stored, spec.fingerprint)
        return stored.run

    async def _check_repeated(self, stored: RunRecord, fingerprint: bytes) -> None:
        if stored.fingerprint != fingerprint:
            raise RequestIdReused(
                "This request_id was used with another request. Send that request again to attach to its run, "
                "or take a new request_id to start another."
            )
        tail = (await self._log.tails([stored.run.run_id]))[stored.run.run_id]
        if is_lost(stored.run, tail):
            raise CursorOutOfRange(0, tail.oldest, tail.last)

    def _launch(self, run: run_pb2.Run, spec: RunSpec) -> None:
        writer = RunWriter(self._log, run.run_id, spec.codec.encoder(run.run_id))
        job = asyncio.create_task(spec.job(writer), name=f"job {run.run_id}")
        active = ActiveRun(run, spec.principal, job, 0 if spec.cancel_on_disconnect else self._limits.linger_seconds)
        self._active[run.run_id] = active
        seconds = self._limits.run_seconds
        if spec.deadline is not None:
            seconds = min(seconds, max(spec.deadline - asyncio.get_running_loop().time(), 0))
        supervisor = Supervisor(self._log, self._store, spec.codec, active, writer)
        self._own(self._look_after(active, supervisor, seconds))
        if self._interrupting:
            active.stop(RunInterrupted(INTERRUPTED))
        _log.info("run_started", run_id=run.run_id, workflow=run.workflow, model=run.model)

    async def _look_after(self, active: ActiveRun, supervisor: Supervisor, seconds: float) -> None:
        try:
            await supervisor.supervise(seconds, self._limits.cancel_seconds)
        finally:
            # In this order: who waits for the end may start the next run at once.
            self._active.pop(active.run.run_id)
            active.ended.set()

    async def _check_room(self, spec: RunSpec, key: tuple[str, str]) -> None:
        if len(self._active) + len(self._starting) < self._limits.max_runs or key in self._starting:
            return
        # A repeated call starts nothing, so there is always room for it.
        if not spec.request_id or await self._store.find_run(spec.principal, spec.request_id) is None:
            raise TooManyRuns(f"{self._limits.max_runs} runs are under way, all that the service takes on. Ask later.")

    def _take_stream(self) -> None:
        if self._streams >= self._limits.max_streams:
            raise TooManyStreams(f"{self._streams} streams are open, all that the service allows. Ask later.")
        self._streams += 1

    def _subscription(self, run: run_pb2.Run, after: int, terminal: Event | None = None) -> Subscription:
        active = self._active.get(run.run_id)
        return Subscription(run, self._log, self._store, after, terminal, active, self._stream_closed)

    def _stream_closed(self) -> None:
        self._streams -= 1

    async def _owned(self, principal: str, run_id: str) -> RunRecord:
        record = await self._store.get_run(run_id)
        if record is None or record.principal != principal:
            raise missing()
        return record

    def _own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, FabulaError):
            _log.error("runner_fault", error=type(error).__name__, places=places(error))


def _close_result(task: "asyncio.Task[Subscription]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
