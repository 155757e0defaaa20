"""Erasing leaves nothing, whatever is under way, whoever asks at once, and wherever a crash comes between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from fabula.run.v1 import run_pb2
from service.backends import open_backends
from service.errors import ChildNotFound, RunNotFound, StoreUnavailable, StoryNotFound
from service.runtime.eraser import Eraser
from service.runtime.ports import EventLog
from service.runtime.runner import Runner
from service.runtime.stores import Artifact, Erasure, RunRecord, Store, Subject
from tests.harness import WITHIN
from tests.service.backends.samples import bytes_on_disk, child_record
from tests.service.runtime.scripted import (
    CANARY,
    Gate,
    ScriptedLog,
    ScriptedStore,
    Work,
    content,
    read_on,
    running,
    spec,
    telling,
    turns,
)

CHILD = Erasure("house", Subject.CHILD, "1")


class LateStore(ScriptedStore):
    """A run that it has stored is answered at `stored`: its start is past the store and not yet under way."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = Gate()

    async def create_run(self, record: RunRecord) -> RunRecord:
        created = await super().create_run(record)
        await self.stored.enter()
        return created


@asynccontextmanager
async def erasing(log: EventLog, store: Store, **limits: Any) -> AsyncIterator[tuple[Runner, Eraser]]:
    async with running(log, store, **limits) as runner, Eraser(log, store, runner, 0) as eraser:
        yield runner, eraser


async def told(runner: Runner, **changes: Any) -> str:
    """A run that has ended."""
    subscription = await runner.start(spec(telling(content(CANARY)), **changes))
    await read_on(subscription)
    return subscription.run.run_id


async def nothing_left(log: EventLog, store: Store, run_id: str) -> bool:
    return not await log.read(run_id, 0, 10) and await store.get_run(run_id) is None


async def test_a_child_is_erased_with_its_stories_and_nobody_elses() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    async with erasing(log, store) as (runner, eraser), asyncio.timeout(WITHIN):
        mine = [await told(runner, story_id=story_id) for story_id in ("one", "two")]
        others = [await told(runner, child_id="2"), await told(runner, principal="stranger")]
        await store.keep(Artifact(mine[0], "one", True, 1, b"chapter"))
        await eraser.erase_child("house", "1")

        assert await store.get_child("house", "1") is None
        assert all([await nothing_left(log, store, run_id) for run_id in mine])
        assert await store.artifacts("house", "one") == []
        assert not any([await nothing_left(log, store, run_id) for run_id in others])
        for run_id in mine:
            for question in (runner.get_run("house", run_id), runner.watch("house", run_id, 0)):
                with pytest.raises(RunNotFound):
                    await question
        with pytest.raises(ChildNotFound):
            await runner.start(spec(telling()))
        assert await store.unfinished_erasures() == []


async def test_a_story_is_erased_and_its_child_is_told_others() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    async with erasing(log, store) as (runner, eraser), asyncio.timeout(WITHIN):
        run_ids = [await told(runner) for _ in range(3)]
        other = await told(runner, story_id="other")
        await eraser.erase_story("house", "tale")

        assert all([await nothing_left(log, store, run_id) for run_id in run_ids])
        assert not await nothing_left(log, store, other)
        with pytest.raises(StoryNotFound):
            await runner.start(spec(telling()))
        await told(runner, story_id="next")


async def test_what_is_missing_or_foreign_or_erased_is_not_found() -> None:
    async with erasing(ScriptedLog(), ScriptedStore()) as (runner, eraser), asyncio.timeout(WITHIN):
        await told(runner)
        for principal, name in (("house", "missing"), ("stranger", "1"), ("stranger", "tale")):
            with pytest.raises(ChildNotFound):
                await eraser.erase_child(principal, name)
            with pytest.raises(StoryNotFound):
                await eraser.erase_story(principal, name)
        await eraser.erase_story("house", "tale")
        await eraser.erase_child("house", "1")
        with pytest.raises(StoryNotFound):
            await eraser.erase_story("house", "tale")
        with pytest.raises(ChildNotFound):
            await eraser.erase_child("house", "1")


async def test_a_run_under_way_is_cancelled_and_its_watcher_told_why() -> None:
    log, store, work = ScriptedLog(), ScriptedStore(), Work()
    async with erasing(log, store) as (runner, eraser), asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        reading = asyncio.create_task(read_on(subscription))
        await work.begun.wait()
        await eraser.erase_story("house", "tale")

        assert work.cancelled.is_set()
        end = (await reading)[-1].error
        assert (end.code, end.message) == (
            run_pb2.ERROR_REASON_RUN_CANCELLED,
            "The run was cancelled: its story is being erased.",
        )
        assert not runner.active_runs
        assert await nothing_left(log, store, subscription.run.run_id)


async def test_a_start_that_comes_before_the_store_too_late_is_refused() -> None:
    log, store = ScriptedLog(), ScriptedStore()
    async with erasing(log, store, max_streams=1) as (runner, eraser), asyncio.timeout(WITHIN):
        store.gate.shut()
        starting = asyncio.create_task(runner.start(spec(telling())))
        await store.gate.reached.wait()
        erasing_child = asyncio.create_task(eraser.erase_child("house", "1"))
        await turns()
        store.gate.open()
        with pytest.raises(ChildNotFound):
            await starting
        await erasing_child
        await told(runner, child_id="2")


