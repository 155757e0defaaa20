"""A run that is under way in this process: who watches it, and when and why it is to stop."""

import asyncio

from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from service.errors import FabulaError, RunCancelled, StoreUnavailable

UNWATCHED = "The run was cancelled: its last watcher left and none came back in time."


class ActiveRun:
    """Counts watchers and arms the linger timer while there is none.

    `linger_seconds` is how long the run goes on unwatched; 0 stops it at once. `stopping` is set once the run is to
    stop, `ended` once its terminal event and its end state are committed, `unsettled` while that can't be done because
    the store is unavailable.
    """

    def __init__(self, run: run_pb2.Run, principal: str, job: asyncio.Task[Message], linger_seconds: float) -> None:
        self.run = run
        self.principal = principal
        self.job = job
        self.cause: FabulaError | None = None
        self.stopping = asyncio.Event()
        self.ended = asyncio.Event()
        self.unsettled = asyncio.Event()
        self._linger_seconds = linger_seconds
        self._watchers = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def watchers(self) -> int:
        return self._watchers

    def attach(self) -> None:
        self._watchers += 1
        self.disarm()

    def detach(self) -> None:
        self._watchers -= 1
        if self._watchers == 0 and not self.job.done():
            self._arm()

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self, cause: FabulaError) -> None:
        """Cancels the job; `cause` becomes the terminal error. The first cause stands."""
        if self.cause is None and not self.job.done():
            self.cause = cause
            self.stopping.set()
            self.job.cancel()

    async def settled(self) -> bool:
        """Waits until the run has ended, True, or its end can't be stored for now, False."""
        waiting = [asyncio.create_task(self.ended.wait()), asyncio.create_task(self.unsettled.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return self.ended.is_set()

    async def end(self, cause: FabulaError) -> None:
        """Stops the run and returns once it has ended. Raises StoreUnavailable when its end can't be stored now."""
        self.stop(cause)
        if not await self.settled():
            raise StoreUnavailable("The run is stopping, and its end can't be stored now. Ask again later.")

    def _arm(self) -> None:
        cause = RunCancelled(UNWATCHED)
        if self._linger_seconds <= 0:
            self.stop(cause)
        else:
            self._timer = asyncio.get_running_loop().call_later(self._linger_seconds, self.stop, cause)
