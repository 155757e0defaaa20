"""The word screen: finds blocked phrases in text, as policy/blocked.yaml lists them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import yaml

from service.errors import ConfigError

# Within a phrase, white space of any kind and at most one line break: a new paragraph is never within a phrase.
_SPACE = r"(?:[^\S\n]+|[^\S\n]*\n[^\S\n]*)"
_PARAGRAPH_BREAK = r"\n(?=[^\S\n]*+\n)\s*"
_WORD = re.compile(r"\S+")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")

# Beside control and format characters: joiners, fillers and variation selectors, which nobody sees either.
_UNSEEN = frozenset(
    map(chr, [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, *range(0xFE00, 0xFE10), 0xFFA0])
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
_ALIKE = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2019": "'"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A blocked phrase: its category, and where it stands in the text, [start, end) in characters."""

    category: str
    start: int
    end: int


class Screen:
    """Finds the phrases of a policy. Stateless; one serves every run."""

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        self._categories = {_plain(phrase): category for category, each in phrases.items() for phrase in each}
        self._longest_words = max(len(phrase.split()) for phrase in self._categories)
        # Longest first: of two phrases that begin alike the longer one is the finding.
        ordered = sorted(self._categories, key=len, reverse=True)
        pattern = "|".join(_SPACE.join(map(re.escape, phrase.split())) for phrase in ordered)
        self._pattern = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")
        # What is in no phrase parts phrases, as the full stop in "to bed. Death".
        within = "".join(map(re.escape, sorted(set("".join(self._categories)))))
        self._break = re.compile(rf"(?:[^\w\s{within}]|{_PARAGRAPH_BREAK})(?!\Z)")

    def find(self, text: str, *, ended: bool = True) -> list[Finding]:
        """Every blocked phrase in the text, in order.

        Unless the text has ended, its last word may still grow: a phrase that reaches the end is no finding yet.
        """
        plain, origin = _normalise(text)
        return [
            Finding(self._categories[_spaced(match[0])], origin[match.start()], origin[match.end() - 1] + 1)
            for match in self._pattern.finditer(plain)
            if ended or match.end() < len(plain)
        ]

    def settled(self, text: str) -> int:
        """How many characters of a growing text are settled: no phrase begins in them that what follows could complete.

        The rest has at most as many words as the longest phrase; it is never empty, unless the text is.
        """
        plain, origin = _normalise(text)
        end = max((match.end() for match in self._break.finditer(plain)), default=0)
        words = [match.start() for match in _WORD.finditer(plain, end)]
        if len(words) >= self._longest_words:
            end = words[-self._longest_words]
        return min(origin[end - 1] + 1, origin[end]) if end else 0


def load_screen() -> Screen:
    """The screen of the packaged policy. Raises ConfigError when the file is not categories of phrases."""
    source = resources.files("service.safety") / "policy" / "blocked.yaml"
    policy = yaml.safe_load(source.read_text(encoding="utf-8"))
    if not isinstance(policy, dict) or not policy or not all(_is_phrases(each) for each in policy.values()):
        raise ConfigError(["service/safety/policy/blocked.yaml: expected categories, each with a list of phrases"])
    return Screen(policy)


def _is_phrases(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each.strip() for each in value)


def _plain(phrase: str) -> str:
    return _spaced(_normalise(phrase)[0])


def _spaced(plain: str) -> str:
    return " ".join(plain.split())


def _normalise(text: str) -> tuple[str, Sequence[int]]:
    """The text in one form (NFKC, case folded, no invisible characters), and for each character where it came from."""
    if text.isascii() and not _CONTROL.search(text):
        return text.lower(), range(len(text))
    characters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        folded = _fold(character)
        characters.append(folded)
        origin.extend([index] * len(folded))
    return "".join(characters), origin


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    unseen = unicodedata.category(character) in {"Cf", "Cc"} and not character.isspace()
    if unseen or character in _UNSEEN:
        return ""
    return unicodedata.normalize("NFKC", character).translate(_ALIKE).casefold()
