"""Telling a story, finishing one, or telling it afresh without the passages that must not come again."""

import random
import re
from dataclasses import replace
from operator import itemgetter

from service.models.storyteller.bible import Bible
from service.models.storyteller.composer import Chapter, compose
from service.models.storyteller.finishing import finish
from service.models.storyteller.request import StoryRequest

_ATTEMPTS = 32
_SAFE_THEME = "a kind surprise"


def tell(request: StoryRequest, seed: int) -> Chapter:
    """The chapter that `request` and `seed` determine; of one that was cut short, its end.

    A rewrite holds none of the request's quotes: inputs that contain one are left out, and variations are tried until
    one is free of them, at last without any of the inputs. When every variation holds a quote, a word that no
    story does without, the one with the fewest is told.
    """
    if request.task == "finish":
        return finish(request, _chance(seed, request, 0))
    quotes = [quote for quote in map(_plain, request.quotes) if quote]
    if request.task != "rewrite" or not quotes:
        return compose(request, _chance(seed, request, 0))
    tried: list[tuple[int, Chapter]] = []
    for attempt, variation in enumerate(_variations(_spared(request, quotes))):
        chapter = compose(variation, _chance(seed, request, attempt))
        found = sum(quote in _plain(_everything(chapter)) for quote in quotes)
        if not found:
            return chapter
        tried.append((found, chapter))
    return min(tried, key=itemgetter(0))[1]


def _chance(seed: int, request: StoryRequest, attempt: int) -> random.Random:
    return random.Random(f"{seed}:{attempt}:{request.key()}")  # noqa: S311 - for variety only


def _variations(request: StoryRequest) -> list[StoryRequest]:
    safe = replace(request, theme=_SAFE_THEME, title="", nickname="", interests=(), turn="", bible=Bible(), recent=())
    bare = replace(safe, theme="")
    return [request] * _ATTEMPTS + [safe] * _ATTEMPTS + [bare] * _ATTEMPTS


def _spared(request: StoryRequest, quotes: list[str]) -> StoryRequest:
    def clean(text: str) -> bool:
        return not any(quote in _plain(text) for quote in quotes)

    return replace(
        request,
        theme=request.theme if clean(request.theme) else _SAFE_THEME if clean(_SAFE_THEME) else "",
        title=request.title if clean(request.title) else "",
        nickname=request.nickname if clean(request.nickname) else "",
        interests=tuple(filter(clean, request.interests)),
        turn=request.turn if clean(request.turn) else "",
        bible=request.bible if clean(str(request.bible)) else Bible(),
    )


def _everything(chapter: Chapter) -> str:
    return "\n".join(
        [
            chapter["story_content"],
            chapter["title"],
            chapter["choice_question"],
            *chapter["choices"],
            *chapter["educational_elements"],
            *(f"{each['name']}\n{each['about']}" for each in chapter["bible"]["characters"]),
            *chapter["bible"]["places"],
            *chapter["bible"]["open_threads"],
        ]
    )


def _plain(text: str) -> str:
    """Text as it is compared: without regard to case, whitespace or the shape of quotation marks."""
    text = text.casefold().replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return re.sub(r"\s+", " ", text).strip()
