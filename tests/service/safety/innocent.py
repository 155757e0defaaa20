"""The innocent sentences of innocent.txt, each with the language and age of its reader."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from service.safety.policy import load_policy
from service.safety.screen import Screen

_HEADING = re.compile(r"\[(?P<language>\S+) (?P<age>\d+)\]")
POLICY = load_policy()


class Innocent(NamedTuple):
    """A sentence that passes for such a reader."""

    text: str
    language: str
    age: int

    @property
    def screen(self) -> Screen:
        """The screen of the reader."""
        return POLICY.screen(self.age, self.language)


@cache
def innocent() -> tuple[Innocent, ...]:
    """All of them."""
    sentences, language, age = [], "", 0
    for line in Path(__file__).with_name("innocent.txt").read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.fullmatch(line):
            language, age = heading["language"], int(heading["age"])
        elif line and not line.startswith("#"):
            sentences.append(Innocent(line, language, age))
    return tuple(sentences)
