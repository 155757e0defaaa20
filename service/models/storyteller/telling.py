"""Turning templates into sentences: the slots of one chapter, and the choice among alternatives."""

import random
from collections.abc import Iterable, Sequence

from service.models.storyteller.casting import Cast
from service.models.storyteller.english import capitalised, expanded, tidied, with_article
from service.models.storyteller.remembering import Person
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.vocabulary import vocabulary

_LITTLE_UNTIL, _BIG_FROM = 6, 9
_FORMS = {"he": ("he", "him", "his", "himself"), "she": ("she", "her", "her", "herself")}
_LINES = {"little": ("all", "little"), "middle": ("all", "older"), "big": ("all", "older", "big")}
_CASES = ("he", "him", "his", "himself")


def band_of(age: int) -> str:
    """The age band of a reader: "little" (3 to 5 years), "middle" (6 to 8) or "big" (9 to 12)."""
    if age < _LITTLE_UNTIL:
        return "little"
    return "middle" if age < _BIG_FROM else "big"


class Telling:
    """Says the sentences of one chapter, for one cast and one reader."""

    def __init__(self, cast: Cast, request: StoryRequest, rng: random.Random) -> None:
        self._rng = rng
        self.band = band_of(request.age)
        # The longest sentences are not for a reader who is just beginning, however old.
        plain = self.band == "big" and request.reading_level == "beginner"
        # Around the plot, which has its lines by age, the longer sentences are for all but the youngest beginners.
        self.rich = self.band != "little" or request.reading_level == "advanced"
        self._bands = _LINES["middle" if plain else self.band]
        self._slots = _slots(cast, request, rng)

    def say(self, template: str, **slots: str) -> str:
        """One template as a sentence that begins with a capital. Raises KeyError for an unknown slot."""
        return capitalised(expanded(template, {**self._slots, **slots}))

    def phrase(self, template: str) -> str:
        """One template as it stands within a sentence."""
        return expanded(template, self._slots)

    def one(self, templates: Sequence[str], **slots: str) -> str:
        """One sentence of several."""
        return self.say(self._rng.choice(templates), **slots)

    def some(self, templates: Iterable[str]) -> list[str]:
        """All the sentences, in an order of chance."""
        pool = list(templates)
        return [self.say(template) for template in self._rng.sample(pool, len(pool))]

    def lines(self, paragraph: Iterable[tuple[str, ...]]) -> list[str]:
        """The lines of a paragraph that are meant for this reader's age."""
        return [self.one(alternatives) for band, *alternatives in paragraph if band in self._bands]


def _slots(cast: Cast, request: StoryRequest, rng: random.Random) -> dict[str, str]:
    spot, spot2 = rng.sample(cast.place.spots, 2)
    friend = cast.friend
    hero_noun = cast.hero.kind.noun or vocabulary().strangers.noun
    return {
        "spot": spot,
        "spot2": spot2,
        **cast.spark,
        **dict(zip(_CASES, _FORMS[cast.hero.pronoun], strict=True)),
        **{f"f{case}": form for case, form in zip(_CASES, _FORMS[friend.pronoun], strict=True)},
        "hero": cast.hero.name,
        "noun": hero_noun,
        "a_noun": with_article(hero_noun),
        "look": cast.hero.kind.look,
        "go": cast.hero.kind.go,
        "friend": friend.name,
        "meet": _introduced(friend, cast.known_friend),
        "in_place": f"{cast.place.at} {cast.place.name}",
        "thing": cast.thing.noun,
        "the_thing": f"the {cast.thing.phrase}",
        "a_thing": with_article(cast.thing.phrase),
        "theme": cast.theme.phrase,
        "epithet": cast.theme.epithet,
        "nick": tidied(request.nickname),
    }


def _introduced(friend: Person, known: bool) -> str:
    noun = friend.kind.noun
    if not noun:
        return friend.name
    return f"{friend.name} the {noun}" if known else f"{with_article(noun)} called {friend.name}"