async def test_a_start_that_was_stored_just_before_is_caught() -> None:
    log, store, work = ScriptedLog(), LateStore(), Work()
    async with erasing(log, store) as (runner, eraser), asyncio.timeout(WITHIN):
        store.stored.shut()
        starting = asyncio.create_task(runner.start(spec(work)))
        await store.stored.reached.wait()
        erasing_child = asyncio.create_task(eraser.erase_child("house", "1"))
        await turns()
        assert not erasing_child.done()
        store.stored.open()
        subscription = await starting
        await erasing_child
        assert await nothing_left(log, store, subscription.run.run_id)
        assert not runner.active_runs
        with pytest.raises(RunNotFound):
            await read_on(subscription)


@pytest.mark.parametrize("pause", range(8))
async def test_of_starts_that_race_with_an_erasure_nothing_is_left(tmp_path: Path, pause: int) -> None:
    url = f"sqlite:///{tmp_path}/fabula.db"
    opening = open_backends(url, url, commit_interval_seconds=0, fresh_children=[child_record("1")])
    async with opening as opened, erasing(opened.log, opened.store) as (runner, eraser), asyncio.timeout(WITHIN):
        starting = [asyncio.create_task(runner.start(spec(telling(content(CANARY))))) for _ in range(10)]
        for _ in range(pause * 4):
            await asyncio.sleep(0)
        erasing_child = asyncio.create_task(eraser.erase_child("house", "1"))
        starting += [asyncio.create_task(runner.start(spec(Work()))) for _ in range(10)]
        results = await asyncio.gather(*starting, return_exceptions=True)
        await erasing_child

        assert await opened.store.runs_to_erase(CHILD) == []
        assert not runner.active_runs
        assert CANARY.encode() not in bytes_on_disk(tmp_path)
        for result in results:
            if isinstance(result, BaseException):
                assert isinstance(result, ChildNotFound)
            else:
                assert not await opened.log.read(result.run.run_id, 0, 1)
                result.close()


async def test_those_who_ask_at_once_all_wait_for_the_end() -> None:
    log, store, work = ScriptedLog(), ScriptedStore(), Work(stubborn=True)
    async with erasing(log, store) as (runner, eraser), asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        asking = [asyncio.create_task(eraser.erase_child("house", "1")) for _ in range(5)]
        asking.append(asyncio.create_task(eraser.erase_story("house", "tale")))
        await work.cancelled.wait()
        asking[0].cancel()
        await turns()
        assert [task.done() for task in asking] == [True] + [False] * 5
        work.go.set()
        await asyncio.gather(*asking[1:])
        assert await nothing_left(log, store, subscription.run.run_id)
        assert await store.unfinished_erasures() == []
        subscription.close()


async def test_an_erasure_whose_run_can_not_be_ended_now_fails_and_is_carried_out_when_asked_again() -> None:
    log, store, work = ScriptedLog(), ScriptedStore(), Work()
    async with erasing(log, store) as (runner, eraser), asyncio.timeout(WITHIN):
        subscription = await runner.start(spec(work))
        await work.begun.wait()
        log.down = True
        with pytest.raises(StoreUnavailable):
            await eraser.erase_child("house", "1")
        assert await store.get_child("house", "1") is None
        log.down = False
        await runner.active_runs[subscription.run.run_id].ended.wait()
        await eraser.erase_child("house", "1")
        assert await nothing_left(log, store, subscription.run.run_id)
        subscription.close()


class Broken(Exception):
    """Where the test lets the process crash."""


class Breaking:
    """Passes calls on to a port, and breaks off at one of its methods: before it, or after it was carried out."""

    def __init__(self, port: object, method: str, *, after: bool) -> None:
        self._port = port
        self._method = method
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name != self._method:
            return method

        async def broken(*arguments: Any) -> None:
            if self._after:
                await method(*arguments)
            raise Broken

        return broken


STEPS = [
    ("store", "begin_erasure"),
    ("store", "runs_to_erase"),
    ("log", "delete"),
    ("store", "erase_runs"),
    ("log", "scrub"),
    ("store", "scrub"),
    ("store", "finish_erasure"),
]


@pytest.mark.parametrize("names", [("fabula", "fabula"), ("log", "store")], ids=["one file", "two files"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("port", "method"), STEPS)
async def test_an_erasure_that_a_crash_broke_off_is_finished_by_the_next_start(
    tmp_path: Path, port: str, method: str, after: bool, names: tuple[str, str]
) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in names]
    child = child_record("1", interests=[CANARY])
    options: dict[str, Any] = {"commit_interval_seconds": 0, "fresh_children": [child]}
    async with open_backends(*urls, **options) as opened, running(opened.log, opened.store) as runner:
        run_ids = [await told(runner, request_id=f"{CANARY}{n}") for n in range(3)]
        await opened.store.keep(Artifact(run_ids[0], "tale", True, 1, CANARY.encode()))
        log = cast("EventLog", Breaking(opened.log, method, after=after) if port == "log" else opened.log)
        store = cast("Store", Breaking(opened.store, method, after=after) if port == "store" else opened.store)
        broken = Eraser(log, store, runner, 0)
        with pytest.raises(Broken):
            await broken.erase_child("house", "1")
        finished = (method, after) in (("begin_erasure", False), ("finish_erasure", True))
        assert await opened.store.unfinished_erasures() == ([] if finished else [CHILD])

    async with open_backends(*urls, **options) as opened, erasing(opened.log, opened.store) as (_, eraser):
        if method == "begin_erasure" and not after:
            assert await opened.store.get_child("house", "1") == child.child
            await eraser.erase_child("house", "1")
        assert await opened.store.unfinished_erasures() == []
        assert await opened.store.get_child("house", "1") is None
        assert all([await nothing_left(opened.log, opened.store, run_id) for run_id in run_ids])
        assert CANARY.encode() not in bytes_on_disk(tmp_path)
