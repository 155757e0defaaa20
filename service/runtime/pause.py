"""The pause of a run: a gate before all that the run does, and a clock that stands still meanwhile."""

import asyncio
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from google.protobuf.message import Message

from service.runtime.ports import Emitter, Job


class Pause:
    """Whether a run is paused. What it does goes through here: `if pause.on: await pause.over()`, or else for nothing.

    Bounds on its time that do not count a pause are made by `timeout`. `lost` is how long the pauses that are over took
    together.
    """

    def __init__(self) -> None:
        self.on = False
        self._ended = asyncio.Event()
        self._began = 0.0
        self.lost = 0.0
        self._bounds: set[Bound] = set()

    def begin(self) -> None:
        """From now on the run waits where it next looks."""
        if not self.on:
            self._began = self.time()
            self.on = True
            self._ended.clear()
            for bound in self._bounds:
                bound.adjust()

    def end(self) -> None:
        """The run goes on."""
        if self.on:
            self.lost = _now() - self._began
            self.on = False
            self._ended.set()
            for bound in self._bounds:
                bound.adjust()

    async def over(self) -> None:
        """Returns once the run is not paused."""
        while self.on:
            await self._ended.wait()

    def time(self) -> float:
        """The event loop's time without the pauses."""
        return self._began if self.on else _now() - self.lost

    def timeout(self, seconds: float, by: float | None = None) -> "Bound":
        """As `asyncio.timeout(seconds)`, not counting pauses; over `by` at the latest, in the event loop's time."""
        return Bound(self, self._bounds, seconds, by)


class Bound:
    """See `Pause.timeout`."""

    __slots__ = ("_bounds", "_by", "_ends", "_pause", "_seconds", "_timeout")

    def __init__(self, pause: Pause, bounds: "set[Bound]", seconds: float, by: float | None) -> None:
        self._pause = pause
        self._bounds = bounds
        self._seconds = seconds
        self._by = by
        self._ends = 0.0
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        self._ends = self._pause.time() + self._seconds
        self._timeout = asyncio.timeout_at(self._when())
        await self._timeout.__aenter__()
        self._bounds.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bounds.discard(self)
        await self._timeout.__aexit__(kind, error, trace)

    def adjust(self) -> None:
        """The pause began or ended."""
        if not self._timeout.expired():
            self._timeout.reschedule(self._when())

    def _when(self) -> float | None:
        if self._pause.on:
            return self._by
        ends = _now() + self._ends - self._pause.time()
        return ends if self._by is None else min(ends, self._by)


_current: ContextVar[Pause] = ContextVar("pause")
"""Of the run whose job runs here: models are told by nobody which run asks them."""


def current_pause() -> Pause:
    """The pause of the run that this serves; outside of a run one that never begins."""
    return _current.get(None) or Pause()


def pausable(job: Job, pause: Pause) -> Job:
    """The job, which neither begins, speaks nor ends while it is paused."""

    async def work(emitter: Emitter) -> Message:
        _current.set(pause)
        await pause.over()
        try:
            body = await job(_Held(emitter, pause))
        except Exception:
            await pause.over()
            raise
        await pause.over()
        return body

    return work


class _Held:
    """See `ports.Emitter`. Whoever speaks in a pause waits, and with it the node that would begin."""

    def __init__(self, emitter: Emitter, pause: Pause) -> None:
        self.run_id = emitter.run_id
        self._emitter = emitter
        self._pause = pause

    async def emit(self, body: Message, progress_percent: int = 0) -> None:
        if self._pause.on:
            await self._pause.over()
        await self._emitter.emit(body, progress_percent)


def _now() -> float:
    return asyncio.get_running_loop().time()
