"""ChildService: profiles are made, changed by what is present, listed page by page, and erased to the last byte."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from service.runtime.spec import LOCAL_PRINCIPAL
from tests.harness import WITHIN
from tests.service.backends.samples import bytes_on_disk
from tests.service.rpc.children import DEMO, NAME, Nursery, nursery
from tests.service.rpc.raw import refusal
from tests.service.runtime.scripted import CANARY, Work, content, read_on, spec, telling

NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Nursery]:
    async with asyncio.timeout(WITHIN), nursery(tmp_path) as opened:
        yield opened


async def create(served: Nursery, **fields: Any) -> child_pb2.Child:
    values: dict[str, Any] = {"nickname": "Ida", "age": 7} | fields
    return (await served.stub.CreateChild(child_pb2.CreateChildRequest(**values))).child


async def update(served: Nursery, child_id: str, **fields: Any) -> child_pb2.Child:
    return (await served.stub.UpdateChild(child_pb2.UpdateChildRequest(child_id=child_id, **fields))).child


async def get(served: Nursery, child_id: str) -> child_pb2.Child:
    return (await served.stub.GetChild(child_pb2.GetChildRequest(child_id=child_id))).child


async def page(served: Nursery, size: int = 0, token: str = "") -> tuple[list[str], str]:
    answer = await served.stub.ListChildren(child_pb2.ListChildrenRequest(page_size=size, page_token=token))
    return [child.child_id for child in answer.children], answer.next_page_token


async def test_a_profile_is_stored_tidied(served: Nursery) -> None:
    child = await create(
        served,
        nickname="  Ida Lou ",
        reading_level=child_pb2.READING_LEVEL_ADVANCED,
        interests=[" stars", "stars ", "old trains"],
        avoid_topics=["spiders", "dogs", "spiders"],
    )

    assert (child.nickname, child.age, child.reading_level) == ("Ida Lou", 7, child_pb2.READING_LEVEL_ADVANCED)
    assert (list(child.interests), list(child.avoid_topics)) == (["stars", "old trains"], ["spiders", "dogs"])
    assert child.language == "en"
    assert child.create_time.ToNanoseconds() == child.update_time.ToNanoseconds() > 0
    assert await get(served, child.child_id) == child
    assert (await create(served)).child_id != child.child_id
    assert (await create(served, language="de-AT")).language == "de-AT"


async def test_what_is_absent_stays_and_what_is_empty_is_cleared(served: Nursery) -> None:
    made = await create(served, reading_level=3, interests=["stars"], avoid_topics=["dogs"], language="de")
    changes: list[tuple[dict[str, Any], dict[Any, Any]]] = [
        ({}, {}),
        ({"nickname": " Ada "}, {"nickname": "Ada"}),
        ({"age": 9}, {"age": 9}),
        ({"reading_level": 0}, {"reading_level": 0}),
        ({"language": "fr"}, {"language": "fr"}),
        ({"interests": child_pb2.TopicList(topics=["a", " a", "b"])}, {"interests": ["a", "b"]}),
        ({"interests": child_pb2.TopicList()}, {"interests": []}),
        ({"avoid_topics": child_pb2.TopicList()}, {"avoid_topics": []}),
    ]
    for fields, expected in changes:
        before = await get(served, made.child_id)
        changed = await update(served, made.child_id, **fields)
        assert changed.update_time.ToNanoseconds() > before.update_time.ToNanoseconds()
        assert changed == await get(served, made.child_id)
        for name in expected:
            before.ClearField(name)
        before.MergeFrom(child_pb2.Child(**expected))
        before.update_time.CopyFrom(changed.update_time)
        assert changed == before


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        (
            "CreateChild",
            child_pb2.CreateChildRequest(nickname=" ", age=6, interests=["a", " "], avoid_topics=[" "]),
            ["nickname", "interests[1]", "avoid_topics[0]"],
        ),
        (
            "UpdateChild",
            child_pb2.UpdateChildRequest(
                child_id="1",
                nickname="\u2003",
                interests=child_pb2.TopicList(topics=[" "]),
                avoid_topics=child_pb2.TopicList(topics=["a", "  "]),
            ),
            ["nickname", "interests.topics[0]", "avoid_topics.topics[1]"],
        ),
        (
            "CreateChild",
            child_pb2.CreateChildRequest(nickname="a", age=6, avoid_topics=[" "] * 50),
            [f"avoid_topics[{index}]" for index in range(20)],
        ),
        ("CreateChild", child_pb2.CreateChildRequest(interests=["x", ""]), ["nickname", "age", "interests[1]"]),
        ("ListChildren", child_pb2.ListChildrenRequest(page_size=500), ["page_size"]),
        ("UpdateChild", child_pb2.UpdateChildRequest(child_id="1", nickname=""), ["nickname"]),
        ("DeleteChild", child_pb2.DeleteChildRequest(), ["child_id"]),
    ],
)
async def test_what_breaks_a_constraint_is_named_and_changes_nothing(
    served: Nursery, method: str, request_: Message, fields: list[str]
) -> None:
    answer = await refusal(served.channel, f"{NAME}/{method}", request_)

    assert (answer.code, answer.reason) == (INVALID, "VALIDATION_FAILED")
    assert list(answer.violations) == fields
    assert await page(served) == (["1"], "")
    assert await get(served, "1") == DEMO


async def test_what_is_unfit_is_refused_and_changes_nothing(served: Nursery) -> None:
    for method, request in (
        ("CreateChild", child_pb2.CreateChildRequest(nickname="unfit", age=6, interests=["a"])),
        ("UpdateChild", child_pb2.UpdateChildRequest(child_id="1", nickname="unfit", interests=child_pb2.TopicList())),
    ):
        answer = await refusal(served.channel, f"{NAME}/{method}", request)
        assert (answer.code, answer.reason) == (INVALID, "INPUT_UNFIT")
        assert answer.violations == {"nickname": "is not fit"}
        assert not answer.tells_internals()
    assert served.check.given == [{"nickname", "age", "interests"}, {"nickname", "interests"}]
    assert await page(served) == (["1"], "")
    assert await get(served, "1") == DEMO


@pytest.mark.parametrize("child_id", ["missing", "2"])
async def test_a_child_that_is_missing_or_somebody_elses_is_not_found(served: Nursery, child_id: str) -> None:
    for method, request in (
        ("GetChild", child_pb2.GetChildRequest(child_id=child_id)),
        ("UpdateChild", child_pb2.UpdateChildRequest(child_id=child_id, age=9)),
        ("DeleteChild", child_pb2.DeleteChildRequest(child_id=child_id)),
    ):
        answer = await refusal(served.channel, f"{NAME}/{method}", request)
        assert (answer.code, answer.reason) == (NOT_FOUND, "CHILD_NOT_FOUND")
    assert await served.backends.store.get_child("stranger", "2") is not None


async def test_pages_hold_every_child_once_newest_first(served: Nursery) -> None:
    made = [(await create(served)).child_id for _ in range(7)]

    listed: list[list[str]] = []
    token = ""
    while not listed or token:
        found, token = await page(served, 3, token)
        listed.append(found)
    assert [len(found) for found in listed] == [3, 3, 2]
    assert [child_id for found in listed for child_id in found] == [*reversed(made), "1"]

    _, token = await page(served, 1)
    request = child_pb2.ListChildrenRequest(page_token=token[:-4])
    answer = await refusal(served.channel, f"{NAME}/ListChildren", request)
    assert (answer.code, answer.reason) == (INVALID, "PAGE_TOKEN_INVALID")


async def test_a_child_is_erased_to_the_last_byte_and_its_run_under_way_is_cancelled(
    served: Nursery, tmp_path: Path
) -> None:
    child_id = (await create(served, interests=[CANARY])).child_id
    mine: dict[str, Any] = {"principal": LOCAL_PRINCIPAL, "child_id": child_id}
    await read_on(await served.runner.start(spec(telling(content(CANARY)), **mine)))
    work = Work()
    reading = asyncio.create_task(read_on(await served.runner.start(spec(work, request_id=CANARY, **mine))))
    await work.begun.wait()
    assert CANARY.encode() in bytes_on_disk(tmp_path)

    await served.stub.DeleteChild(child_pb2.DeleteChildRequest(child_id=child_id))

    assert CANARY.encode() not in bytes_on_disk(tmp_path)
    assert (await reading)[-1].error.code == run_pb2.ERROR_REASON_RUN_CANCELLED
    answer = await refusal(served.channel, f"{NAME}/GetChild", child_pb2.GetChildRequest(child_id=child_id))
    assert (answer.code, answer.reason) == (NOT_FOUND, "CHILD_NOT_FOUND")
    assert await page(served) == (["1"], "")
