"""What a run is to do, from the request, the child's profile and the tale so far."""

from typing import Any

import pytest

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import InvalidRequest, StoryEnded
from service.safety.screen import Screen
from service.workflows.story.task import (
    Reader,
    StoryTask,
    Turn,
    level_of_age,
    make_reader,
    new_tale,
    next_chapter,
)
from tests.service.workflows.story.samples import CLEAN, READER, make_chapter

BEGINNER, INTERMEDIATE = child_pb2.READING_LEVEL_BEGINNER, child_pb2.READING_LEVEL_INTERMEDIATE
ADVANCED = child_pb2.READING_LEVEL_ADVANCED
CHILD = child_pb2.Child(
    child_id="1",
    nickname="Mia",
    age=4,
    reading_level=ADVANCED,
    interests=["owls", "rain"],
    avoid_topics=["spiders"],
    language="de",
)


def request(**fields: Any) -> story_pb2.GenerateStoryRequest:
    return story_pb2.GenerateStoryRequest(child_id="1", **fields)


def begun(**fields: Any) -> StoryTask:
    return new_tale(request(**fields), READER, "story", 5)


def test_the_childs_profile_tells_who_the_reader_is() -> None:
    assert make_reader(request(), CHILD, CLEAN) == Reader("Mia", 4, ADVANCED, ("owls", "rain"), ("spiders",), "de")


@pytest.mark.parametrize(("age", "level"), [(3, BEGINNER), (4, BEGINNER), (6, INTERMEDIATE), (12, ADVANCED)])
def test_the_age_of_the_request_overrides_the_childs_age_and_its_level(age: int, level: int) -> None:
    reader = make_reader(request(age=age), CHILD, CLEAN)
    assert (reader.age, reader.reading_level) == (age, level)


def test_a_child_without_level_and_language_reads_as_most_of_its_age_and_in_english() -> None:
    reader = make_reader(request(), child_pb2.Child(age=7), CLEAN)
    assert (reader.age, reader.reading_level, reader.language) == (7, INTERMEDIATE, "en")


def test_what_is_not_fit_for_the_reader_any_more_is_left_out_of_the_profile() -> None:
    screen = Screen({"avoid_topics": ["owls", "mia"]})
    reader = make_reader(request(), CHILD, screen)
    assert (reader.nickname, reader.interests) == ("", ("rain",))


def test_a_new_tale_begins_as_the_request_says() -> None:
    task = begun(theme=" a fox ", title=" Fox ", release=run_pb2.RELEASE_TOKEN, planned_chapters=3)
    assert (task.theme, task.title, task.chapter_number, task.story_id) == ("a fox", "Fox", 1, "story")
    assert (task.planned_chapters, task.turn, task.release) == (3, Turn(), run_pb2.RELEASE_TOKEN)
    assert (task.parent_chapter_id, task.is_last) == ("", False)


def test_a_new_tale_has_the_usual_length_from_its_first_chapter_on() -> None:
    assert begun(theme="x").planned_chapters == 5
    assert begun(theme="x", chapter_number=7).planned_chapters == 11
    assert begun(theme="x", chapter_number=98).planned_chapters == 100


def test_a_new_tale_can_not_end_before_its_first_chapter() -> None:
    assert begun(theme="x", chapter_number=7, planned_chapters=7).is_last
    with pytest.raises(InvalidRequest) as refused:
        begun(theme="x", chapter_number=7, planned_chapters=3)
    assert [field for field, _ in refused.value.violations] == ["planned_chapters"]


def test_the_readers_own_words_are_the_turn_and_are_kept_as_they_came() -> None:
    assert begun(theme="x", custom_user_input="  fly away ").turn == Turn("fly away", "", "  fly away ")


def test_the_next_chapter_goes_on_with_the_tale() -> None:
    branch = (make_chapter(1), make_chapter(2))
    task = next_chapter(request(story_id="tale", choice_id="2", theme="another", title="Else"), READER, branch)
    assert (task.chapter_number, task.parent_chapter_id, task.branch) == (3, "run-2", branch)
    assert (task.theme, task.title) == ("a fox who fears the dark", "Ember and the Night")
    assert task.turn == Turn("She sleeps", "2")


def test_a_tale_can_go_on_without_a_turn() -> None:
    assert next_chapter(request(story_id="tale"), READER, (make_chapter(1),)).turn == Turn()


@pytest.mark.parametrize("number", [0, 2])
def test_the_number_of_the_next_chapter_may_be_said(number: int) -> None:
    task = next_chapter(request(story_id="tale", chapter_number=number), READER, (make_chapter(1),))
    assert task.chapter_number == 2


@pytest.mark.parametrize("fields", [{"chapter_number": 1}, {"chapter_number": 3}, {"choice_id": "3"}])
def test_what_does_not_follow_on_the_chapter_is_refused_by_its_field(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        next_chapter(request(story_id="tale", **fields), READER, (make_chapter(1),))
    assert [field for field, _ in refused.value.violations] == list(fields)


def test_after_the_last_chapter_there_is_no_other() -> None:
    with pytest.raises(StoryEnded):
        next_chapter(request(story_id="tale"), READER, (make_chapter(5),))


def test_the_chapter_before_the_last_leads_to_the_last() -> None:
    assert next_chapter(request(story_id="tale"), READER, (make_chapter(4),)).is_last


def test_every_age_has_a_level_that_never_falls() -> None:
    levels = [level_of_age(age) for age in range(3, 13)]
    assert levels == [BEGINNER] * 3 + [INTERMEDIATE] * 3 + [ADVANCED] * 4
