"""Which plot a chapter has: one that the theme or the title asks for, and not the one just told."""

import random
import re
from dataclasses import replace
from functools import cache

from service.models.storyteller.english import matching
from service.models.storyteller.remembering import Person
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.theme import Theme
from service.models.storyteller.vocabulary import Plot, Vocabulary, vocabulary

_LAP = 7  # chapters; no tale comes round to a plot sooner


def first_plot(title: str, theme: Theme, hero: Person, known: Vocabulary, rng: random.Random) -> Plot:
    """The plot of a first chapter: the title's own, when it has one."""
    return titled_plot(title, known) or _plot(theme, hero, known, rng)


def titled_plot(title: str, known: Vocabulary) -> Plot | None:
    """The plot whose title this is."""
    return next((plot for plot in known.plots if any(matching(each).fullmatch(title) for each in plot.titles)), None)


def later_plot(request: StoryRequest, hero: Person, settled: bool, rng: random.Random) -> Plot:
    """The plot of a later chapter; no new friend comes in when the cast is `settled`.

    The tale goes round through all plots but that of its title, one a chapter, and never has that of the newest of its
    `recent` texts. A rewrite may have any other.
    """
    known = vocabulary()
    titled = titled_plot(request.title, known)
    order = [plot for plot in known.plots if plot != titled and fits(plot, hero) and not (settled and plot.new_friend)]
    _world(request).shuffle(order)
    turn = (request.chapter_number - 2) % len(order)
    told = told_plot(request.recent[-1]) if request.recent else None
    plots = [plot for plot in order[turn:] + order[:turn] if plot != told]
    return rng.choice(plots) if request.task == "rewrite" else plots[0]


def later_spark(plot: Plot, turn: Theme, request: StoryRequest, rng: random.Random) -> dict[str, str]:
    """What fills the plot's slots in a later chapter: another each time that the tale comes round to it."""
    if request.task == "rewrite" or turn.words & {word for spark in plot.sparks for word in _matches(spark)}:
        return spark_of(plot, replace(turn, plots=(), spark={}), rng)
    sparks = _common(plot)
    _world(request).shuffle(sparks)
    return sparks[request.chapter_number // _LAP % len(sparks)]


def told_plot(text: str) -> Plot | None:
    """The plot that a text of this storyteller tells, known by the line with which one of its paragraphs begins."""
    paragraphs = text.split("\n\n")
    return next((plot for plot, lines in _first_lines() if any(map(lines.match, paragraphs))), None)


def fits(plot: Plot, hero: Person) -> bool:
    """Whether this hero can play in the plot."""
    return not (plot.big_friend and hero.kind.big)


def spark_of(plot: Plot, theme: Theme, rng: random.Random) -> dict[str, str]:
    """What fills the plot's particular slots: the theme's own, what suits its words, or any."""
    matched = [spark for spark in plot.sparks if theme.words & _matches(spark)]
    own = theme.spark if plot.name in theme.plots else {}
    if own:
        opened = [spark for spark in plot.sparks if "open" in spark]
        return {**rng.choice(matched or opened), **own}
    return rng.choice(matched or _common(plot))


def _common(plot: Plot) -> list[dict[str, str]]:
    return [spark for spark in plot.sparks if not {"open", "rare"} & set(spark)]


def _matches(spark: dict[str, str]) -> set[str]:
    return set(spark.get("match", "").split())


def _world(request: StoryRequest) -> random.Random:
    return random.Random(f"{request.theme}\n{request.title}\nplots")  # noqa: S311 - for variety only


def _plot(theme: Theme, hero: Person, known: Vocabulary, rng: random.Random) -> Plot:
    if theme.friend and not theme.plots:
        theme = replace(theme, plots=("friend", "small_helps_big") if theme.friend.big else ("friend",))
    fitting = [plot for plot in known.plots if fits(plot, hero)]
    return rng.choice([plot for plot in fitting if plot.name in theme.plots] or fitting)


@cache
def _first_lines() -> tuple[tuple[Plot, re.Pattern[str]], ...]:
    lines = ((plot, plot.paragraphs[0][0][1:]) for plot in vocabulary().plots)
    return tuple(
        (plot, re.compile("|".join(matching(each).pattern for each in alternatives))) for plot, alternatives in lines
    )
