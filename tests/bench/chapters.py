"""What the model tells in the bench. A token is one streamed line of the model server: four characters."""

import json
import math
from collections.abc import Mapping
from typing import Any

from tests.ollama_server import STORY, Reply
from tests.stories import APPROVAL, chapter

MODEL = "llama3.2"

TOKEN_CHARACTERS = 4

BIBLE = {
    "characters": [{"name": "Mina", "about": "keeps the lighthouse"}, {"name": "the fox", "about": "has cold paws"}],
    "places": ["the lighthouse", "the harbour"],
    "open_threads": ["Will the fox come back?"],
}

TELLING = chapter("\n\n".join([STORY] * 2), bible=BIBLE)
"""A chapter of some 450 tokens, its choices and its bible included."""

LONG_TELLING = chapter("\n\n".join([STORY] * 7), bible=BIBLE)
"""A chapter that no measurement waits for the end of: a minute at 20 tokens a second."""

PACE = 20.0
"""Tokens a second of one chat, as a model on a good machine writes."""

STALL_TOKENS = 60
"""After so many tokens a stalled chat falls silent: its first sentences are out by then."""

DRIPPING = Reply(content=LONG_TELLING, chunk_chars=TOKEN_CHARACTERS, tokens_per_second=PACE)
STALLED = Reply(content=LONG_TELLING, chunk_chars=TOKEN_CHARACTERS, stall_after=STALL_TOKENS)


def told(tokens_per_second: float | None) -> Reply:
    """The chapter at this pace; None is as fast as can be."""
    return Reply(content=TELLING, chunk_chars=TOKEN_CHARACTERS, tokens_per_second=tokens_per_second)


def judged(tokens_per_second: float | None) -> Reply:
    """What a reviewer answers who has nothing to mend, at this pace; None is as fast as can be."""
    return Reply(content=APPROVAL, chunk_chars=TOKEN_CHARACTERS, tokens_per_second=tokens_per_second)


def token_count(answer: Mapping[str, Any] = TELLING) -> int:
    """How many tokens the model writes for an answer."""
    return math.ceil(len(json.dumps(answer, ensure_ascii=False)) / TOKEN_CHARACTERS)
