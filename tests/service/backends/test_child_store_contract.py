"""What every ChildStore promises."""

import asyncio

import pytest

from fabula.child.v1 import child_pb2
from service.runtime.stores import ChildQuery, Store
from tests.service.backends.samples import CHILDREN, child_record


async def _listed(store: Store, query: ChildQuery) -> list[str]:
    return [child.child_id for child in await store.list_children(query)]


async def test_a_fresh_store_has_its_children(store: Store) -> None:
    for each in CHILDREN:
        assert await store.get_child(each.principal, each.child.child_id) == each.child
    assert await store.get_child("house", "missing") is None


async def test_a_foreign_child_is_as_a_missing_one(store: Store) -> None:
    assert await store.get_child("stranger", "1") is None
    assert await store.update_child("stranger", "1", child_pb2.Child.Clear) is None
    assert await store.get_child("house", "1") == CHILDREN[0].child
    assert await _listed(store, ChildQuery("stranger", 10)) == []


async def test_a_child_comes_back_as_it_was_stored_and_is_the_callers_own(store: Store) -> None:
    given = child_record("a", interests=["stars"])
    await store.create_child(given)
    given.child.nickname = "changed"
    for _ in range(2):
        found = await store.get_child("house", "a")
        assert found == child_record("a", interests=["stars"]).child
        found.nickname = "changed"
        (await store.list_children(ChildQuery("house", 1)))[0].nickname = "changed"


async def test_a_child_id_is_stored_once_whosever_it_is(store: Store) -> None:
    for principal in ("house", "stranger"):
        with pytest.raises(ValueError, match="child_id"):
            await store.create_child(child_record("1", principal))
    assert await store.get_child("house", "1") == CHILDREN[0].child


async def test_a_change_keeps_the_id_and_the_time_of_the_making(store: Store) -> None:
    await store.create_child(child_record("a", create_time_ns=5, interests=["stars"]))

    def change(child: child_pb2.Child) -> None:
        child.Clear()
        child.nickname = "Ida"

    changed = await store.update_child("house", "a", change)

    assert changed is not None
    assert (changed.child_id, changed.nickname, list(changed.interests)) == ("a", "Ida", [])
    assert changed.create_time.ToNanoseconds() == 5
    assert await store.get_child("house", "a") == changed
    changed.nickname = "changed"
    assert (await store.list_children(ChildQuery("house", 1)))[0].nickname == "Ida"


async def test_what_a_change_raises_is_raised_and_changes_nothing(store: Store) -> None:
    def change(child: child_pb2.Child) -> None:
        child.nickname = "changed"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.update_child("house", "1", change)
    assert await store.get_child("house", "1") == CHILDREN[0].child


async def test_of_racing_changes_none_is_lost(store: Store) -> None:
    def older(child: child_pb2.Child) -> None:
        child.age += 1

    await asyncio.gather(*(store.update_child("house", "1", older) for _ in range(50)))

    child = await store.get_child("house", "1")
    assert child is not None
    assert child.age == CHILDREN[0].child.age + 50


async def test_children_are_listed_newest_first_page_by_page(store: Store) -> None:
    for n in range(11):
        await store.create_child(child_record(f"{n:02}", "many", create_time_ns=1_000 + n // 3))
    await store.create_child(child_record("foreign", "other", create_time_ns=1_001))

    listed: list[str] = []
    before: tuple[int, str] | None = None
    while page := await store.list_children(ChildQuery("many", 4, before)):
        listed.extend(child.child_id for child in page)
        before = (page[-1].create_time.ToNanoseconds(), page[-1].child_id)

    assert listed == [f"{n:02}" for n in reversed(range(11))]
