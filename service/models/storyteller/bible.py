"""What is known of a tale's earlier chapters: read from a request, and written for the next chapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from service.models.storyteller.english import tidied

_MAX_NAME, _MAX_ABOUT, _MAX_PLACE, _MAX_THREAD = 40, 200, 60, 200  # characters; more than that is no such thing
_MAX_CHARACTERS, _MAX_PLACES = 8, 8


class Character(TypedDict):
    """A character: the name, and who that is, as in "a fox; he has a tail as bright as marmalade"."""

    name: str
    about: str


class BibleAnswer(TypedDict):
    """The bible as an answer holds it."""

    characters: list[Character]
    places: list[str]
    open_threads: list[str]


@dataclass(frozen=True, slots=True)
class Bible:
    """The bible as a request holds it: (name, about) of the characters, the hero first; the newest place last."""

    characters: tuple[tuple[str, str], ...] = ()
    places: tuple[str, ...] = ()
    open_threads: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    def extended(
        self, people: Sequence[tuple[str, str]], places: Sequence[str], open_threads: Sequence[str]
    ) -> BibleAnswer:
        """The bible after a chapter with these people, (name, about), at these places. Who was known stays as known."""
        characters = dict(people) | dict(self.characters)
        order = dict.fromkeys([name for name, _ in (*self.characters, *people)])
        kept = list(order)[:2] + list(order)[2:][-(_MAX_CHARACTERS - 2) :]
        return BibleAnswer(
            characters=[Character(name=name, about=characters[name]) for name in kept],
            places=[*(each for each in self.places if each not in places), *places][-_MAX_PLACES:],
            open_threads=list(open_threads),
        )


def read_bible(value: object) -> Bible:
    """The bible of a request; whatever in it is not of the documented form is passed over."""
    fields: Mapping[str, Any] = value if isinstance(value, dict) else {}
    characters: dict[str, str] = {}
    for each in _items(fields.get("characters")):
        character: Mapping[str, Any] = each if isinstance(each, dict) else {}
        name = _short(character.get("name"), _MAX_NAME)
        if any(map(str.isalpha, name)) and name.casefold() not in map(str.casefold, characters):
            characters[name] = _short(character.get("about"), _MAX_ABOUT)
    return Bible(
        characters=tuple(characters.items())[:_MAX_CHARACTERS],
        places=_texts(fields.get("places"), _MAX_PLACE)[-_MAX_PLACES:],
        open_threads=_texts(fields.get("open_threads"), _MAX_THREAD),
        chosen=_texts(fields.get("chosen"), _MAX_THREAD),
    )


def _texts(value: object, longest: int) -> tuple[str, ...]:
    return tuple(text for text in (_short(each, longest) for each in _items(value)) if any(map(str.isalpha, text)))


def _short(value: object, longest: int) -> str:
    text = tidied(value) if isinstance(value, str) else ""
    return text if len(text) <= longest else ""


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
