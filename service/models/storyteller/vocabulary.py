"""What the storyteller knows: its cast, places, plots and phrases, read once from the data files beside it."""

from functools import cache
from importlib import resources
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

_T = TypeVar("_T")
_DATA = resources.files("service.models.storyteller") / "data"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(_Entry):
    """A kind of character. `words` are the words of a theme that ask for it; `names` hold a name and "he" or "she"."""

    noun: str
    words: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...]
    look: str
    go: str
    big: bool = False


class Place(_Entry):
    """A setting. `folk` are the kinds that live there, `looks` whole sentences true at any hour."""

    name: str
    at: str
    words: tuple[str, ...]
    folk: tuple[str, ...]
    spots: tuple[str, ...]
    looks: tuple[str, ...]


class Thing(_Entry):
    """Something that can be carried, lost and found."""

    noun: str
    phrase: str
    words: tuple[str, ...]


class Plot(_Entry):
    """A plot shape.

    Each paragraph is a row of lines; a line is the age band it is for ("all", "little", "older" or "big") followed by
    its alternatives. A spark fills the slots that are particular to this plot: one with `match` suits those words, with
    `rare` it is told for those words alone, with `open` it completes what the theme itself has brought.
    """

    name: str
    words: tuple[str, ...]
    titles: tuple[str, ...]
    big_friend: bool = False
    new_friend: bool = False
    sparks: tuple[dict[str, str], ...]
    paragraphs: tuple[tuple[tuple[str, ...], ...], ...]
    elements: tuple[str, ...]


class Hook(_Entry):
    """What the end of a chapter opens: each choice comes with the sentence that follows when it is chosen.

    `thread` is what it leaves open, in one question.
    """

    little: str
    older: str
    thread: str
    choices: tuple[tuple[str, str], ...]


class Fact(_Entry):
    """Something true that is worth knowing when a story has touched on one of `words`."""

    words: tuple[str, ...]
    fact: str


class Strangers(_Entry):
    """What is said of characters and places that another storyteller has invented."""

    noun: str
    look: str
    go: str
    at: str
    spots: tuple[str, ...]
    looks: tuple[str, ...]


class Words(_Entry):
    """Closed word lists that help to read a theme or a turn."""

    imperatives: frozenset[str]
    determiners: frozenset[str]
    auxiliaries: frozenset[str]
    questioners: frozenset[str]
    ordinary: frozenset[str]


class Frames(_Entry):
    """The sentences around a plot: openings, addresses, refrains, asides (`pads`), endings, questions, titles."""

    openings: tuple[str, ...]
    wheres: tuple[str, ...]
    wheres_again: tuple[str, ...]
    looks: tuple[str, ...]
    habits: tuple[str, ...]
    abouts: tuple[str, ...]
    quoted_abouts: tuple[str, ...]
    epithets: tuple[str, ...]
    again: tuple[str, ...]
    quoted_again: tuple[str, ...]
    addresses: tuple[str, ...]
    interests: tuple[str, ...]
    refrains: tuple[str, ...]
    refrain_first: tuple[str, ...]
    refrain_again: tuple[str, ...]
    pads: dict[str, tuple[str, ...]]
    resumes: tuple[str, ...]
    resumes_older: tuple[str, ...]
    turn_imperative: tuple[str, ...]
    turn_named: tuple[str, ...]
    turn_quoted: tuple[str, ...]
    turn_after: tuple[str, ...]
    turn_happened: tuple[str, ...]
    turn_after_older: tuple[str, ...]
    turn_place: tuple[str, ...]
    endings: tuple[str, ...]
    endings_open: tuple[str, ...]
    endings_older: tuple[str, ...]
    endings_big: tuple[str, ...]
    farewells: dict[str, tuple[str, ...]]
    farewells_nick: tuple[str, ...]
    finishes: tuple[str, ...]
    finishes_hero: tuple[str, ...]
    finishes_last: tuple[str, ...]
    lessons: tuple[str, ...]
    companions: tuple[str, ...]
    threads: tuple[str, ...]
    questions: tuple[str, ...]
    questions_nick: tuple[str, ...]
    titles: tuple[str, ...]


class Vocabulary(NamedTuple):
    """Everything above, as loaded."""

    kinds: tuple[Kind, ...]
    places: tuple[Place, ...]
    things: tuple[Thing, ...]
    plots: tuple[Plot, ...]
    hooks: tuple[Hook, ...]
    facts: tuple[Fact, ...]
    strangers: Strangers
    frames: Frames
    words: Words


def _read(path: str, shape: type[_T]) -> _T:
    return TypeAdapter(shape).validate_json(_DATA.joinpath(path).read_bytes())


PLOT_NAMES = (
    "fear",
    "friend",
    "journey",
    "lost",
    "mistake",
    "mystery",
    "night",
    "question",
    "small_helps_big",
    "wish",
)


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read on first use. Raises pydantic.ValidationError when a data file is not in shape."""
    return Vocabulary(
        kinds=_read("kinds.json", tuple[Kind, ...]),
        places=_read("places.json", tuple[Place, ...]),
        things=_read("things.json", tuple[Thing, ...]),
        plots=tuple(_read(f"plots/{name}.json", Plot) for name in PLOT_NAMES),
        hooks=_read("hooks.json", tuple[Hook, ...]),
        facts=_read("facts.json", tuple[Fact, ...]),
        strangers=_read("strangers.json", Strangers),
        frames=_read("frames.json", Frames),
        words=_read("words.json", Words),
    )
