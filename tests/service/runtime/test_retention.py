"""What is older than the retention goes, in batches and hour by hour; a failure is logged and tried again."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from service.errors import StoreUnavailable
from service.runtime import eraser as module
from service.runtime.eraser import Eraser
from service.runtime.run import FAILED, RUNNING, SUCCEEDED
from service.runtime.stores import Erasure, RunQuery
from tests.harness import WITHIN
from tests.service.backends.samples import record
from tests.service.runtime.scripted import (
    CANARY,
    ScriptedLog,
    ScriptedStore,
    read_on,
    running,
    spec,
    telling,
    turns,
)

DAY_SECONDS = 86_400.0


class Rounds(ScriptedStore):
    """Each look for what is unfinished is the beginning of a round; it takes a fault of `faults`."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []
        self._began: asyncio.Queue[None] = asyncio.Queue()

    async def unfinished_erasures(self) -> Sequence[Erasure]:
        self._began.put_nowait(None)
        if self.faults:
            raise self.faults.pop()
        return await super().unfinished_erasures()

    async def whole_round(self) -> None:
        """Returns once a round that begins after now is over: when the one after it begins."""
        while not self._began.empty():
            self._began.get_nowait()
        for _ in range(2):
            await self._began.get()

    def rounds(self) -> int:
        """How many began since the last whole one."""
        return self._began.qsize()


async def _stored(store: ScriptedStore) -> set[str]:
    return {found.run.run_id for found in await store.list_runs(RunQuery("house", 1_000))}


async def test_entering_erases_what_is_too_old_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 4)
    log, store = ScriptedLog(), ScriptedStore()
    for n in range(11):
        await store.create_run(record(f"old{n}", story_id=f"tale{n}", state=(SUCCEEDED, FAILED)[n % 2]))
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(telling(), story_id="new"))
        await read_on(subscription)
        await store.create_run(record("begun", story_id="new", state=SUCCEEDED))
        await store.create_run(record("open", story_id="open", state=RUNNING))
        async with Eraser(log, store, runner, DAY_SECONDS):
            assert await _stored(store) == {subscription.run.run_id, "begun", "open"}
    assert await store.unfinished_erasures() == []
    assert await store.get_child("house", "1") is not None


async def test_without_a_retention_everything_stays() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    await store.create_run(record("old", state=SUCCEEDED))
    async with running(log, store) as runner, Eraser(log, store, runner, 0):
        assert await _stored(store) == {"old"}


async def test_a_round_comes_again_and_again_until_the_eraser_is_left() -> None:
    log, store = ScriptedLog(), Rounds()
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        async with Eraser(log, store, runner, DAY_SECONDS, round_seconds=0):
            for n in range(3):
                await store.create_run(record(f"old{n}", story_id=f"tale{n}", state=SUCCEEDED))
                await store.whole_round()
                assert await _stored(store) == set()
        begun = store.rounds()
        await turns()
        assert store.rounds() == begun


@pytest.mark.parametrize("fault", [StoreUnavailable(CANARY), ValueError(CANARY)])
async def test_a_round_that_fails_is_logged_without_its_text_and_tried_again(fault: Exception) -> None:
    log, store = ScriptedLog(), Rounds()
    store.faults = [fault]
    await store.create_run(record("old", state=SUCCEEDED))
    async with running(log, store) as runner, asyncio.timeout(WITHIN):
        with capture_logs() as logs:
            async with Eraser(log, store, runner, DAY_SECONDS, round_seconds=0):
                assert await _stored(store) == {"old"}
                await store.whole_round()
                assert await _stored(store) == set()
    [line] = [line for line in logs if line["event"] == "erasing_failed"]
    assert line["error"] == type(fault).__name__
    assert CANARY not in str(line)
