"""Pauses runs and lets them go on: the gate of the run, its stored state, and how long it may be paused."""

import structlog

from fabula.run.v1 import run_pb2
from service.errors import RunStateConflict, ShuttingDown, StoreUnavailable
from service.runtime.active import ActiveRun
from service.runtime.ending import restate
from service.runtime.ports import LogConflictError
from service.runtime.run import END_STATES, PAUSED, RUNNING, transition
from service.runtime.stores import Store

_log = structlog.get_logger("fabula.runtime")

SHUTTING_DOWN = "The service is stopping. Ask again in a moment."


class Pauser:
    """Pauses the runs of one process, each as often as asked to, but for `seconds` in all: then it is cancelled."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._closed = False

    def close(self) -> None:
        """From now on no pause begins."""
        self._closed = True

    async def pause(self, active: ActiveRun) -> run_pb2.Run:
        """The run, paused: what it said is committed, and it says and asks nothing more. One that is paused stays so.

        Raises RunStateConflict when it ends first, ShuttingDown once closed, StoreUnavailable when that can't be
        stored; then it stays as it was.
        """
        async with active.changing:
            if not active.stops:
                await self._make_sure(active) if active.run.state == PAUSED else await self._pause(active)
                if not active.stops:
                    return _copy(active.run)
        raise await _ended(active)

    async def go_on(self, active: ActiveRun) -> run_pb2.Run:
        """The run, which goes on; one that was not paused is unchanged.

        Raises RunStateConflict when it ends first, StoreUnavailable when that can't be stored; then it stays as it was.
        """
        async with active.changing:
            if not active.stops:
                if active.run.state == PAUSED:
                    await self._change(active, RUNNING)
                    active.end_pause()
                await self._make_sure(active)
                return _copy(active.run)
        raise await _ended(active)

    async def _pause(self, active: ActiveRun) -> None:
        # Here, where nothing is waited for any more: a closing process ends those that are paused, and just once.
        if self._closed:
            raise ShuttingDown(SHUTTING_DOWN)
        active.begin_pause(self._seconds)
        try:
            # What was said before the pause belongs before it.
            await active.writer.flush()
            await self._change(active, PAUSED)
        except (StoreUnavailable, LogConflictError) as error:
            active.end_pause()
            raise StoreUnavailable("The run can't be paused now, for nothing can be stored. Ask again.") from error
        except BaseException:
            active.end_pause()
            raise

    async def _change(self, active: ActiveRun, state: "run_pb2.RunState.ValueType") -> None:
        changed = transition(active.run, state)
        await self._restate(active, changed)
        active.run = changed
        _log.info("run_changed", run_id=changed.run_id, state=run_pb2.RunState.Name(state))

    async def _make_sure(self, active: ActiveRun) -> None:
        """The run is stored as it is."""
        if active.doubtful:
            await self._restate(active, active.run)

    async def _restate(self, active: ActiveRun, run: run_pb2.Run) -> None:
        active.doubtful = True
        await restate(self._store, run)
        active.doubtful = False


async def _ended(active: ActiveRun) -> Exception:
    if await active.settled():
        return conflict(active.run)
    return StoreUnavailable("The run is ending, and its end can't be stored now. Ask again later.")


def conflict(run: run_pb2.Run) -> RunStateConflict:
    """What a caller is told who would pause this run, or have it go on, and can't."""
    state = run_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_")
    why = "has ended" if run.state in END_STATES else "is not under way here"
    return RunStateConflict(f"The run is {state} and {why}: it can neither be paused nor go on.", {"state": state})


def _copy(run: run_pb2.Run) -> run_pb2.Run:
    copy = run_pb2.Run()
    copy.CopyFrom(run)
    return copy
