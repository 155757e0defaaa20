"""What every ArtifactStore promises."""

from dataclasses import replace

import pytest

from fabula.run.v1 import run_pb2
from service.errors import RunNotFound
from service.runtime.run import CANCELLED, FAILED, RUNNING, SUCCEEDED
from service.runtime.stores import Artifact, Series, SeriesQuery, Store
from tests.service.backends.samples import artifact, record, with_state


async def _make(store: Store, made: Artifact, principal: str = "house", child_id: str = "1") -> Artifact:
    """A run that has succeeded and made this."""
    run = (await store.create_run(record(made.run_id, principal, story_id=made.series_id, child_id=child_id))).run
    await store.keep(made)
    assert await store.update_run(with_state(run, SUCCEEDED), RUNNING)
    return made


async def _listed(store: Store, query: SeriesQuery) -> list[str]:
    return [series.first.series_id for series in await store.list_series(query)]


async def test_what_a_run_made_is_there_once_it_has_succeeded(store: Store) -> None:
    run = (await store.create_run(record("a"))).run
    made = artifact("a", first=True)
    await store.keep(made)
    assert await store.artifacts("house", "tale") == []
    assert await store.list_series(SeriesQuery("house", 10)) == []

    await store.update_run(with_state(run, SUCCEEDED), RUNNING)

    assert await store.artifacts("house", "tale") == [made]
    assert await store.list_series(SeriesQuery("house", 10)) == [Series("1", made, made)]
    assert await store.artifacts("stranger", "tale") == []
    assert await store.artifacts("house", "other") == []


async def test_a_run_keeps_what_it_stored_last(store: Store) -> None:
    await store.create_run(record("a"))
    await store.keep(artifact("a"))
    changed = Artifact("a", "other", True, 7, bytes(range(256)))
    await store.keep(changed)
    await store.update_run(with_state(record("a").run, SUCCEEDED), RUNNING)

    assert await store.artifacts("house", "tale") == []
    assert await store.artifacts("house", "other") == [changed]


async def test_nothing_is_kept_of_a_run_that_is_not_stored(store: Store) -> None:
    with pytest.raises(RunNotFound):
        await store.keep(artifact("missing"))


@pytest.mark.parametrize("state", [FAILED, CANCELLED])
async def test_a_run_that_does_not_succeed_loses_what_it_made(
    store: Store, state: "run_pb2.RunState.ValueType"
) -> None:
    run = (await store.create_run(record("a"))).run
    await store.keep(artifact("a", first=True))
    assert not await store.update_run(with_state(run, FAILED), SUCCEEDED)
    await store.update_run(with_state(run, state), RUNNING)
    await store.update_run(with_state(run, SUCCEEDED), state)

    assert await store.artifacts("house", "tale") == []


async def test_artifacts_are_in_the_order_of_their_making(store: Store) -> None:
    made = [await _make(store, artifact(run_id, create_time_ns=ns)) for run_id, ns in (("b", 2), ("c", 1), ("a", 2))]

    assert await store.artifacts("house", "tale") == [made[1], made[2], made[0]]


async def test_a_series_is_listed_by_its_first_and_shows_its_newest(store: Store) -> None:
    first = await _make(store, artifact("a", create_time_ns=5, first=True), child_id="9")
    newest = await _make(store, artifact("b", create_time_ns=7), child_id="9")
    await _make(store, artifact("c", create_time_ns=6), child_id="9")
    await store.create_run(record("d"))
    await store.keep(artifact("d", create_time_ns=8))

    assert await store.list_series(SeriesQuery("house", 10)) == [Series("9", first, newest)]


async def test_a_series_without_its_first_is_not_listed(store: Store) -> None:
    await _make(store, artifact("a"))

    assert await store.list_series(SeriesQuery("house", 10)) == []


async def test_series_are_listed_newest_beginning_first_and_by_their_filters(store: Store) -> None:
    for n in range(9):
        made = artifact(f"run{n}", f"tale{n}", create_time_ns=10 + n // 2, first=True)
        await _make(store, made, child_id=str(n % 2))
        await _make(store, replace(made, run_id=f"next{n}", first=False, create_time_ns=99 - n))
    await _make(store, artifact("foreign", "foreign", first=True), "stranger")

    listed: list[str] = []
    before: tuple[int, str] | None = None
    while page := await store.list_series(SeriesQuery("house", 4, before=before)):
        listed.extend(series.first.series_id for series in page)
        before = (page[-1].first.create_time_ns, page[-1].first.series_id)

    assert listed == [f"tale{n}" for n in reversed(range(9))]
    assert await _listed(store, SeriesQuery("house", 10, child_id="1")) == ["tale7", "tale5", "tale3", "tale1"]
    assert await _listed(store, SeriesQuery("house", 1, child_id="1", before=(12, "tale5"))) == ["tale3"]
    assert await _listed(store, SeriesQuery("stranger", 10)) == ["foreign"]
