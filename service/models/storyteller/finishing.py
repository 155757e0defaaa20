"""A short ending for a chapter that was cut short, whoever told it."""

import random
import re
from dataclasses import replace

from service.models.storyteller.bible import BibleAnswer
from service.models.storyteller.casting import Cast, cast_story, people_in
from service.models.storyteller.composer import Chapter, choices_of
from service.models.storyteller.english import tidied, title_case
from service.models.storyteller.hooks import choose_hook
from service.models.storyteller.plotting import told_plot
from service.models.storyteller.remembering import Person, described, remembered
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.telling import Telling
from service.models.storyteller.vocabulary import Hook, Vocabulary, vocabulary

_TITLE = "a Very Good Day"  # of a story that has none


def finish(request: StoryRequest, rng: random.Random) -> Chapter:
    """Two or three sentences that end `request.story`, and what an answer holds beside them.

    Only who is named in the story is named in its ending, and nothing in it depends on where the story is set.
    """
    known = vocabulary()
    people = _people(request, known)
    telling = Telling(_cast(request, people, known, rng), request, rng)
    plain = [hook for hook in known.hooks if "{" not in str(hook)]
    hook = None if request.last else choose_hook(request, plain, rng)
    plot = told_plot(request.story)
    questions = [question for question in known.frames.questions if people or "{" not in question]
    return Chapter(
        story_content=" ".join(_ending(request, people, hook, telling, known)),
        title=request.title or title_case(f"{people[0].name} and {_TITLE}" if people else _TITLE),
        choice_question=telling.one(questions) if hook else "",
        choices=choices_of(hook, telling, rng),
        educational_elements=rng.sample(plot.elements if plot else known.frames.lessons, 2),
        bible=_bible(request, people, hook, known),
    )


def _people(request: StoryRequest, known: Vocabulary) -> list[Person]:
    """Who is named in the story: those of the bible, else those whom the vocabulary knows."""
    own = [each for each in request.bible.characters if re.search(rf"\b{re.escape(each[0])}\b", request.story)]
    texts = (*request.recent, request.story)
    return [remembered(*each, texts, known) for each in own] or people_in(request.story, known)


def _cast(request: StoryRequest, people: list[Person], known: Vocabulary, rng: random.Random) -> Cast:
    cast = cast_story(request, known, rng)
    return replace(cast, hero=people[0]) if people else cast


def _ending(
    request: StoryRequest, people: list[Person], hook: Hook | None, telling: Telling, known: Vocabulary
) -> list[str]:
    frames = known.frames
    sentences = [telling.one(frames.finishes_hero if people else frames.finishes)]
    if hook:
        return [*sentences, telling.say(hook.little if telling.band == "little" else hook.older)]
    good_night = [telling.one(frames.farewells_nick)] if tidied(request.nickname) else []
    return [*sentences, telling.one(frames.finishes_last), *good_night]


def _bible(request: StoryRequest, people: list[Person], hook: Hook | None, known: Vocabulary) -> BibleAnswer:
    named = [place.name for place in known.places if place.name in request.story]
    known_people = [described(person, people[0].name if index else "") for index, person in enumerate(people[:2])]
    return request.bible.extended(known_people, named[:1], [hook.thread] if hook else [])
