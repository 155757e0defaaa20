"""Stories are read, listed and erased; what was erased once stays a success."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import grpc
import pytest
from google.rpc import status_pb2

from fabula import FabulaClient, NotFound, NotImplementedYet, Unavailable
from fabula.child.v1.child_pb2 import Child
from fabula.listing import newest_branch
from fabula.story.v1.story_pb2 import Chapter, Story
from tests.clients.python.conftest import HASTY
from tests.clients.python.scripted import Scripted
from tests.clients.python.statuses import LOST, status

Code = grpc.StatusCode
Erase: TypeAlias = Callable[[FabulaClient], Awaitable[None]]

ERASERS = [
    pytest.param(lambda client: client.delete_child("7"), "CHILD_NOT_FOUND", id="delete_child"),
    pytest.param(lambda client: client.delete_story("s1"), "STORY_NOT_FOUND", id="delete_story"),
]


@pytest.fixture
def full(service: Scripted) -> Scripted:
    service.stories.append(Story(story_id="s1", child_id="7", chapters=[Chapter(chapter_id="ch1")]))
    service.children.append(Child(child_id="7"))
    return service


async def test_a_story_is_read_with_its_chapters_and_repeated_while_unavailable(
    client: FabulaClient, full: Scripted
) -> None:
    full.refusals.append(LOST)
    assert await client.get_story("s1") == full.stories[0]
    with pytest.raises(NotFound) as caught:
        await client.get_story("s2")
    assert caught.value.reason == "STORY_NOT_FOUND"


async def test_stories_are_listed_page_after_page_for_one_child(client: FabulaClient, service: Scripted) -> None:
    service.stories = [Story(story_id=f"s{number}") for number in range(5)]
    listed = [story.story_id async for story in client.list_stories("7", page_size=2)]
    assert listed == [f"s{number}" for number in range(5)]
    assert [(call.request.child_id, call.request.page_token) for call in service.heard] == [
        ("7", ""),
        ("7", "2"),
        ("7", "4"),
    ]


@pytest.mark.parametrize(("erase", "reason"), ERASERS)
async def test_a_deletion_that_broke_off_after_it_was_done_is_a_success(
    client: FabulaClient, full: Scripted, erase: Erase, reason: str
) -> None:
    full.breaks.append(LOST)
    full.refusals.append(LOST)
    await erase(client)
    assert len(full.heard) == 3
    assert len(full.stories) + len(full.children) == 1


@pytest.mark.parametrize(("erase", "reason"), ERASERS)
async def test_deleting_what_was_never_there_is_not_found(
    client: FabulaClient, service: Scripted, erase: Erase, reason: str
) -> None:
    with pytest.raises(NotFound) as caught:
        await erase(client)
    assert (caught.value.reason, len(service.heard)) == (reason, 1)


@pytest.mark.parametrize(("erase", "reason"), ERASERS)
@pytest.mark.parametrize("away", ["SHUTTING_DOWN", "IDENTITY_UNAVAILABLE"])
async def test_a_deletion_that_was_turned_away_before_is_still_not_found(
    client: FabulaClient, service: Scripted, erase: Erase, reason: str, away: str
) -> None:
    service.refusals.append(status(Code.UNAVAILABLE, away))
    with pytest.raises(NotFound) as caught:
        await erase(client)
    assert (caught.value.reason, len(service.heard)) == (reason, 2)


@pytest.mark.parametrize(("erase", "reason"), ERASERS)
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([LOST, status(Code.NOT_FOUND)], NotFound),
        ([LOST] * (HASTY.attempts + 1), Unavailable),
        ([status(Code.UNIMPLEMENTED, "NOT_IMPLEMENTED")], NotImplementedYet),
    ],
    ids=["not found, but not by the service", "never answered", "not implemented"],
)
async def test_a_deletion_is_no_success_unless_the_service_says_so(
    client: FabulaClient,
    full: Scripted,
    erase: Erase,
    reason: str,
    answers: list[status_pb2.Status],
    expected: type[Exception],
) -> None:
    full.refusals.extend(answers)
    with pytest.raises(expected):
        await erase(client)
    assert len(full.heard) == len(answers)
    assert len(full.stories) + len(full.children) == 2


def chapter(name: str, parent: str = "") -> Chapter:
    return Chapter(chapter_id=name, parent_chapter_id=parent)


@pytest.mark.parametrize(
    ("told", "branch"),
    [
        ([], []),
        ([chapter("a")], ["a"]),
        ([chapter("a"), chapter("b", "a"), chapter("c", "b")], ["a", "b", "c"]),
        ([chapter("a"), chapter("b", "a"), chapter("c", "b"), chapter("d", "a")], ["a", "d"]),
        ([chapter("b", "gone")], ["b"]),
        ([chapter("a", "b"), chapter("b", "a")], ["a", "b"]),
    ],
    ids=["empty", "one", "a line", "a branch", "a parent that is gone", "a circle"],
)
def test_the_newest_branch_leads_from_the_first_chapter_to_the_last_told(
    told: list[Chapter], branch: list[str]
) -> None:
    assert [each.chapter_id for each in newest_branch(told)] == branch
