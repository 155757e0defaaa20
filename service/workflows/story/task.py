"""What one run of the story workflow is to do: the request, completed from the child's profile."""

from dataclasses import dataclass

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2

_INTERMEDIATE_AGE, _ADVANCED_AGE = 6, 9


@dataclass(frozen=True, slots=True)
class StoryTask:
    """Everything a run needs to know. `turn` is the reader's own words, empty when there are none."""

    theme: str
    title: str
    chapter_number: int
    story_id: str
    nickname: str
    age: int
    reading_level: "child_pb2.ReadingLevel.ValueType"
    interests: tuple[str, ...]
    avoid_topics: tuple[str, ...]
    language: str
    turn: str
    release: "run_pb2.Release.ValueType"


def story_task(request: story_pb2.GenerateStoryRequest, child: child_pb2.Child, story_id: str) -> StoryTask:
    """The task of a valid request for this child."""
    age = request.age if request.HasField("age") else child.age
    own_level = child.reading_level and not request.HasField("age")
    return StoryTask(
        theme=request.theme.strip(),
        title=request.title.strip(),
        chapter_number=request.chapter_number or 1,
        story_id=story_id,
        nickname=child.nickname,
        age=age,
        reading_level=child.reading_level if own_level else level_of_age(age),
        interests=tuple(child.interests),
        avoid_topics=tuple(child.avoid_topics),
        language=child.language or "en",
        turn=request.custom_user_input.strip(),
        release=request.release,
    )


def level_of_age(age: int) -> "child_pb2.ReadingLevel.ValueType":
    """The reading level that most children of this age have."""
    if age < _INTERMEDIATE_AGE:
        return child_pb2.READING_LEVEL_BEGINNER
    return child_pb2.READING_LEVEL_INTERMEDIATE if age < _ADVANCED_AGE else child_pb2.READING_LEVEL_ADVANCED
