"""Pulls the chunks of an answer: none in a pause of the run, and not from a model that is silent for too long."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from service.runtime.pause import Pause, current_pause

_T = TypeVar("_T")


async def pulled(chunks: AsyncGenerator[_T, None], idle_seconds: float | None) -> AsyncGenerator[_T, None]:
    """The chunks. In a pause none is asked for: the connection stays open and unread, and its place is kept.

    TimeoutError when the model is silent for longer than `idle_seconds`, in which a pause does not count.
    """
    pause = current_pause()
    silence = _Silence(pause, idle_seconds)
    try:
        while True:
            if pause.on:
                await pause.over()
            silence.begin()
            try:
                chunk = await anext(chunks, None)
            except BaseException as error:
                silence.judge(error)
                raise
            silence.end()
            if chunk is None:
                return
            yield chunk
    finally:
        silence.close()


class _Silence:
    """A bound on one silence after another: an `asyncio.timeout` whose timer is not made anew for every token."""

    __slots__ = ("_before", "_expired", "_pause", "_seconds", "_since", "_task", "_timer")

    def __init__(self, pause: Pause, seconds: float | None) -> None:
        self._pause = pause
        self._seconds = seconds
        self._since: float | None = None  # in the time of the pause; None while nothing is waited for
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Waits from now on."""
        if self._seconds is None:
            return
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task is not None else 0
        self._since = self._pause.time()
        if self._timer is None:
            self._arm(self._seconds)

    def end(self) -> None:
        """Waits no more."""
        self._since = None

    def judge(self, error: BaseException) -> None:
        """The waiting ended so. Raises TimeoutError if it was for this bound alone."""
        if self._expired and self._task is not None:
            alone = self._task.uncancel() <= self._before
            if alone and isinstance(error, asyncio.CancelledError):
                raise TimeoutError from error

    def close(self) -> None:
        """There is nothing more to wait for."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._lapse)

    def _lapse(self) -> None:
        self._timer = None
        if self._since is None or self._seconds is None or self._task is None:
            return
        left = self._since + self._seconds - self._pause.time()
        if left > 0:
            # In a pause nothing gets less; how long it will be is not known.
            self._arm(self._seconds if self._pause.on else left)
        else:
            self._expired = True
            self._task.cancel()
