"""What every ErasureStore promises, and the log's part in an erasure."""

import asyncio

import pytest

from service.errors import ChildNotFound, StoryNotFound
from service.runtime.ports import Batch, EventLog, LogConflictError, LogTail
from service.runtime.run import SUCCEEDED
from service.runtime.stores import ChildQuery, Erasure, RunQuery, SeriesQuery, Store, Subject
from tests.service.backends.samples import artifact, everything, record

CHILD = Erasure("house", Subject.CHILD, "1")
TALE = Erasure("house", Subject.SERIES, "tale")


async def _to_erase(store: Store, erasure: Erasure) -> list[str]:
    return sorted(found.run.run_id for found in await store.runs_to_erase(erasure))


async def _erase(store: Store, erasure: Erasure) -> None:
    assert await store.begin_erasure(erasure)
    await store.erase_runs(erasure)
    await store.scrub()
    await store.finish_erasure(erasure)


async def test_what_is_not_there_can_not_be_erased(store: Store) -> None:
    await store.create_run(record("a"))
    for missing in (
        Erasure("house", Subject.CHILD, "9"),
        Erasure("stranger", Subject.CHILD, "1"),
        Erasure("house", Subject.SERIES, "missing"),
        Erasure("stranger", Subject.SERIES, "tale"),
    ):
        assert not await store.begin_erasure(missing)
    assert await store.unfinished_erasures() == []
    assert await store.get_child("house", "1") is not None
    await store.create_run(record("b"))


async def test_an_erasure_that_has_begun_takes_the_profile_and_refuses_new_runs(store: Store) -> None:
    stored = record("a", request_id="once", story_id="tale")
    await store.create_run(stored)
    assert await store.begin_erasure(CHILD)

    assert await store.get_child("house", "1") is None
    assert await store.list_children(ChildQuery("house", 10)) == []
    assert await store.update_child("house", "1", lambda _: None) is None
    for refused in (record("b", story_id="another"), stored):
        with pytest.raises(ChildNotFound):
            await store.create_run(refused)
    assert await store.get_run("b") is None
    await store.create_run(record("c", "stranger"))
    await store.create_run(record("d", child_id="2"))


async def test_a_story_that_is_being_erased_gets_no_new_run(store: Store) -> None:
    await store.create_run(record("a"))
    assert await store.begin_erasure(TALE)

    with pytest.raises(StoryNotFound):
        await store.create_run(record("b"))
    await store.create_run(record("c", story_id="another"))
    await store.create_run(record("d", "stranger"))
    assert await store.get_child("house", "1") is not None


async def test_an_erasure_takes_its_runs_and_what_they_made_and_no_others(store: Store) -> None:
    for run_id, principal, child_id, story_id in (
        ("a", "house", "1", "tale"),
        ("b", "house", "1", "tale"),
        ("c", "house", "1", "another"),
        ("d", "house", "2", "third"),
        ("e", "stranger", "1", "tale"),
    ):
        await store.create_run(record(run_id, principal, child_id=child_id, story_id=story_id, state=SUCCEEDED))
        await store.keep(artifact(run_id, story_id, first=True))
    assert await _to_erase(store, TALE) == ["a", "b"]
    assert await _to_erase(store, CHILD) == ["a", "b", "c"]

    await _erase(store, TALE)
    assert [await store.get_run(run_id) for run_id in "ab"] == [None, None]
    assert await _to_erase(store, CHILD) == ["c"]
    await _erase(store, CHILD)

    assert {found.run.run_id for found in await store.list_runs(RunQuery("house", 10))} == {"d"}
    assert [series.first.run_id for series in await store.list_series(SeriesQuery("house", 10))] == ["d"]
    assert await store.artifacts("house", "tale") == []
    assert [made.run_id for made in await store.artifacts("stranger", "tale")] == ["e"]
    for erased, error in (("1", ChildNotFound), ("2", StoryNotFound)):
        with pytest.raises(error):
            await store.create_run(record("f", child_id=erased))


async def test_a_request_id_is_free_again_when_its_run_is_erased(store: Store) -> None:
    await store.create_run(record("a", request_id="once"))
    await _erase(store, TALE)

    assert await store.find_run("house", "once") is None
    again = record("b", request_id="once", story_id="new")
    assert await store.create_run(again) == again


