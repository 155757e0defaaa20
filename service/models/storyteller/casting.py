"""Who plays in a story, where, and in which plot.

The prompt of a later chapter holds no earlier chapter, only its theme and title. So the cast is drawn from those two
alone wherever that is possible, and every name belongs to one character: chapter two finds the hero of chapter one.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.models.storyteller.english import expanded, matching, tidied, title_case
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.theme import Theme, read_theme
from service.models.storyteller.vocabulary import Kind, Place, Plot, Thing, Vocabulary

MAX_TITLE = 60
_PLOTS_TO_A_CHAPTER = 2
_STRANGERS = (("Pip", "he"), ("Tilly", "she"), ("Bo", "he"), ("Lulu", "she"))  # for kinds nobody has foreseen


@dataclass(frozen=True, slots=True)
class Person:
    """One character by name; `pronoun` is "he" or "she"."""

    name: str
    pronoun: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Cast:
    """All that is settled before the first sentence. `known_friend` tells that the friend has been met before."""

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


def cast_story(request: StoryRequest, known: Vocabulary, rng: random.Random) -> Cast:
    """Casts the chapter that `request` asks for; `rng` decides whatever the request leaves open."""
    theme = read_theme(request.theme, known)
    # A chapter that has a title is drawn by it, so that all its siblings are cast alike.
    draw = _world(request.theme, request.title) if request.title else rng
    hint = read_theme(request.title, known)
    hero = _hero(request, theme, hint, known, draw)
    first_plot = _titled_plot(request.title, known) or _plot(theme, hero, known, rng)
    spark = _spark(first_plot, theme, rng)
    title = request.title or _title(first_plot, spark, hero, theme, known, rng)
    world = _world(request.theme, title)
    hint = read_theme(title, known)
    place = theme.place or hint.place or world.choice(_homes(hero.kind, known))
    first = Cast(
        theme=theme,
        hero=hero,
        friend=_friend(hero, place, theme, title, first_plot, known, world),
        known_friend=request.chapter_number > 1,
        place=place,
        moved=False,
        thing=theme.thing or hint.thing or world.choice(known.things),
        plot=first_plot,
        spark=spark,
        title=title,
    )
    return first if request.chapter_number == 1 else _later(first, request, known, world, rng)


def _world(theme: str, title: str) -> random.Random:
    return random.Random(f"{theme}\n{title}")  # noqa: S311 - for variety only


def _people(kinds: Sequence[Kind], *taken: str) -> list[Person]:
    return [Person(name, pronoun, kind) for kind in kinds for name, pronoun in kind.names if name not in taken]


def _named(text: str, known: Vocabulary, *taken: str) -> Person | None:
    """The character whose name comes first in `text`."""
    found = ((re.search(rf"\b{re.escape(person.name)}\b", text), person) for person in _people(known.kinds, *taken))
    return min(
        ((match.start(), person) for match, person in found if match), key=lambda hit: hit[0], default=(0, None)
    )[1]


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


def _titled_plot(title: str, known: Vocabulary) -> Plot | None:
    return next((plot for plot in known.plots if any(matching(each).fullmatch(title) for each in plot.titles)), None)


def _fits(plot: Plot, hero: Person) -> bool:
    return not (plot.big_friend and hero.kind.big)


def _plot(theme: Theme, hero: Person, known: Vocabulary, rng: random.Random) -> Plot:
    if theme.friend and not theme.plots:
        theme = replace(theme, plots=("friend", "small_helps_big") if theme.friend.big else ("friend",))
    fitting = [plot for plot in known.plots if _fits(plot, hero)]
    return rng.choice([plot for plot in fitting if plot.name in theme.plots] or fitting)


def _spark(plot: Plot, theme: Theme, rng: random.Random) -> dict[str, str]:
    matched = [spark for spark in plot.sparks if theme.words & set(spark.get("match", "").split())]
    own = theme.spark if plot.name in theme.plots else {}
    if own:
        opened = [spark for spark in plot.sparks if "open" in spark]
        return {**rng.choice(matched or opened), **own}
    return rng.choice(matched or [spark for spark in plot.sparks if not {"open", "rare"} & set(spark)])


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
    """The cast of a later chapter: steered by the turn, in a plot that the first chapter did not have."""
    turn = read_theme(request.turn, known)
    steer = turn.words - known.words.ordinary
    place = next((place for place in known.places if steer & set(place.words)), first.place)
    chosen = _named(request.turn, known, first.hero.name)
    if not chosen and (
        kinds := [kind for kind in (turn.hero, turn.friend) if kind and kind.noun != first.hero.kind.noun]
    ):
        chosen = world.choice(_people(kinds[:1], first.hero.name))
    friend = chosen or first.friend
    order = [plot for plot in known.plots if plot != first.plot and _fits(plot, first.hero)]
    world.shuffle(order)
    start = (request.chapter_number - 2) * _PLOTS_TO_A_CHAPTER
    plots = [order[(start + step) % len(order)] for step in range(_PLOTS_TO_A_CHAPTER)]
    if chosen:  # whoever the turn has called for is not replaced by somebody new
        plots = [plot for plot in plots if not plot.new_friend] or [plot for plot in order if not plot.new_friend]
    plot = rng.choice(plots)
    known_friend = friend == first.friend
    if plot.new_friend:
        friend = _newcomer(first, place, plot, known, rng)
        known_friend = False
    return replace(
        first,
        friend=friend,
        known_friend=known_friend,
        place=place,
        moved=place != first.place,
        thing=turn.thing or first.thing,
        plot=plot,
        spark=_spark(plot, replace(turn, plots=(), spark={}), rng),
    )


def _newcomer(first: Cast, place: Place, plot: Plot, known: Vocabulary, rng: random.Random) -> Person:
    kinds = [kind for kind in _inhabitants(place, known) if kind not in (first.hero.kind, first.friend.kind)]
    if plot.big_friend:
        kinds = [kind for kind in known.kinds if kind.big and kind not in (first.hero.kind, first.friend.kind)]
    return rng.choice(_people(kinds or known.kinds, first.hero.name, first.friend.name))
