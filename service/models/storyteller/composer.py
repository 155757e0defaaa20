"""Composing one chapter: an opening, the paragraphs of a plot, an ending that leaves something open."""

import random
from operator import itemgetter
from typing import TypedDict

from service.models.storyteller.casting import Cast, cast_story
from service.models.storyteller.english import tidied
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.telling import Telling, band_of
from service.models.storyteller.turns import consequence, resumed
from service.models.storyteller.vocabulary import Hook, Vocabulary, vocabulary

WORDS = {"little": (120, 180), "middle": (220, 320), "big": (350, 500)}  # of a chapter, by age band
_ATTEMPTS = 12
_MARGIN = 8  # words that a chapter keeps from its lower bound before it counts as long enough
_LONG_THEME = 60  # characters; mentioned once at most, with less said around it
_MAX_LOOKS = 3
_MAX_INTEREST = 40  # characters; a longer interest is not something to hum about


class Chapter(TypedDict):
    """The answer, in the order in which its keys are written."""

    story_content: str
    title: str
    choice_question: str
    choices: list[str]
    educational_elements: list[str]


def compose(request: StoryRequest, rng: random.Random) -> Chapter:
    """One chapter for `request`, of a length that suits the reader; `rng` decides what the request leaves open."""
    low, high = WORDS[band_of(request.age)]
    tried: list[tuple[int, Chapter]] = []
    for _ in range(_ATTEMPTS):
        chapter = _attempt(request, rng)
        count = len(chapter["story_content"].split())
        if low <= count <= high:
            return chapter
        tried.append((max(low - count, count - high), chapter))
    return min(tried, key=itemgetter(0))[1]


def _attempt(request: StoryRequest, rng: random.Random) -> Chapter:
    known = vocabulary()
    cast = cast_story(request, known, rng)
    telling = Telling(cast, request, rng)
    hook = rng.choice([hook for hook in known.hooks if not _is_used(hook, request.turn, known)])
    paragraphs = [
        _opening(request, cast, telling, known, rng)
        if request.chapter_number == 1
        else [*resumed(request, cast, telling, known), *_again(cast, telling, known)],
        *(telling.lines(paragraph) for paragraph in cast.plot.paragraphs),
        _ending(hook, telling, known),
    ]
    if telling.band == "little" or (telling.band == "middle" and request.reading_level == "beginner"):
        _add_refrain(paragraphs, telling, known, rng)
    _lengthen(paragraphs, request, cast, telling, known, rng)
    choices = [telling.say(choice) for choice, _ in rng.sample(hook.choices, len(hook.choices))]
    return Chapter(
        story_content="\n\n".join(" ".join(paragraph) for paragraph in paragraphs),
        title=cast.title,
        choice_question=_question(request, telling, known, rng),
        choices=choices[:2] if telling.band == "little" else choices,
        educational_elements=_elements(cast, telling, known, rng),
    )


def _is_used(hook: Hook, turn: str, known: Vocabulary) -> bool:
    then = consequence(turn, known)
    return any(then == each for _, each in hook.choices)


def _opening(request: StoryRequest, cast: Cast, telling: Telling, known: Vocabulary, rng: random.Random) -> list[str]:
    frames, theme = known.frames, cast.theme
    crowded = telling.band == "little" and len(theme.phrase) > _LONG_THEME
    sentences = [telling.one(frames.openings)]
    if cast.place.name not in sentences[0]:
        sentences.append(telling.one(frames.wheres))
    introduced = len(sentences)
    if not crowded:
        sentences.append(telling.one(frames.looks))
    if theme.epithet:
        sentences.append(telling.one(frames.epithets))
    elif theme.phrase and "question" not in theme.spark:
        sentences.append(telling.one(frames.quoted_abouts if theme.quoted else frames.abouts))
    if telling.band != "little":
        sentences.append(telling.one(frames.habits))
    if tidied(request.nickname):
        sentences.insert(rng.randint(introduced, len(sentences)), telling.one(frames.addresses))
    interests = [each for each in map(tidied, request.interests) if each and len(each) <= _MAX_INTEREST]
    if interests and not crowded:
        sentences.append(telling.one(frames.interests, interest=_spoken(rng.choice(interests))))
    return sentences


