"""Who plays in a story, where, and in which plot.

A later chapter takes hero, friend and place from the tale's bible. The prompt of one without a bible holds no more than
theme and title. So the cast is drawn from those two alone wherever that is possible, and every name belongs to one
character: chapter two finds the hero of chapter one.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from service.models.storyteller.english import expanded, tidied, title_case, words_of
from service.models.storyteller.hooks import consequence
from service.models.storyteller.plotting import first_plot, later_plot, later_spark, spark_of
from service.models.storyteller.remembering import Person, remembered, remembered_place
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.theme import Theme, read_theme
from service.models.storyteller.vocabulary import Kind, Place, Plot, Thing, Vocabulary

MAX_TITLE = 60
_STRANGERS = (("Pip", "he"), ("Tilly", "she"), ("Bo", "he"), ("Lulu", "she"))  # for kinds nobody has foreseen


@dataclass(frozen=True, slots=True)
class Cast:
    """All that is settled before the first sentence.

    `known_friend` tells that the friend has been met before. `companion` is the tale's own friend, where somebody else
    has the friend's part.
    """

    theme: Theme
    hero: Person
    friend: Person
    known_friend: bool
    place: Place
    moved: bool
    thing: Thing
    plot: Plot
    spark: dict[str, str]
    title: str
    companion: Person | None = None


def cast_story(request: StoryRequest, known: Vocabulary, rng: random.Random) -> Cast:
    """Casts the chapter that `request` asks for; `rng` decides whatever the request leaves open."""
    theme = read_theme(request.theme, known)
    # A chapter that has a title is drawn by it, so that all its siblings are cast alike.
    draw = _world(request.theme, request.title) if request.title else rng
    hint = read_theme(request.title, known)
    hero = _hero(request, theme, hint, known, draw)
    plot = first_plot(request.title, theme, hero, known, rng)
    spark = spark_of(plot, theme, rng)
    title = request.title or _title(plot, spark, hero, theme, known, rng)
    world = _world(request.theme, title)
    hint = read_theme(title, known)
    place = theme.place or hint.place or world.choice(_homes(hero.kind, known))
    first = Cast(
        theme=theme,
        hero=hero,
        friend=_friend(hero, place, theme, title, plot, known, world),
        known_friend=request.chapter_number > 1,
        place=place,
        moved=False,
        thing=theme.thing or hint.thing or world.choice(known.things),
        plot=plot,
        spark=spark,
        title=title,
    )
    if request.chapter_number == 1:
        return first
    return _later(_recalled(first, request, known), request, known, world, rng)


def _recalled(first: Cast, request: StoryRequest, known: Vocabulary) -> Cast:
    """The cast with those whom the bible has instead, as far as it goes."""
    bible = request.bible
    people = [remembered(*each, request.recent, known) for each in bible.characters[:2]]
    hero = people[0] if people else first.hero
    friend = people[1] if len(people) > 1 else first.friend
    if friend.name == hero.name:  # drawn for the title, while the bible had its name for the hero
        friend = next(person for person in _people(known.kinds, hero.name) if person.kind != hero.kind)
    place = remembered_place(bible.places[-1], known) if bible.places else first.place
    return replace(first, hero=hero, friend=friend, place=place)


def _world(theme: str, title: str) -> random.Random:
    return random.Random(f"{theme}\n{title}")  # noqa: S311 - for variety only


def _people(kinds: Sequence[Kind], *taken: str) -> list[Person]:
    return [Person(name, pronoun, kind) for kind in kinds for name, pronoun in kind.names if name not in taken]


def people_in(text: str, known: Vocabulary, *taken: str) -> list[Person]:
    """The characters of the vocabulary whom `text` names, except those `taken`, in the order of their appearance."""
    named = [person for person in _people(known.kinds, *taken) if person.name in text]
    found = [(re.search(rf"\b{re.escape(person.name)}\b", text), person) for person in named]
    return [
        person for _, person in sorted(((match.start(), person) for match, person in found if match), key=itemgetter(0))
    ]


def _named(text: str, known: Vocabulary, *taken: str) -> Person | None:
    return next(iter(people_in(text, known, *taken)), None)


def _hero(request: StoryRequest, theme: Theme, hint: Theme, known: Vocabulary, draw: random.Random) -> Person:
    nickname = tidied(request.nickname)
    named = _named(request.title, known, nickname) or (
        _named(request.turn, known, nickname) if request.chapter_number > 1 and not theme.hero else None
    )
    if named and not theme.name and not theme.stranger:
        return named
    kinds = _only(theme.hero) or _only(hint.hero) or _inhabitants(theme.place or draw.choice(known.places), known)
    if theme.stranger:
        kinds = (Kind(noun=theme.stranger, names=_STRANGERS, look="bright and curious eyes", go="hurried"),)
    people = _people(kinds, nickname)
    fitting = [person for person in people if not theme.pronoun or person.pronoun == theme.pronoun] or people
    hero = next(
        (person for person in fitting if person.name in re.findall(r"\w+", request.title)), None
    ) or draw.choice(fitting)
    return replace(hero, name=theme.name, pronoun=theme.pronoun or hero.pronoun) if theme.name else hero


def _only(kind: Kind | None) -> tuple[Kind, ...]:
    return (kind,) if kind else ()


def _inhabitants(place: Place, known: Vocabulary) -> tuple[Kind, ...]:
    return tuple(kind for kind in known.kinds if kind.noun in place.folk)


def _homes(kind: Kind, known: Vocabulary) -> list[Place]:
    return [place for place in known.places if kind.noun in place.folk] or list(known.places)


def _title(plot: Plot, spark: dict[str, str], hero: Person, theme: Theme, known: Vocabulary, rng: random.Random) -> str:
    friends = _only(theme.friend) or [kind for kind in known.kinds if kind != hero.kind]
    slots = {
        **spark,
        "hero": hero.name,
        "thing": (theme.thing or rng.choice(known.things)).noun,
        "friend": rng.choice(_people(friends, hero.name)).name,
    }
    patterns = plot.titles * 2 + known.frames.titles
    titles = [title_case(expanded(pattern, slots)) for pattern in rng.sample(patterns, len(patterns))]
    return next((title for title in titles if len(title) <= MAX_TITLE), title_case(hero.name))


def _friend(
    hero: Person, place: Place, theme: Theme, title: str, plot: Plot, known: Vocabulary, world: random.Random
) -> Person:
    if named := _named(title, known, hero.name):
        return named
    kinds = [kind for kind in _only(theme.friend) or _inhabitants(place, known) if kind.noun != hero.kind.noun]
    if plot.big_friend:
        kinds = [kind for kind in kinds if kind.big] or [kind for kind in known.kinds if kind.big]
    return world.choice(_people(kinds or known.kinds, hero.name))


def _later(first: Cast, request: StoryRequest, known: Vocabulary, world: random.Random, rng: random.Random) -> Cast:
    """The cast of a later chapter: steered by the turn, in a plot that the chapter before did not have."""
    # The storyteller's own choices name spots and things, but they lead nowhere else.
    turn = read_theme("" if consequence(request.turn, known) else request.turn, known)
    # The first word of several is what is done: "wind up the clock" does not lead into the wind.
    steer = set(words_of(turn.phrase)[1:] or turn.words) - known.words.ordinary
    place = next((place for place in known.places if steer & set(place.words)), first.place)
    chosen = _called(turn, first, request, known, world)
    friend = chosen or first.friend
    # Whoever is there already, or was called for, is not replaced by somebody new.
    plot = later_plot(request, first.hero, bool(chosen or request.bible.characters), rng)
    if plot.new_friend:
        friend = _newcomer(first, place, plot, known, rng)
    known_friend = friend.name == first.friend.name
    return replace(
        first,
        friend=friend,
        known_friend=known_friend or friend.about != "",
        companion=first.friend if request.bible.characters and not known_friend else None,
        place=place,
        moved=place != first.place,
        thing=turn.thing or first.thing,
        plot=plot,
        spark=later_spark(plot, turn, request, rng),
    )


def _called(turn: Theme, first: Cast, request: StoryRequest, known: Vocabulary, world: random.Random) -> Person | None:
    """Whom the turn calls for beside the hero: somebody of the tale by name, somebody known, or one of a kind."""
    own = [each for each in request.bible.characters if re.search(rf"\b{re.escape(each[0])}\b", request.turn)]
    people = [remembered(*each, request.recent, known) for each in own if each[0] != first.hero.name]
    if people:
        return people[0]
    if named := _named(request.turn, known, first.hero.name):
        return named
    kinds = [kind for kind in (turn.hero, turn.friend) if kind and not {*kind.words} & {*first.hero.kind.words}]
    if not kinds or set(kinds[0].words) & set(first.friend.kind.words):
        return None
    return world.choice(_people(kinds[:1], first.hero.name))


def _newcomer(first: Cast, place: Place, plot: Plot, known: Vocabulary, rng: random.Random) -> Person:
    kinds = [kind for kind in _inhabitants(place, known) if kind not in (first.hero.kind, first.friend.kind)]
    if plot.big_friend:
        kinds = [kind for kind in known.kinds if kind.big and kind not in (first.hero.kind, first.friend.kind)]
    return rng.choice(_people(kinds or known.kinds, first.hero.name, first.friend.name))
