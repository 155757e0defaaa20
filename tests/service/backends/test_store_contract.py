"""What every Store promises."""

import asyncio

import pytest

from fabula.run.v1 import run_pb2
from service.runtime.run import CANCELLED, FAILED, PAUSED, PENDING, RUNNING, SUCCEEDED
from service.runtime.stores import RunQuery, Store
from tests.service.backends.samples import record, with_state


async def _listed(store: Store, query: RunQuery) -> list[str]:
    return [found.run.run_id for found in await store.list_runs(query)]


async def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    stored = record("a", fingerprint=bytes(range(256)), request_id="once", model="ollama:llama3.1")

    assert await store.create_run(stored) == stored
    assert await store.get_run("a") == stored
    assert await store.get_run("b") is None


async def test_what_goes_in_and_comes_out_is_the_callers_own(store: Store) -> None:
    given = record("a", model="first")
    created = await store.create_run(given)
    fetched = await store.get_run("a")
    assert fetched is not None
    for changed in (given, created, fetched, (await store.list_runs(RunQuery("house", 1)))[0]):
        changed.run.model = "changed"

    assert await store.get_run("a") == record("a", model="first")


async def test_the_same_request_id_gives_the_run_stored_before(store: Store) -> None:
    first = await store.create_run(record("a", request_id="once"))

    assert await store.create_run(record("b", request_id="once", fingerprint=b"other")) == first
    assert await store.get_run("b") is None


async def test_request_ids_belong_to_their_principal(store: Store) -> None:
    await store.create_run(record("a", "one", request_id="once"))

    assert (await store.create_run(record("b", "two", request_id="once"))).run.run_id == "b"


async def test_runs_without_a_request_id_are_never_the_same(store: Store) -> None:
    for run_id in "abc":
        assert (await store.create_run(record(run_id))).run.run_id == run_id


async def test_a_run_id_is_stored_once(store: Store) -> None:
    await store.create_run(record("a", model="first"))

    with pytest.raises(ValueError, match="run_id"):
        await store.create_run(record("a", model="second"))

    assert await store.get_run("a") == record("a", model="first")


async def test_a_run_is_found_by_its_principal_and_request_id(store: Store) -> None:
    first = await store.create_run(record("a", "one", request_id="once"))
    await store.create_run(record("b", "two", request_id="other"))
    await store.create_run(record("c", "one", request_id="another"))

    assert await store.find_run("one", "once") == first
    for principal, request_id in (("two", "once"), ("one", "other"), ("one", "ONCE"), ("one", "on%"), ("", "once")):
        assert await store.find_run(principal, request_id) is None


async def test_no_run_is_found_by_an_empty_request_id(store: Store) -> None:
    await store.create_run(record("a"))

    assert await store.find_run("house", "") is None


async def test_a_run_that_is_found_is_as_it_stands_now_and_the_callers_own(store: Store) -> None:
    first = await store.create_run(record("a", request_id="once"))
    ended = with_state(first.run, SUCCEEDED)
    await store.update_run(ended, RUNNING)
    for _ in range(2):
        found = await store.find_run("house", "once")
        assert found is not None
        assert found.run == ended
        found.run.model = "changed"


async def test_of_fifty_racing_requests_all_get_the_same_run(store: Store) -> None:
    results = await asyncio.gather(*(store.create_run(record(f"run{n}", request_id="once")) for n in range(50)))

    assert len({found.run.run_id for found in results}) == 1
    assert await _listed(store, RunQuery("house", 100)) == [results[0].run.run_id]


async def test_the_request_id_still_holds_after_the_run_has_ended(store: Store) -> None:
    first = await store.create_run(record("a", request_id="once"))
    await store.update_run(with_state(first.run, SUCCEEDED), RUNNING)

    again = await store.create_run(record("b", request_id="once"))

    assert (again.run.run_id, again.run.state) == ("a", SUCCEEDED)


