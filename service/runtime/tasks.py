"""The tasks that somebody answers for: none is lost, and none fails unseen."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from service.errors import FabulaError
from service.logs import places

_T = TypeVar("_T")

_log = structlog.get_logger("fabula.runtime")


class OwnTasks:
    """Holds tasks until they are done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Starts the work. An error of it that is none of ours gets into the log, whoever awaits it or not."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def idle(self, seconds: float) -> None:
        """Returns once nothing is under way, after `seconds` at the latest. A start under way may bring a run yet."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """Cancels what is under way."""
        for task in self._tasks:
            task.cancel()

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, FabulaError):
            _log.error("runner_fault", error=type(error).__name__, places=places(error))
