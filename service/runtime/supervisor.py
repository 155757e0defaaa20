"""Stands beside a run's job until the run has ended, whatever becomes of the job."""

import asyncio
from contextlib import suppress

import structlog
from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from service.errors import FabulaError, Internal, RunDeadlineExceeded, StoreUnavailable, to_run_error
from service.logs import places
from service.runtime.active import ActiveRun
from service.runtime.ending import conclude
from service.runtime.ports import Codec, EventLog, LogConflictError
from service.runtime.stores import Store
from service.runtime.writer import RunWriter

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.1, 5.0
"""The pauses between attempts to store a run's end while the store is unavailable: doubling from first to last."""


class Supervisor:
    """Waits for the job's end or its deadline, then commits the terminal event and the end state."""

    def __init__(self, log: EventLog, store: Store, codec: Codec, active: ActiveRun) -> None:
        self._event_log = log
        self._store = store
        self._codec = codec
        self._active = active
        self._writer = active.writer
        self._facts = structlog.get_logger("fabula.runtime").bind(run_id=active.run.run_id)

    async def supervise(self, seconds: float, deadline: float | None, cancel_seconds: float) -> None:
        """Runs until the run has ended; `cancel_seconds` bounds the stopping of its job.

        The job is bounded by `seconds`, in which pauses do not count, and by the caller's `deadline`, in the event
        loop's time.
        """
        started = asyncio.get_running_loop().time()
        try:
            await self._settle(await self._body(seconds, deadline, cancel_seconds))
        finally:
            self._active.job.cancel()
            self._active.disarm()
        self._facts.info(
            "run_ended",
            state=run_pb2.RunState.Name(self._active.run.state),
            reason=run_pb2.ErrorReason.Name(self._active.run.error.code),
            events=self._active.run.last_sequence,
            seconds=round(asyncio.get_running_loop().time() - started, 3),
        )

    async def _body(self, seconds: float, deadline: float | None, cancel_seconds: float) -> Message:
        try:
            return await self._outcome(seconds, deadline, cancel_seconds)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the run must have its end
            return self._run_error(self._fault(error))

    async def _outcome(self, seconds: float, deadline: float | None, cancel_seconds: float) -> Message:
        job = self._active.job
        await self._job_or_stop(seconds, deadline)
        if not job.done():
            self._active.stop(RunDeadlineExceeded(_late(seconds, deadline)))
            await asyncio.wait({job}, timeout=cancel_seconds)
        if not job.done() or job.cancelled():
            return self._run_error(self._active.cause or self._fault(None))
        error = job.exception()
        if error is None:
            return await self._told(job.result())
        return self._run_error(self._active.cause or self._failure(error))

    async def _job_or_stop(self, seconds: float, deadline: float | None) -> None:
        stopping = asyncio.create_task(self._active.stopping.wait())
        try:
            with suppress(TimeoutError):
                async with self._active.pause.timeout(seconds, deadline):
                    await asyncio.wait({self._active.job, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()

    async def _told(self, body: Message) -> Message:
        """The job's body, unless what it emitted last is not committed: a log with a hole is no success."""
        try:
            await self._writer.flush()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the run must have its end
            return self._run_error(self._active.cause or self._failure(error))
        return body

    def _run_error(self, error: FabulaError) -> run_pb2.RunError:
        return to_run_error(error, self._active.run.run_id)

    def _failure(self, error: BaseException) -> FabulaError:
        return error if isinstance(error, FabulaError) else self._fault(error)

    def _fault(self, error: BaseException | None) -> Internal:
        # The type and the places, never the message: it may quote the text of a story.
        self._facts.error("run_fault", error=type(error).__name__, places=places(error))
        return Internal("The run failed by a fault of the service. Its log names the run_id.")

    async def _settle(self, body: Message) -> None:
        pause: float = FIRST_RETRY_SECONDS
        writer: RunWriter | None = self._writer
        while True:
            try:
                async with self._active.changing:
                    self._active.run = await conclude(
                        self._event_log, self._store, self._codec, self._active.run, body, writer
                    )
            except Exception as error:  # noqa: BLE001 -- whatever it is, the run must have its end
                if not isinstance(error, StoreUnavailable | LogConflictError):
                    # A body that can't be encoded, say: it would fail again.
                    body = self._run_error(self._fault(error))
                # Whether the append took place is unknown: from here on the log itself tells where the run stands.
                writer = None
                self._active.unsettled.set()
                self._facts.warning("run_unsettled", error=type(error).__name__, retry_in_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST_RETRY_SECONDS)
            else:
                self._active.unsettled.clear()
                return


def _late(seconds: float, deadline: float | None) -> str:
    if deadline is not None and asyncio.get_running_loop().time() >= deadline:
        return "The run was not done by the deadline of the call that started it."
    return f"The run took longer than the {seconds:g} s that it may take."