async def test_an_update_replaces_the_message_and_nothing_else(store: Store) -> None:
    first = await store.create_run(record("a", fingerprint=b"mark"))
    changed = with_state(first.run, FAILED)
    changed.error.message = "The model server broke off."

    assert await store.update_run(changed, RUNNING)

    found = await store.get_run("a")
    assert found is not None
    assert (found.run, found.principal, found.fingerprint) == (changed, "house", b"mark")


async def test_an_update_that_expected_another_state_changes_nothing(store: Store) -> None:
    first = await store.create_run(record("a"))

    assert not await store.update_run(with_state(first.run, CANCELLED), PENDING)
    assert not await store.update_run(record("missing").run, RUNNING)

    assert await store.get_run("a") == first
    assert await store.get_run("missing") is None


async def test_of_racing_updates_exactly_one_wins(store: Store) -> None:
    run = (await store.create_run(record("a"))).run
    ends = [SUCCEEDED, FAILED, CANCELLED] * 10

    results = await asyncio.gather(*(store.update_run(with_state(run, end), RUNNING) for end in ends))

    found = await store.get_run("a")
    assert found is not None
    assert [end for end, won in zip(ends, results, strict=True) if won] == [found.run.state]


async def test_runs_are_listed_newest_first_with_their_id_as_tie_break(store: Store) -> None:
    for run_id, create_time_ns in (("a", 5), ("c", 7), ("b", 7), ("d", 6_000_000_000)):
        await store.create_run(record(run_id, create_time_ns=create_time_ns))

    assert await _listed(store, RunQuery("house", 10)) == ["d", "c", "b", "a"]


async def test_pages_hold_every_run_once_also_when_runs_are_added_meanwhile(store: Store) -> None:
    for n in range(23):
        await store.create_run(record(f"run{n:02}", create_time_ns=1_000 + n // 5))
    expected = await _listed(store, RunQuery("house", 100))

    listed: list[str] = []
    before: tuple[int, str] | None = None
    while page := await store.list_runs(RunQuery("house", 4, before=before)):
        listed.extend(found.run.run_id for found in page)
        before = (page[-1].run.create_time.ToNanoseconds(), page[-1].run.run_id)
        await store.create_run(record(f"new{len(listed)}", create_time_ns=9_000 + len(listed)))

    assert listed == expected
    assert len(expected) == 23


async def test_a_listing_holds_only_what_its_filters_name(store: Store) -> None:
    await store.create_run(record("a", "one", child_id="1", state=RUNNING))
    await store.create_run(record("b", "one", child_id="2", state=RUNNING))
    await store.create_run(record("c", "one", child_id="1", state=PAUSED))
    await store.create_run(record("d", "two", child_id="1", state=RUNNING))

    assert await _listed(store, RunQuery("one", 10)) == ["c", "b", "a"]
    assert await _listed(store, RunQuery("one", 10, child_id="1")) == ["c", "a"]
    assert await _listed(store, RunQuery("one", 10, state=RUNNING)) == ["b", "a"]
    assert await _listed(store, RunQuery("one", 10, child_id="1", state=RUNNING)) == ["a"]
    assert await _listed(store, RunQuery("one", 10, child_id="1", before=(1, "c"))) == ["a"]
    assert await _listed(store, RunQuery("' OR 1 = 1 --", 10)) == []


async def test_a_listing_follows_the_state_that_a_run_has_now(store: Store) -> None:
    run = (await store.create_run(record("a"))).run
    await store.update_run(with_state(run, SUCCEEDED), RUNNING)

    assert await _listed(store, RunQuery("house", 10, state=SUCCEEDED)) == ["a"]
    assert await _listed(store, RunQuery("house", 10, state=RUNNING)) == []


async def test_unfinished_runs_are_those_of_every_principal_that_have_not_ended(store: Store) -> None:
    for n, state in enumerate(run_pb2.RunState.values()):
        await store.create_run(record(run_pb2.RunState.Name(state), f"principal{n}", state=state))
    await store.update_run(with_state(record("RUN_STATE_PAUSED").run, CANCELLED), PAUSED)

    unfinished = {found.run.run_id for found in await store.unfinished_runs()}

    assert unfinished == {"RUN_STATE_UNSPECIFIED", "RUN_STATE_PENDING", "RUN_STATE_RUNNING"}
