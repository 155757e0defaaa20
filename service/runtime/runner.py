"""Starts runs, looks after those under way, and hands out subscriptions to any of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

import structlog

from fabula.run.v1 import run_pb2
from service.errors import (
    CursorOutOfRange,
    NotImplementedYet,
    RequestIdReused,
    RunCancelled,
    RunInterrupted,
    ShuttingDown,
    TooManyRuns,
    to_run_error,
)
from service.runtime.active import ActiveRun
from service.runtime.admission import Admission
from service.runtime.ending import conclude
from service.runtime.pause import Pause, pausable
from service.runtime.pausing import SHUTTING_DOWN, Pauser, conflict
from service.runtime.ports import Codec, Event, EventLog, LogConflictError
from service.runtime.recovery import INTERRUPTED, recover
from service.runtime.run import END_STATES
from service.runtime.spec import Limits, RunSpec, new_record
from service.runtime.standing import is_lost, missing, with_tail
from service.runtime.stores import RunQuery, RunRecord, Store
from service.runtime.subscription import Subscription
from service.runtime.supervisor import Supervisor
from service.runtime.tasks import OwnTasks
from service.runtime.writer import RunWriter

_log = structlog.get_logger("fabula.runtime")

CANCELLED = "The run was cancelled by its caller."


class Runner:
    """The runs of one process. An async context manager: entering it ends the runs that a crash left open."""

    def __init__(self, log: EventLog, store: Store, codecs: Mapping[str, Codec], limits: Limits) -> None:
        self._log = log
        self._store = store
        self._codecs = codecs
        self._limits = limits
        self._pauser = Pauser(store, limits.pause_seconds)
        self._admission = Admission(limits)
        self._active: dict[str, ActiveRun] = {}
        self._tasks = OwnTasks()
        self._starts: set[asyncio.Task[Subscription]] = set()
        self._starting: Counter[tuple[str, str]] = Counter()
        self._draining = False
        self._interrupting = False

    @property
    def active_runs(self) -> Mapping[str, ActiveRun]:
        """The runs under way in this process, by run_id."""
        return self._active

    async def __aenter__(self) -> Self:
        await recover(self._log, self._store, self._codecs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain(0)

    async def start(self, spec: RunSpec) -> Subscription:
        """Starts the run, or finds the one with the same request_id, and watches it from its first event.

        Raises RequestIdReused, TooManyRuns, TooManyStreams, RateLimited, ShuttingDown, StoreUnavailable, and
        ChildNotFound or StoryNotFound when they are erased.
        """
        task = self._tasks.own(self._start(spec))
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
        self._take_stream(principal, stored.run.run_id)
        return self._subscription(principal, stored.run, 0)

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
        self._take_stream(principal, run_id)
        return self._subscription(principal, record.run, after, terminal)

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
        record, active = await self._looked_up(principal, run_id)
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

    async def pause_run(self, principal: str, run_id: str) -> run_pb2.Run:
        """Pauses a run and returns it paused. Raises RunNotFound, RunStateConflict, ShuttingDown, StoreUnavailable."""
        return await self._change(principal, run_id, self._pauser.pause)

    async def continue_run(self, principal: str, run_id: str) -> run_pb2.Run:
        """Goes on with a paused run and returns it. Raises RunNotFound, RunStateConflict, StoreUnavailable."""
        return await self._change(principal, run_id, self._pauser.go_on)

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
        """Takes no new run, gives those under way the grace to end, interrupts the rest, and waits for their ends.

        Those that are paused are interrupted at once: there is nobody any more to have them go on.
        """
        self._draining = True
        self._pauser.close()
        self._interrupt(active for active in self._active.values() if active.pause.on)
        if grace_seconds > 0:
            await self._tasks.idle(grace_seconds)
        self._interrupting = True
        self._interrupt(self._active.values())
        await self._tasks.idle(self._limits.settle_seconds)
        self._tasks.cancel()
        await self._tasks.idle(self._limits.cancel_seconds)

    def _interrupt(self, runs: Iterable[ActiveRun]) -> None:
        for active in runs:
            active.stop(RunInterrupted(INTERRUPTED))

    async def _start(self, spec: RunSpec) -> Subscription:
        if self._draining:
            raise ShuttingDown(SHUTTING_DOWN)
        record = new_record(spec)
        # Calls that race with one request_id are one start.
        key = (spec.principal, spec.request_id or record.run.run_id)
        await self._check_room(spec, key)
        self._take_stream(spec.principal, record.run.run_id)
        repeated = key in self._starting
        self._starting[key] += 1
        try:
            run = await self._find_or_launch(spec, record, repeated=repeated)
        except BaseException:
            self._admission.close_stream(spec.principal)
            raise
        finally:
            self._starting -= Counter([key])
        return self._subscription(spec.principal, run, 0)

    async def _find_or_launch(self, spec: RunSpec, record: RunRecord, *, repeated: bool) -> run_pb2.Run:
        self._admission.quotas.begin_run(spec.principal, repeated=repeated)
        try:
            stored = await self._store.create_run(record)
        except BaseException:
            self._admission.quotas.spare_run(spec.principal)
            raise
        if stored.run.run_id == record.run.run_id:
            self._launch(record.run, spec)
        else:
            self._admission.quotas.spare_run(spec.principal)
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
        pause = Pause()
        job = asyncio.create_task(pausable(spec.job, pause)(writer), name=f"job {run.run_id}")
        linger = 0 if spec.cancel_on_disconnect else self._limits.linger_seconds
        active = ActiveRun(run, spec.principal, job, writer, pause, linger)
        self._active[run.run_id] = active
        supervisor = Supervisor(self._log, self._store, spec.codec, active)
        self._tasks.own(self._look_after(active, supervisor, spec.deadline))
        if self._interrupting:
            self._interrupt([active])
        _log.info("run_started", run_id=run.run_id, workflow=run.workflow, model=run.model)

    async def _look_after(self, active: ActiveRun, supervisor: Supervisor, deadline: float | None) -> None:
        try:
            await supervisor.supervise(self._limits.run_seconds, deadline, self._limits.cancel_seconds)
        finally:
            # In this order: who waits for the end may start the next run at once.
            self._active.pop(active.run.run_id)
            self._admission.quotas.end_run(active.principal)
            active.ended.set()

    async def _change(
        self, principal: str, run_id: str, change: Callable[[ActiveRun], Coroutine[Any, Any, run_pb2.Run]]
    ) -> run_pb2.Run:
        record, active = await self._looked_up(principal, run_id)
        if active is None:
            raise conflict(record.run)
        # Shielded: a caller that leaves in between must not leave a run of which nothing is known.
        run = await asyncio.shield(self._tasks.own(change(active)))
        return with_tail(run, (await self._log.tails([run_id]))[run_id])

    async def _check_room(self, spec: RunSpec, key: tuple[str, str]) -> None:
        if len(self._active) + len(self._starting) < self._limits.max_runs or key in self._starting:
            return
        # A repeated call starts nothing, so there is always room for it.
        if not spec.request_id or await self._store.find_run(spec.principal, spec.request_id) is None:
            raise TooManyRuns("runs_at_once", self._limits.max_runs, "service")

    def _take_stream(self, principal: str, run_id: str) -> None:
        active = self._active.get(run_id)
        self._admission.open_stream(principal, active.watchers if active is not None else 0)

    def _subscription(
        self, principal: str, run: run_pb2.Run, after: int, terminal: Event | None = None
    ) -> Subscription:
        active = self._active.get(run.run_id)
        closed = partial(self._admission.close_stream, principal)
        return Subscription(run, self._log, self._store, after, terminal, active, closed)

    async def _looked_up(self, principal: str, run_id: str) -> tuple[RunRecord, ActiveRun | None]:
        record = await self._owned(principal, run_id)
        if run_id not in self._active and record.run.state not in END_STATES:
            await self.started()  # it is stored before it is under way
            record = await self._owned(principal, run_id)
        return record, self._active.get(run_id)

    async def _owned(self, principal: str, run_id: str) -> RunRecord:
        record = await self._store.get_run(run_id)
        if record is None or record.principal != principal:
            raise missing()
        return record


def _close_result(task: "asyncio.Task[Subscription]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
