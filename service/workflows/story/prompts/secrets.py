"""What of our own prompts must never be told: whoever asks a model for its instructions gets no story of them."""

import re
from collections.abc import Iterator

from service.workflows.story.prompts import FILES

CATEGORY = "prompt_text"

_WORDS = 6
"""So many words in a row stand in no story by chance."""

_WORD = re.compile(r"[\w'-]+")
_PLACE = re.compile(r"\{\w+\}")
_FIELDS = {
    "task": ("tell", "rewrite", "finish", "review"),
    "reading_level": ("beginner", "intermediate", "advanced"),
}
"""Fields of a request with all their values: a request that is told as a story holds them."""


def secrets() -> list[str]:
    """Every run of six words of a prompt, as it is written and without its punctuation, and the fields of requests."""
    runs = dict.fromkeys(
        f'{field}":{space}"{value}' for field, values in _FIELDS.items() for value in values for space in ("", " ")
    )
    for text in FILES.values():
        for part in _PLACE.split(text):
            for written in _runs(part):
                runs |= dict.fromkeys((written, " ".join(_WORD.findall(written))))
    return list(runs)


def _runs(text: str) -> Iterator[str]:
    words = list(_WORD.finditer(text))
    for first, last in zip(words, words[_WORDS - 1 :], strict=False):
        yield text[first.start() : last.end()]
