"""A run that is under way in this process: who watches it, and when and why it is to stop."""

import asyncio

from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from service.errors import FabulaError, RunCancelled, StoreUnavailable
from service.runtime.pause import Pause
from service.runtime.writer import RunWriter

UNWATCHED = "The run was cancelled: its last watcher left and none came back in time."
PAUSED_FOR_TOO_LONG = "The run was cancelled: it was paused for longer than the {:g} s that its pauses may take."


class ActiveRun:
    """Counts watchers and arms the linger timer while there is none.

    `linger_seconds` is how long the run goes on unwatched; 0 stops it at once. `stopping` is set once the run is to
    stop, `ended` once its terminal event and its end state are committed, `unsettled` while that can't be done because
    the store is unavailable. Whoever changes the stored state of the run holds `changing`; `doubtful` is whether that
    may differ from the state of `run`, since the answer to a change of it was lost.
    """

    def __init__(
        self,
        run: run_pb2.Run,
        principal: str,
        job: asyncio.Task[Message],
        writer: RunWriter,
        pause: Pause,
        linger_seconds: float,
    ) -> None:
        self.run = run
        self.principal = principal
        self.job = job
        self.writer = writer
        self.pause = pause
        self.changing = asyncio.Lock()
        self.doubtful = False
        self.cause: FabulaError | None = None
        self.stopping = asyncio.Event()
        self.ended = asyncio.Event()
        self.unsettled = asyncio.Event()
        self._linger_seconds = linger_seconds
        self._watchers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lapse: asyncio.TimerHandle | None = None

    @property
    def stops(self) -> bool:
        """Whether nothing but its end is to come."""
        return self.cause is not None or self.job.done()

    @property
    def watchers(self) -> int:
        return self._watchers

    def attach(self) -> None:
        self._watchers += 1
        _cancel(self._timer)

    def detach(self) -> None:
        self._watchers -= 1
        if self._watchers == 0 and not self.job.done():
            self._arm()

    def begin_pause(self, seconds: float) -> None:
        """Holds the job where it is, and stops the run once all its pauses have lasted for `seconds` together."""
        self.pause.begin()
        cause = RunCancelled(PAUSED_FOR_TOO_LONG.format(seconds))
        self._lapse = asyncio.get_running_loop().call_later(seconds - self.pause.lost, self.stop, cause)

    def end_pause(self) -> None:
        """Lets the job go on."""
        _cancel(self._lapse)
        self.pause.end()

    def disarm(self) -> None:
        """Nothing stops the run by itself any more."""
        _cancel(self._timer)
        _cancel(self._lapse)

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


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
