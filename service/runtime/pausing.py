"""Pauses runs and lets them go on: the gate of the run, its stored state, and the longest pause."""

import structlog

from fabula.run.v1 import run_pb2
from service.errors import RunStateConflict, StoreUnavailable
from service.runtime.active import ActiveRun
from service.runtime.ending import restate
from service.runtime.ports import LogConflictError
from service.runtime.run import END_STATES, PAUSED, RUNNING, transition
from service.runtime.stores import Store

_log = structlog.get_logger("fabula.runtime")


class Pauser:
    """Pauses the runs of one process, each for `seconds` at the longest: then it is cancelled."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds

    async def pause(self, active: ActiveRun) -> run_pb2.Run:
        """The run, paused: what it said is committed, and it says and asks nothing more. One that is paused stays so.

        Raises RunStateConflict when it ends first, StoreUnavailable when that can't be stored; then it goes on.
        """
        async with active.changing:
            if active.run.state == PAUSED and not active.stops:
                return _copy(active.run)
            if not active.stops:
                await self._pause(active)
                if not active.stops:
                    return _copy(active.run)
        raise await _ended(active)

    async def go_on(self, active: ActiveRun) -> run_pb2.Run:
        """The run, which goes on; one that was not paused is unchanged.

        Raises RunStateConflict when it ends first, StoreUnavailable when that can't be stored; then it stays paused.
        """
        async with active.changing:
            if not active.stops:
                if active.run.state == PAUSED:
                    await self._change(active, RUNNING)
                    active.end_pause()
                return _copy(active.run)
        raise await _ended(active)

    async def _pause(self, active: ActiveRun) -> None:
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
        await restate(self._store, changed)
        active.run = changed
        _log.info("run_changed", run_id=changed.run_id, state=run_pb2.RunState.Name(state))


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
