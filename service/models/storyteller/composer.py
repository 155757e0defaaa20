"""Composing one chapter: an opening, the paragraphs of a plot, an ending that leaves something open or says goodbye."""

import random
from operator import itemgetter
from typing import TypedDict

from service.models.storyteller.bible import BibleAnswer
from service.models.storyteller.casting import Cast, cast_story
from service.models.storyteller.english import hardness, tidied
from service.models.storyteller.hooks import choose_hook
from service.models.storyteller.remembering import described
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.telling import Telling, band_of
from service.models.storyteller.turns import resumed
from service.models.storyteller.vocabulary import Hook, Vocabulary, vocabulary

WORDS = {"little": (120, 180), "middle": (220, 320), "big": (350, 500)}  # of a chapter, by age band
_ATTEMPTS = 12
_MARGIN = 8  # words that a chapter keeps from its lower bound before it counts as long enough
_LONG_THEME = 60  # characters; mentioned once at most, with less said around it
_MAX_LOOKS = 3
_MAX_INTEREST = 40  # characters; a longer interest is not something to hum about
# What a beginner's text stays below and an advanced reader's above, as `hardness` estimates it, by age band.
_PLAIN = {"little": 2.8, "middle": 4.0, "big": 4.0}
_RICH = {"little": 4.2, "middle": 4.0, "big": 4.4}
_UNFIT = 1_000  # weighs more than any number of words that a chapter is too long or too short


class Chapter(TypedDict):
    """The answer, in the order in which its keys are written."""

    story_content: str
    title: str
    choice_question: str
    choices: list[str]
    educational_elements: list[str]
    bible: BibleAnswer


def compose(request: StoryRequest, rng: random.Random) -> Chapter:
    """One chapter for `request`, of a length that suits the reader; `rng` decides what the request leaves open."""
    tried: list[tuple[float, Chapter]] = []
    for _ in range(_ATTEMPTS):
        chapter = _attempt(request, rng)
        missed = _missed(chapter["story_content"], request)
        if not missed:
            return chapter
        tried.append((missed, chapter))
    return min(tried, key=itemgetter(0))[1]


def _missed(text: str, request: StoryRequest) -> float:
    """How far a chapter is from what it should be: 0 for one that has its length and level and repeats no paragraph."""
    low, high = WORDS[band_of(request.age)]
    length = len(text.split())
    repeated = set(text.split("\n\n")) & set("\n\n".join(request.recent[-1:]).split("\n\n"))
    return max(low - length, length - high, 0) + _off_level(text, request) + _UNFIT * len(repeated)


def _off_level(text: str, request: StoryRequest) -> float:
    band = band_of(request.age)
    if request.reading_level == "beginner":
        return max(hardness(text) - _PLAIN[band], 0.0)
    return max(_RICH[band] - hardness(text), 0.0) if request.reading_level == "advanced" else 0.0


def _attempt(request: StoryRequest, rng: random.Random) -> Chapter:
    known = vocabulary()
    cast = cast_story(request, known, rng)
    telling = Telling(cast, request, rng)
    hook = None if request.last else choose_hook(request, known.hooks, rng)
    paragraphs = [
        _opening(request, cast, telling, known, rng)
        if request.chapter_number == 1
        else resumed(request, cast, telling, known),
        *(telling.lines(paragraph) for paragraph in cast.plot.paragraphs),
        _ending(hook, request, cast, telling, known),
    ]
    if request.chapter_number > 1 and hook:
        _add(paragraphs, 0, _again(cast, telling, known), telling)
    if not telling.rich or (telling.band == "middle" and request.reading_level == "beginner"):
        _add_refrain(paragraphs, telling, known, rng)
    _lengthen(paragraphs, request, cast, telling, known, rng)
    return Chapter(
        story_content="\n\n".join(" ".join(paragraph) for paragraph in paragraphs),
        title=cast.title,
        choice_question=_question(request, telling, known, rng) if hook else "",
        choices=choices_of(hook, telling, rng),
        educational_elements=_elements(cast, telling, known, rng),
        bible=_bible(request, cast, hook),
    )


def choices_of(hook: Hook | None, telling: Telling, rng: random.Random) -> list[str]:
    """The choices that a hook leaves to the reader: two for the youngest, else three; none without a hook."""
    if not hook:
        return []
    choices = [telling.say(choice) for choice, _ in rng.sample(hook.choices, len(hook.choices))]
    return choices[:2] if telling.band == "little" else choices


def _question(request: StoryRequest, telling: Telling, known: Vocabulary, rng: random.Random) -> str:
    frames = known.frames
    return telling.one(frames.questions_nick if tidied(request.nickname) and rng.random() < 0.5 else frames.questions)


def _bible(request: StoryRequest, cast: Cast, hook: Hook | None) -> BibleAnswer:
    friends = [person for person in (cast.companion, cast.friend) if person]
    people = [described(cast.hero, ""), *(described(friend, cast.hero.name) for friend in friends)]
    # A place that stays keeps the name that the bible has for it.
    places = [cast.place.name] if cast.moved or not request.bible.places else []
    return request.bible.extended(people, places, [hook.thread] if hook else [])


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


def _ending(hook: Hook | None, request: StoryRequest, cast: Cast, telling: Telling, known: Vocabulary) -> list[str]:
    frames = known.frames
    sentences = [telling.one(frames.endings + frames.endings_open if hook else frames.endings)]
    if telling.band != "little":
        sentences.append(telling.one(frames.endings_older))
    if telling.band == "big":
        sentences.append(telling.one(frames.endings_big))
    if hook:
        return [*sentences, telling.say(hook.little if telling.band == "little" else hook.older)]
    farewell = telling.one(
        frames.farewells["older" if telling.rich else "little"], friend=(cast.companion or cast.friend).name
    )
    good_night = [telling.one(frames.farewells_nick)] if tidied(request.nickname) else []
    return [*sentences, farewell, *good_night]


def _add_refrain(paragraphs: list[list[str]], telling: Telling, known: Vocabulary, rng: random.Random) -> None:
    """Adds a refrain, and its return near the end."""
    refrain = rng.choice(known.frames.refrains)
    for index, frames in ((2, known.frames.refrain_first), (-2, known.frames.refrain_again)):
        _add(paragraphs, index, [telling.one(frames, refrain=refrain)], telling)


def _add(paragraphs: list[list[str]], index: int, sentences: list[str], telling: Telling) -> None:
    """Adds sentences to a paragraph, as far as the chapter has room for them."""
    for sentence in sentences:
        if _count(paragraphs) + len(sentence.split()) <= WORDS[telling.band][1]:
            paragraphs[index].append(sentence)


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
    pads, level = known.frames.pads, request.reading_level
    if telling.band == "little":
        return pads["older"] if telling.rich else pads["little"]
    if level == "beginner":
        return pads["little"] + pads["older"] if telling.band == "big" else pads["older"]
    return pads["older"] + pads["big"] if telling.band == "big" or level == "advanced" else pads["older"]


def _count(paragraphs: list[list[str]]) -> int:
    return sum(len(sentence.split()) for paragraph in paragraphs for sentence in paragraph)


def _elements(cast: Cast, telling: Telling, known: Vocabulary, rng: random.Random) -> list[str]:
    elements = list(rng.sample(cast.plot.elements, 2))
    touched = cast.theme.words | {*cast.hero.kind.words, *cast.place.words}
    facts = [fact.fact for fact in known.facts if cast.theme.words & set(fact.words)] or [
        fact.fact for fact in known.facts if touched & set(fact.words)
    ]
    return [*elements, rng.choice(facts)] if facts and telling.band != "little" else elements
