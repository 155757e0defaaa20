"""What the end of a chapter opens, and what follows from what was chosen of it."""

import random
from collections.abc import Sequence

from service.models.storyteller.english import matching
from service.models.storyteller.request import StoryRequest
from service.models.storyteller.vocabulary import Hook, Vocabulary, vocabulary


def consequence(turn: str, known: Vocabulary) -> str:
    """The template of what follows a choice of the storyteller's own; empty when the turn is none of them."""
    turn = turn.strip()
    return next(
        (then for hook in known.hooks for choice, then in hook.choices if matching(choice).fullmatch(turn)),
        "",
    )


def choose_hook(request: StoryRequest, hooks: Sequence[Hook], rng: random.Random) -> Hook:
    """One of the hooks that the tale has not had, as far as its bible tells; at any rate not the one just answered."""
    known = vocabulary()
    turns = {consequence(turn, known) for turn in (request.turn, *request.bible.chosen)}
    last = {consequence(request.turn, known)}
    fresh = [hook for hook in hooks if not _leads_to(hook, last) and hook.thread not in request.bible.open_threads]
    return rng.choice([hook for hook in fresh if not _leads_to(hook, turns)] or fresh)


def _leads_to(hook: Hook, consequences: set[str]) -> bool:
    return any(then in consequences for _, then in hook.choices)
