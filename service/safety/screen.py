"""The word screen: finds blocked phrases in text, as policy/blocked.yaml lists them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import yaml

from service.errors import ConfigError

# Within a phrase, white space of any kind and at most one line break: a new paragraph is never within a phrase.
_SPACE = r"(?:[^\S\n]+|[^\S\n]*\n[^\S\n]*)"


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
        self.longest_words = max(len(phrase.split()) for phrase in self._categories)
        # Longest first: of two phrases that begin alike the longer one is the finding.
        ordered = sorted(self._categories, key=len, reverse=True)
        pattern = "|".join(_SPACE.join(map(re.escape, phrase.split())) for phrase in ordered)
        self._pattern = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")

    def find(self, text: str) -> list[Finding]:
        """Every blocked phrase in the text, in order."""
        plain, origin = _normalise(text)
        return [
            Finding(self._categories[_plain(match[0])], origin[match.start()], origin[match.end() - 1] + 1)
            for match in self._pattern.finditer(plain)
        ]


def load_screen() -> Screen:
    """The screen of the packaged policy. Raises ConfigError when the file is not categories of phrases."""
    source = resources.files("service.safety") / "policy" / "blocked.yaml"
    policy = yaml.safe_load(source.read_text(encoding="utf-8"))
    if not isinstance(policy, dict) or not all(_is_phrases(each) for each in policy.values()):
        raise ConfigError(["service/safety/policy/blocked.yaml: expected categories, each with a list of phrases"])
    return Screen(policy)


def _is_phrases(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each.strip() for each in value)


def _plain(phrase: str) -> str:
    return " ".join(_normalise(phrase)[0].split())


def _normalise(text: str) -> tuple[str, Sequence[int]]:
    """The text in one form (NFKC, case folded, no invisible characters), and for each character where it came from."""
    if text.isascii():
        return text.lower(), range(len(text))
    characters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        if unicodedata.category(character) == "Cf":
            continue
        folded = unicodedata.normalize("NFKC", character).casefold()
        characters.append(folded)
        origin.extend([index] * len(folded))
    return "".join(characters), origin
