"""Profiles are made once, changed as asked, and erased for good, whatever becomes of the connection."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from fabula import FabulaClient, NotFound, OutcomeUnknown, Overloaded, ReadingLevel, RetryPolicy, Unavailable
from fabula.child.v1.child_pb2 import Child, CreateChildRequest, TopicList, UpdateChildRequest
from tests.clients.python.conftest import HASTY
from tests.clients.python.relay import relaying
from tests.clients.python.scripted import PATIENCE, Scripted, serving
from tests.clients.python.statuses import LOST, retry_in, status

Code = grpc.StatusCode
MIA = Child(child_id="7", nickname="Mia", age=6, interests=["foxes"], language="en", avoid_topics=["spiders"])


def torn() -> status_pb2.Status:
    tear = status(Code.INTERNAL)
    tear.message = "Received RST_STREAM with error code 2"
    return tear


async def test_a_profile_is_made_read_changed_and_erased(client: FabulaClient) -> None:
    made = await client.create_child("Mia", 6, interests=["foxes"])
    assert await client.get_child(made.child_id) == made
    changed = await client.update_child(made.child_id, age=7)
    assert (changed.nickname, changed.age, list(changed.interests)) == ("Mia", 7, ["foxes"])
    assert [child async for child in client.list_children()] == [changed]
    await client.delete_child(made.child_id)
    with pytest.raises(NotFound):
        await client.get_child(made.child_id)


async def test_create_child_sends_what_it_is_given_and_nothing_else(client: FabulaClient, service: Scripted) -> None:
    level = ReadingLevel.READING_LEVEL_ADVANCED
    await client.create_child(
        "Mia", 6, reading_level=level, interests=("foxes", "moons"), language="de", avoid_topics=["spiders"]
    )
    await client.create_child("Ben", 4)
    assert [call.request for call in service.heard] == [
        CreateChildRequest(
            nickname="Mia",
            age=6,
            reading_level=level,
            interests=["foxes", "moons"],
            language="de",
            avoid_topics=["spiders"],
        ),
        CreateChildRequest(nickname="Ben", age=4),
    ]


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({}, UpdateChildRequest()),
        ({"nickname": "Mo"}, UpdateChildRequest(nickname="Mo")),
        ({"age": 7}, UpdateChildRequest(age=7)),
        ({"reading_level": 0}, UpdateChildRequest(reading_level=ReadingLevel.READING_LEVEL_UNSPECIFIED)),
        ({"reading_level": 2}, UpdateChildRequest(reading_level=ReadingLevel.READING_LEVEL_INTERMEDIATE)),
        ({"language": "fr"}, UpdateChildRequest(language="fr")),
        ({"interests": ["a", "b"]}, UpdateChildRequest(interests=TopicList(topics=["a", "b"]))),
        ({"interests": []}, UpdateChildRequest(interests=TopicList())),
        ({"avoid_topics": []}, UpdateChildRequest(avoid_topics=TopicList())),
    ],
    ids=str,
)
async def test_what_is_none_stays_and_an_empty_list_clears(
    client: FabulaClient, service: Scripted, changes: dict[str, Any], sent: UpdateChildRequest
) -> None:
    service.children.append(MIA)
    await client.update_child("7", **changes)
    sent.child_id = "7"
    assert service.heard[0].request == sent


async def test_one_string_is_not_taken_for_a_list_of_topics(client: FabulaClient, service: Scripted) -> None:
    with pytest.raises(TypeError):
        await client.create_child("Mia", 6, avoid_topics="spiders")
    with pytest.raises(TypeError):
        await client.update_child("7", interests="foxes")
    assert service.heard == []


async def test_children_are_listed_page_after_page(client: FabulaClient, service: Scripted) -> None:
    service.children = [Child(child_id=str(number)) for number in range(5)]
    assert [child.child_id async for child in client.list_children(page_size=2)] == ["0", "1", "2", "3", "4"]
    assert [call.request.page_token for call in service.heard] == ["", "2", "4"]


@pytest.mark.parametrize(
    "broken", [LOST, torn(), status(Code.UNAVAILABLE, "STORE_UNAVAILABLE")], ids=["lost", "torn", "store"]
)
async def test_a_child_that_may_have_been_made_is_not_made_again(
    client: FabulaClient, service: Scripted, broken: status_pb2.Status
) -> None:
    service.breaks.append(broken)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_child("Mia", 6)
    assert (service.methods, len(service.children)) == (["CreateChild"], 1)
    assert not caught.value.transient
    assert "Whether the call was done is not known." in caught.value.message


async def test_a_connection_that_breaks_under_create_child_makes_no_second_child(
    service: Scripted, address: str
) -> None:
    service.answer.clear()
    async with relaying(address) as relay, FabulaClient(relay.address, retry=HASTY) as client:
        task = asyncio.create_task(client.create_child("Mia", 6))
        await asyncio.wait_for(service.asked.wait(), PATIENCE)
        relay.cut()
        with pytest.raises(OutcomeUnknown):
            await asyncio.wait_for(task, PATIENCE)
    assert service.methods == ["CreateChild"]


@pytest.mark.parametrize(
    "refusal",
    [
        status(Code.UNAVAILABLE, "SHUTTING_DOWN"),
        status(Code.UNAVAILABLE, "IDENTITY_UNAVAILABLE"),
        status(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", retry_in(0.001)),
    ],
    ids=["shutting down", "identity", "rate limited"],
)
async def test_create_child_is_repeated_when_it_was_turned_away_undone(
    client: FabulaClient, service: Scripted, refusal: status_pb2.Status
) -> None:
    service.refusals.extend([refusal] * HASTY.attempts)
    assert (await client.create_child("Mia", 6)).nickname == "Mia"
    service.refusals.extend([refusal] * (HASTY.attempts + 1))
    with pytest.raises(Unavailable if refusal.code == Code.UNAVAILABLE.value[0] else Overloaded):
        await client.create_child("Ben", 4)
    assert len(service.children) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.invalid"])
async def test_create_child_is_unavailable_and_surely_undone_when_nobody_answers(host: str) -> None:
    async with serving(Scripted([])) as port:
        pass
    async with FabulaClient(f"{host}:{port}", retry=RetryPolicy(0.001, 0.001, attempts=2)) as nobody:
        with pytest.raises(Unavailable):
            await nobody.create_child("Mia", 6)


async def test_reading_and_changing_a_child_are_repeated_like_other_calls(
    client: FabulaClient, service: Scripted
) -> None:
    service.children.append(MIA)
    service.refusals.append(LOST)
    await client.get_child("7")
    service.refusals.append(LOST)
    assert [child async for child in client.list_children()] == [MIA]
    service.breaks.append(LOST)
    assert (await client.update_child("7", age=8)).age == 8
    assert service.methods == [name for name in ("GetChild", "ListChildren", "UpdateChild") for _ in range(2)]
