"""What the model tells in the bench. A token is one streamed line of the model server: four characters."""

import json
import math

from tests.ollama_server import STORY, Reply
from tests.stories import chapter

MODEL = "llama3.2"

TOKEN_CHARACTERS = 4

TELLING = chapter("\n\n".join([STORY] * 2))
"""A chapter of some 400 tokens, its choices included."""

LONG_TELLING = chapter("\n\n".join([STORY] * 7))
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


def token_count() -> int:
    """How many tokens the model writes for TELLING."""
    return math.ceil(len(json.dumps(TELLING, ensure_ascii=False)) / TOKEN_CHARACTERS)
