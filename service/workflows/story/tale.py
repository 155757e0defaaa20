"""What is kept of a tale: its chapters, and what the story bible says of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fabula.story.v1 import story_pb2
from service.errors import ChapterNotFound
from service.runtime.run import timestamp
from service.runtime.stores import Artifact

_FROZEN = ConfigDict(frozen=True)
_MAX_CHARACTERS, _MAX_PLACES, _MAX_THREADS = 8, 8, 6

Line = Annotated[str, Field(min_length=1, max_length=160)]


class Character(BaseModel):
    """Somebody in the tale."""

    model_config = _FROZEN

    name: Annotated[str, Field(min_length=1, max_length=60)]
    about: Annotated[str, Field(max_length=160)] = ""


class Bible(BaseModel):
    """What later chapters must know of a chapter and all before it: who, where, and what is still open."""

    model_config = _FROZEN

    characters: tuple[Character, ...] = ()
    places: tuple[Line, ...] = ()
    open_threads: tuple[Line, ...] = ()

    def texts(self) -> Sequence[str]:
        """All that it says, as a judge is to read it."""
        people = [f"{each.name}: {each.about}" for each in self.characters]
        return [*people, *self.places, *self.open_threads]

    @classmethod
    def lenient(cls, value: object) -> "Bible":
        """The entries of a model's answer that are of the right form and length, and no more of them than are kept.

        A story is not given up because its bible is untidy.
        """
        fields: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        return cls(
            characters=tuple(_valid(Character, fields.get("characters"))[:_MAX_CHARACTERS]),
            places=tuple(_lines(fields.get("places"))[:_MAX_PLACES]),
            open_threads=tuple(_lines(fields.get("open_threads"))[:_MAX_THREADS]),
        )


class StoredChapter(BaseModel):
    """A chapter as it is kept. Later versions may add fields; unknown ones are ignored."""

    model_config = _FROZEN

    chapter_id: str
    parent_chapter_id: str = ""
    story_id: str
    child_id: str
    chapter_number: int
    planned_chapters: int
    title: str
    theme: str
    story_content: str
    choice_id: str = ""
    custom_user_input: str = ""
    turn: str = ""
    choices: tuple[str, ...] = ()
    choice_question: str = ""
    bible: Bible = Bible()

    @field_validator("bible", mode="before")
    @classmethod
    def _read_bible(cls, value: object) -> object:
        return value if isinstance(value, Bible) else Bible.lenient(value)

    @property
    def is_last(self) -> bool:
        return self.chapter_number >= self.planned_chapters

    def choice(self, choice_id: str) -> str | None:
        """The text of one of its choices, which are numbered from 1; None when it has no such choice."""
        return dict(zip(map(str, range(1, len(self.choices) + 1)), self.choices, strict=True)).get(choice_id)


class Tale:
    """The chapters of one story, in the order of their telling; a chapter told from an earlier one is a branch."""

    def __init__(self, artifacts: Sequence[Artifact]) -> None:
        self._artifacts = artifacts
        self._chapters = [StoredChapter.model_validate_json(artifact.payload) for artifact in artifacts]
        self._by_id = {chapter.chapter_id: chapter for chapter in self._chapters}

    def __bool__(self) -> bool:
        return bool(self._chapters)

    @property
    def child_id(self) -> str:
        """To whom it is told."""
        return self._chapters[0].child_id

    def branch(self, chapter_id: str) -> tuple[StoredChapter, ...]:
        """The chapters from the first to this one (empty: to the newest). Raises ChapterNotFound."""
        chapter = self._by_id.get(chapter_id) if chapter_id else self._chapters[-1]
        if chapter is None:
            raise ChapterNotFound("The story has no such chapter. GetStory names those that it has.")
        branch = [chapter]
        while (parent := self._by_id.get(branch[-1].parent_chapter_id)) is not None:
            branch.append(parent)
        return tuple(reversed(branch))

    def message(self) -> story_pb2.Story:
        """The story as callers see it."""
        story = header(self._artifacts[0], self._artifacts[-1])
        for artifact, chapter in zip(self._artifacts, self._chapters, strict=True):
            story.chapters.append(_chapter_message(artifact, chapter))
        return story


def header(first: Artifact, newest: Artifact) -> story_pb2.Story:
    """A story as lists show it: without its chapters."""
    chapter = StoredChapter.model_validate_json(first.payload)
    return story_pb2.Story(
        story_id=chapter.story_id,
        child_id=chapter.child_id,
        title=chapter.title,
        theme=chapter.theme,
        create_time=timestamp(first.create_time_ns),
        update_time=timestamp(newest.create_time_ns),
        planned_chapters=chapter.planned_chapters,
    )


def choice_messages(choices: Iterable[str]) -> list[story_pb2.Choice]:
    """The choices as callers see them, numbered from 1."""
    return [story_pb2.Choice(id=str(number), text=text) for number, text in enumerate(choices, 1)]


def _chapter_message(artifact: Artifact, chapter: StoredChapter) -> story_pb2.Chapter:
    message = story_pb2.Chapter(
        chapter_id=chapter.chapter_id,
        parent_chapter_id=chapter.parent_chapter_id,
        chapter_number=chapter.chapter_number,
        run_id=artifact.run_id,
        story_content=chapter.story_content,
        choices=choice_messages(chapter.choices),
        choice_question=chapter.choice_question,
        create_time=timestamp(artifact.create_time_ns),
    )
    if chapter.choice_id:
        message.choice_id = chapter.choice_id
    elif chapter.custom_user_input:
        message.custom_user_input = chapter.custom_user_input
    return message


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _valid(kind: type[Character], value: object) -> list[Character]:
    found = []
    for item in _items(value):
        try:
            found.append(kind.model_validate(item))
        except ValidationError:
            continue
    return found


def _lines(value: object) -> list[str]:
    return [item.strip() for item in _items(value) if isinstance(item, str) and 0 < len(item.strip()) <= 160]
