"""What a run is to do, from the request and the child's profile."""

import pytest

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.workflows.story.task import level_of_age, story_task

BEGINNER, INTERMEDIATE = child_pb2.READING_LEVEL_BEGINNER, child_pb2.READING_LEVEL_INTERMEDIATE
ADVANCED = child_pb2.READING_LEVEL_ADVANCED
CHILD = child_pb2.Child(child_id="1", nickname="Mia", age=4, reading_level=ADVANCED, interests=["owls", "rain"])


def test_the_childs_profile_completes_the_request() -> None:
    request = story_pb2.GenerateStoryRequest(
        child_id="1", theme=" a fox ", title=" Fox\n", release=run_pb2.RELEASE_TOKEN
    )
    task = story_task(request, CHILD, "story")
    assert (task.theme, task.title, task.chapter_number, task.story_id) == ("a fox", "Fox", 1, "story")
    assert (task.nickname, task.age, task.reading_level, task.interests) == ("Mia", 4, ADVANCED, ("owls", "rain"))
    assert (task.turn, task.release) == ("", run_pb2.RELEASE_TOKEN)


@pytest.mark.parametrize(("age", "level"), [(3, BEGINNER), (4, BEGINNER), (6, INTERMEDIATE), (12, ADVANCED)])
def test_the_age_of_the_request_overrides_the_childs_age_and_its_level(age: int, level: int) -> None:
    task = story_task(story_pb2.GenerateStoryRequest(theme="x", age=age), CHILD, "s")
    assert (task.age, task.reading_level) == (age, level)


def test_a_child_without_a_level_reads_as_most_of_its_age() -> None:
    task = story_task(story_pb2.GenerateStoryRequest(theme="x"), child_pb2.Child(age=7), "s")
    assert (task.age, task.reading_level) == (7, INTERMEDIATE)


def test_the_readers_own_words_are_the_turn() -> None:
    request = story_pb2.GenerateStoryRequest(theme="x", custom_user_input="  fly away ", chapter_number=3)
    task = story_task(request, CHILD, "s")
    assert (task.turn, task.chapter_number) == ("fly away", 3)


def test_every_age_has_a_level_that_never_falls() -> None:
    levels = [level_of_age(age) for age in range(3, 13)]
    assert levels == [BEGINNER] * 3 + [INTERMEDIATE] * 3 + [ADVANCED] * 4
