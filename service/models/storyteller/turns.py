"""How a later chapter begins: with what was chosen, or, when nothing was, with a new day."""

from service.models.storyteller.casting import Cast
from service.models.storyteller.english import clipped, tidied, words_of
from service.models.storyteller.hooks import consequence
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.telling import Telling
from service.models.storyteller.vocabulary import Frames, Vocabulary

_PERSONAL = frozenset(["i", "me", "my", "mine", "we", "us", "our", "you", "your", "he", "she", "him", "her", "his"])


def resumed(request: StoryRequest, cast: Cast, telling: Telling, known: Vocabulary) -> list[str]:
    """The first paragraph of a later chapter, as sentences."""
    frames = known.frames
    older = telling.rich
    turn = clipped(tidied(request.turn))
    if not turn:
        sentences = [telling.one(frames.resumes), *([telling.one(frames.resumes_older)] if older else [])]
        sentences += [telling.one(frames.threads, thread=each) for each in request.bible.open_threads[-1:]]
        return [*sentences, *_where(sentences, cast, telling, frames), *_company(cast, telling, frames)]
    done = _can_be_done(turn, known)
    sentences = [_chosen(turn, cast, telling, frames) if done else _happened(turn, telling, frames)]
    if cast.moved:
        sentences.append(telling.one(frames.turn_place))
    then = consequence(request.turn, known)
    sentences.append(telling.one((then,) if then else frames.turn_after if done else frames.turn_happened))
    sentences += [*_where(sentences, cast, telling, frames), *_company(cast, telling, frames)]
    return [*sentences, *([telling.one(frames.turn_after_older)] if older else [])]


def _where(sentences: list[str], cast: Cast, telling: Telling, frames: Frames) -> list[str]:
    named = any(cast.place.name in sentence for sentence in sentences)
    return [] if named else [telling.one(frames.wheres_again)]


def _company(cast: Cast, telling: Telling, frames: Frames) -> list[str]:
    return [telling.one(frames.companions, companion=cast.companion.name)] if cast.companion else []


def _can_be_done(turn: str, known: Vocabulary) -> bool:
    """Whether the turn is an order such as "open the door", which can stand after "to"."""
    words = words_of(turn)
    order = bool(words) and words[0] in known.words.imperatives and not _PERSONAL & set(words)
    return order and not any(mark in turn for mark in ".!?;:…")


def _chosen(turn: str, cast: Cast, telling: Telling, frames: Frames) -> str:
    named = cast.hero.name in turn
    return telling.one(frames.turn_named if named else frames.turn_imperative, turn=turn[:1].lower() + turn[1:])


def _happened(turn: str, telling: Telling, frames: Frames) -> str:
    # The frame ends the turn with an exclamation mark of its own.
    return telling.one(frames.turn_quoted, turn=(turn[:1].upper() + turn[1:]).rstrip("?!. "))
