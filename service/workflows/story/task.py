"""What one run of the story workflow is to do: the request, completed from the child's profile and the tale so far."""

from dataclasses import dataclass

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import InvalidRequest, StoryEnded
from service.safety.screen import Screen
from service.workflows.story.tale import StoredChapter

MAX_CHAPTERS = 100

_INTERMEDIATE_AGE, _ADVANCED_AGE = 6, 9


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom the story is. Texts of the profile that are not fit for this age (any more) are left out."""

    nickname: str
    age: int
    reading_level: "child_pb2.ReadingLevel.ValueType"
    interests: tuple[str, ...]
    avoid_topics: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Turn:
    """How the reader lets the story go on; at most one of the two ids of the request, and its text."""

    text: str = ""
    choice_id: str = ""
    custom_user_input: str = ""


@dataclass(frozen=True, slots=True)
class StoryTask:
    """Everything a run needs to know. `branch` holds the chapters before, from the first; empty in a new story."""

    reader: Reader
    theme: str
    title: str
    child_id: str
    story_id: str
    chapter_number: int
    planned_chapters: int
    branch: tuple[StoredChapter, ...]
    turn: Turn
    release: "run_pb2.Release.ValueType"

    @property
    def is_last(self) -> bool:
        """Whether the tale ends with this chapter."""
        return self.chapter_number >= self.planned_chapters

    @property
    def parent_chapter_id(self) -> str:
        return self.branch[-1].chapter_id if self.branch else ""


def make_reader(request: story_pb2.GenerateStoryRequest, child: child_pb2.Child, screen: Screen) -> Reader:
    """The child of the request, at the age of the request."""
    age = reader_age(request, child)
    own_level = child.reading_level and not request.HasField("age")
    return Reader(
        nickname="" if screen.find(child.nickname) else child.nickname,
        age=age,
        reading_level=child.reading_level if own_level else level_of_age(age),
        interests=tuple(interest for interest in child.interests if not screen.find(interest)),
        avoid_topics=tuple(child.avoid_topics),
        language=child.language or "en",
    )


def new_tale(
    request: story_pb2.GenerateStoryRequest, reader: Reader, story_id: str, default_chapters: int
) -> StoryTask:
    """The task of a request that begins a story, and for a caller who keeps the chapters before one in its middle.

    Raises InvalidRequest when it is to end before that chapter.
    """
    number = request.chapter_number or 1
    if 0 < request.planned_chapters < number:
        raise InvalidRequest([("planned_chapters", f"must be at least the chapter_number, {number}")])
    return StoryTask(
        reader=reader,
        theme=request.theme.strip(),
        title=request.title.strip(),
        child_id=request.child_id,
        story_id=story_id,
        chapter_number=number,
        planned_chapters=request.planned_chapters or min(number + default_chapters - 1, MAX_CHAPTERS),
        branch=(),
        turn=Turn(request.custom_user_input.strip(), "", request.custom_user_input),
        release=request.release,
    )


def next_chapter(
    request: story_pb2.GenerateStoryRequest, reader: Reader, branch: tuple[StoredChapter, ...]
) -> StoryTask:
    """The task of a request that continues a story after the last chapter of this branch.

    Raises StoryEnded, and InvalidRequest for a choice or a chapter number that does not follow on that chapter.
    """
    parent = branch[-1]
    if parent.is_last:
        raise StoryEnded("This chapter is the last one of its tale. Continue an earlier one, or begin a new story.")
    number = parent.chapter_number + 1
    if request.chapter_number not in (0, number):
        raise InvalidRequest([("chapter_number", f"the chapter that comes next is {number}; leave it out, or say so")])
    return StoryTask(
        reader=reader,
        theme=parent.theme,
        title=parent.title,
        child_id=parent.child_id,
        story_id=parent.story_id,
        chapter_number=number,
        planned_chapters=parent.planned_chapters,
        branch=branch,
        turn=_turn(request, parent),
        release=request.release,
    )


def reader_age(request: story_pb2.GenerateStoryRequest, child: child_pb2.Child) -> int:
    """In years: the request's if it names one, else the child's."""
    return request.age if request.HasField("age") else child.age


def level_of_age(age: int) -> "child_pb2.ReadingLevel.ValueType":
    """The reading level that most children of this age have."""
    if age < _INTERMEDIATE_AGE:
        return child_pb2.READING_LEVEL_BEGINNER
    return child_pb2.READING_LEVEL_INTERMEDIATE if age < _ADVANCED_AGE else child_pb2.READING_LEVEL_ADVANCED


def _turn(request: story_pb2.GenerateStoryRequest, parent: StoredChapter) -> Turn:
    if not request.choice_id:
        return Turn(request.custom_user_input.strip(), "", request.custom_user_input)
    text = parent.choice(request.choice_id)
    if text is None:
        raise InvalidRequest([("choice_id", "is none of the choices that the chapter ended with; GetStory names them")])
    return Turn(text, request.choice_id)