async def test_erasures_are_unfinished_until_they_are_finished_and_can_be_begun_again_till_then(store: Store) -> None:
    await store.create_run(record("a"))
    for erasure in (TALE, CHILD):
        assert await store.begin_erasure(erasure)
    assert await store.begin_erasure(TALE)
    await store.erase_runs(TALE)
    assert await store.begin_erasure(TALE)
    assert await store.unfinished_erasures() == [TALE, CHILD]

    await store.scrub()
    for _ in range(2):
        await store.finish_erasure(TALE)
    assert await store.unfinished_erasures() == [CHILD]
    assert not await store.begin_erasure(TALE)
    await store.finish_erasure(CHILD)
    assert not await store.begin_erasure(CHILD)


async def test_only_one_of_racing_erasures_takes_the_child(store: Store) -> None:
    async def once() -> bool:
        return await store.begin_erasure(CHILD)

    assert all(await asyncio.gather(*(once() for _ in range(20)))), "begun and not finished: they may all carry it out"
    assert await store.unfinished_erasures() == [CHILD]


async def test_series_expire_when_their_newest_run_is_old_and_none_is_under_way(store: Store) -> None:
    for run_id, story_id, ns, state in (
        ("a", "old", 1, SUCCEEDED),
        ("b", "old", 2, SUCCEEDED),
        ("c", "continued", 1, SUCCEEDED),
        ("d", "continued", 9, SUCCEEDED),
        ("e", "open", 1, SUCCEEDED),
        ("f", "open", 2, 2),
        ("g", "failed", 3, 5),
        ("h", "", 1, SUCCEEDED),
        ("i", "edge", 5, SUCCEEDED),
    ):
        await store.create_run(record(run_id, story_id=story_id, create_time_ns=ns, state=state))
    await store.create_run(record("j", "stranger", story_id="open", create_time_ns=1, state=SUCCEEDED))

    expired = await store.expired_series(5, 10)

    assert {(each.principal, each.id) for each in expired} == {
        ("house", "old"),
        ("house", "failed"),
        ("stranger", "open"),
    }
    assert len(expired) == 3
    assert {each.subject for each in expired} == {Subject.SERIES}
    assert len(await store.expired_series(5, 2)) == 2
    assert await store.expired_series(1, 10) == []


async def test_a_log_forgets_the_runs_that_are_deleted_and_no_others(log: EventLog) -> None:
    run_ids = [f"run{n}" for n in range(30)]
    for run_id in run_ids:
        await log.append(run_id, Batch(0, [b"a", b"b"], terminal=True))
    await log.delete([*run_ids[:25], "missing"])
    await log.delete([])

    assert await log.tails(run_ids) == {
        run_id: LogTail() if n < 25 else LogTail(1, 2, terminal=True) for n, run_id in enumerate(run_ids)
    }
    assert await everything(log, "run3") == []
    assert len(await everything(log, "run29")) == 2
    await log.scrub()
    assert len(await everything(log, "run29")) == 2
    with pytest.raises(LogConflictError):
        await log.append("run3", Batch(2, [b"late"]))


async def test_deleting_wakes_who_waits_for_one_of_the_runs_events(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a"]))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(log.wait("run", after)) for after in (1, 5)]
        other = group.create_task(log.wait("other", 0))
        await asyncio.sleep(0)
        await log.tails(["missing"])
        assert not any(task.done() for task in waiting)
        await log.delete(["run"])
        await asyncio.gather(*waiting)
        assert not other.done()
        await log.append("other", Batch(0, [b"a"]))


async def test_scrubbing_again_and_together_is_harmless(log: EventLog, store: Store) -> None:
    await log.append("run", Batch(0, [b"a"]))
    await asyncio.gather(*(place.scrub() for _ in range(5) for place in (log, store)))
    await log.append("run", Batch(1, [b"b"]))
    await log.delete(["run"])
    await asyncio.gather(*(place.scrub() for _ in range(5) for place in (log, store)))
    assert await everything(log, "run") == []