def _spoken(interest: str) -> str:
    plain = interest.isascii() and all(part.isalpha() for part in interest.replace("-", " ").split())
    return interest[:1].lower() + interest[1:] if plain and not interest.isupper() else f"“{interest}”"


def _again(cast: Cast, telling: Telling, known: Vocabulary) -> list[str]:
    if not cast.theme.phrase or len(cast.theme.phrase) > _LONG_THEME:
        return []
    return [telling.one(known.frames.quoted_again if cast.theme.quoted else known.frames.again)]


def _ending(hook: Hook, telling: Telling, known: Vocabulary) -> list[str]:
    frames = known.frames
    sentences = [telling.one(frames.endings)]
    if telling.band != "little":
        sentences.append(telling.one(frames.endings_older))
    if telling.band == "big":
        sentences.append(telling.one(frames.endings_big))
    return [*sentences, telling.say(hook.little if telling.band == "little" else hook.older)]


def _add_refrain(paragraphs: list[list[str]], telling: Telling, known: Vocabulary, rng: random.Random) -> None:
    """Adds a refrain, and its return near the end, as far as the chapter has room for them."""
    refrain = rng.choice(known.frames.refrains)
    for paragraph, frames in (
        (paragraphs[2], known.frames.refrain_first),
        (paragraphs[-2], known.frames.refrain_again),
    ):
        sentence = telling.one(frames, refrain=refrain)
        if _count(paragraphs) + len(sentence.split()) <= WORDS[telling.band][1]:
            paragraph.append(sentence)


def _lengthen(
    paragraphs: list[list[str]],
    request: StoryRequest,
    cast: Cast,
    telling: Telling,
    known: Vocabulary,
    rng: random.Random,
) -> None:
    """Adds what can be seen, heard and said in passing, until the chapter is long enough."""
    low, high = WORDS[telling.band]
    target = rng.randint(low + _MARGIN, (low + high) // 2)
    looks = telling.some(cast.place.looks)[:_MAX_LOOKS]
    pads = telling.some(_pads(request, telling, known))
    # The friend has come in by the third paragraph of every plot; the first one can only be looked round in.
    places = [(paragraphs[0], looks), (paragraphs[3], pads), (paragraphs[0], looks), (paragraphs[-3], pads)]
    index = 0
    while _count(paragraphs) < target and (looks or pads):
        paragraph, supply = places[index % len(places)]
        if supply:
            paragraph.append(supply.pop())
        index += 1


def _pads(request: StoryRequest, telling: Telling, known: Vocabulary) -> tuple[str, ...]:
    pads = known.frames.pads
    if telling.band == "little":
        return pads["little"]
    if request.reading_level == "beginner":
        return pads["older"]
    return (
        pads["older"] + pads["big"] if telling.band == "big" or request.reading_level == "advanced" else pads["older"]
    )


def _count(paragraphs: list[list[str]]) -> int:
    return sum(len(sentence.split()) for paragraph in paragraphs for sentence in paragraph)


def _question(request: StoryRequest, telling: Telling, known: Vocabulary, rng: random.Random) -> str:
    frames = known.frames
    return telling.one(frames.questions_nick if tidied(request.nickname) and rng.random() < 0.5 else frames.questions)


def _elements(cast: Cast, telling: Telling, known: Vocabulary, rng: random.Random) -> list[str]:
    elements = list(rng.sample(cast.plot.elements, 2))
    touched = cast.theme.words | {*cast.hero.kind.words, *cast.place.words}
    facts = [fact.fact for fact in known.facts if cast.theme.words & set(fact.words)] or [
        fact.fact for fact in known.facts if touched & set(fact.words)
    ]
    return [*elements, rng.choice(facts)] if facts and telling.band != "little" else elements
