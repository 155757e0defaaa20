"""Erases children and stories, so that no byte of them is left, and what is older than the retention."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog

from service.errors import ChildNotFound, FabulaError, StoryNotFound
from service.logs import places
from service.runtime.ports import EventLog
from service.runtime.runner import Runner
from service.runtime.stores import Erasure, Store, Subject

_log = structlog.get_logger("fabula.runtime")

ROUND_SECONDS = 3_600.0
"""How often what is unfinished or too old is looked for."""

BATCH = 100
"""Series that the retention erases at once: they share one scrub."""

_CAUSES = {
    Subject.CHILD: "The run was cancelled: its child is being erased.",
    Subject.SERIES: "The run was cancelled: its story is being erased.",
}


class Eraser:
    """Erases on demand, and hourly what is too old. An async context manager.

    Entering it finishes what a crash left unfinished and enforces the retention once; leaving it breaks off what is
    under way, which the next entering finishes. `retention_seconds` is how long a series is kept after its newest run
    was created; 0 is for ever.
    """

    def __init__(
        self,
        log: EventLog,
        store: Store,
        runner: Runner,
        retention_seconds: float,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._event_log = log
        self._store = store
        self._runner = runner
        self._retention_seconds = retention_seconds
        self._round_seconds = round_seconds
        self._under_way: dict[Erasure, asyncio.Task[bool]] = {}
        self._rounds: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._round()
        self._rounds = asyncio.create_task(self._go_on(), name="eraser")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks: list[asyncio.Task[None] | asyncio.Task[bool]] = [*self._under_way.values()]
        if self._rounds is not None:
            tasks.append(self._rounds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def erase_child(self, principal: str, child_id: str) -> None:
        """Returns once nothing of the child is left, in the files neither: profile, stories, runs and events.

        Its runs that are under way are cancelled. Raises ChildNotFound, also for a foreign child, and StoreUnavailable
        when it could not be finished now: it has begun then, and is finished by another call or within the hour.
        """
        if not await self._erase(Erasure(principal, Subject.CHILD, child_id)):
            raise ChildNotFound("There is no such child. ListChildren names those that there are.")

    async def erase_story(self, principal: str, story_id: str) -> None:
        """Returns once nothing of the story is left, as `erase_child` does. Raises StoryNotFound, StoreUnavailable."""
        if not await self._erase(Erasure(principal, Subject.SERIES, story_id)):
            raise StoryNotFound("There is no such story. ListStories names those that there are.")

    async def _erase(self, erasure: Erasure) -> bool:
        task = self._under_way.get(erasure)
        if task is None:
            task = self._under_way[erasure] = asyncio.create_task(self._begin_and_finish(erasure))
            task.add_done_callback(lambda done: self._over(erasure, done))
        # Shielded: a caller that leaves, or one of several, takes nothing with it.
        return await asyncio.shield(task)

    def _over(self, erasure: Erasure, task: asyncio.Task[bool]) -> None:
        self._under_way.pop(erasure)
        # Its callers may all have left.
        if not task.cancelled() and (error := task.exception()) is not None:
            _failed(error)

    async def _begin_and_finish(self, erasure: Erasure) -> bool:
        if not await self._store.begin_erasure(erasure):
            return False
        await self._finish([erasure])
        return True

    async def _finish(self, erasures: Sequence[Erasure]) -> None:
        """Carries out what has begun. Each step may be done again: after a crash all of them are."""
        # A run may have been stored just before its erasure began: no more can come once these starts are through.
        await self._runner.started()
        for erasure in erasures:
            await self._delete(erasure)
        await self._event_log.scrub()
        await self._store.scrub()
        for erasure in erasures:
            await self._store.finish_erasure(erasure)

    async def _delete(self, erasure: Erasure) -> None:
        run_ids = [record.run.run_id for record in await self._store.runs_to_erase(erasure)]
        await self._runner.end_runs(run_ids, _CAUSES[erasure.subject])
        await self._event_log.delete(run_ids)
        await self._store.erase_runs(erasure)
        _log.info("erased", subject=erasure.subject.value, runs=len(run_ids))

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._round_seconds)
            await self._round()

    async def _round(self) -> None:
        try:
            if unfinished := await self._store.unfinished_erasures():
                await self._finish(unfinished)
            if self._retention_seconds:
                await self._enforce_retention()
        except Exception as error:  # noqa: BLE001 -- the next round tries again, whatever it was
            _failed(error)

    async def _enforce_retention(self) -> None:
        before_ns = time.time_ns() - int(self._retention_seconds * 1_000_000_000)
        while expired := await self._store.expired_series(before_ns, BATCH):
            begun = [erasure for erasure in expired if await self._store.begin_erasure(erasure)]
            await self._finish(begun)


def _failed(error: BaseException) -> None:
    # The type and the places, never the message: it may quote a text.
    faults = {} if isinstance(error, FabulaError) else {"places": places(error)}
    _log.error("erasing_failed", error=type(error).__name__, **faults)
