"""The screen of one reader: finds what must not reach them in a text that may still grow."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.safety.normal import folded, has_latin, visible
from service.safety.patterns import Pattern, may_match, scan_patterns
from service.safety.trie import Match, Phrase, Trie

_NEAR = 4
"""Characters of the context that say whether a word begins; what is allowed may need all of it."""

_LETTER = re.compile(r"[^\W\d_]")


class Severity(StrEnum):
    """What a finding leads to."""

    BLOCK = "block"
    """The gate holds it, and the review disapproves."""

    CAUTION = "caution"
    """The review alone is told; it disapproves when several add up."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A phrase or pattern: its category, and where it stands in the text as written, [start, end) in characters."""

    category: str
    start: int
    end: int


class Screen:
    """Finds the phrases and patterns of a policy. Stateless; one serves every run of readers of one age and language.

    `latin` is whether the reader's language is written in Latin script: where it is not, a word without a single
    Latin letter is a word of that language, whatever its letters look like.
    """

    def __init__(
        self,
        phrases: Mapping[str, Iterable[str]],
        *,
        patterns: Sequence[Pattern] = (),
        cautions: Mapping[str, Iterable[str]] | None = None,
        allowed: Iterable[str] = (),
        latin: bool = True,
    ) -> None:
        allow = [phrase_of(each, "", allowed=True) for each in allowed]
        self._tries: tuple[Trie, ...] = (Trie([*_phrases(phrases), *allow]),)
        self._cautions = Trie([*_phrases(cautions or {}), *allow])
        self._patterns = tuple(patterns)
        self._latin = latin

    def find(self, text: str, *, ended: bool = True) -> list[Finding]:
        """What must not reach the reader, in order; of two that overlap, the first.

        Unless the text has ended, its last word may still grow: what could become another finding is none yet.
        """
        return _apart(self.sift(text, ended=ended)[0])

    def cautions(self, text: str) -> list[Finding]:
        """What is told to the review alone, in order."""
        plain, origin = folded(text)
        matches, _ = self._cautions.scan(plain, 0, ended=True)
        return _apart(self._findings(matches, text, origin, []))

    def settled(self, text: str) -> int:
        """How many characters of a growing text are settled: what follows completes nothing that begins in them."""
        return self.sift(text, ended=False)[1]

    def sift(self, text: str, begin: int = 0, *, ended: bool) -> tuple[list[Finding], int]:
        """The findings from `begin` on, one at each place at most, and how many characters of the text are settled.

        What stands before `begin` is context. Unless the text has ended, findings beyond what is settled aren't told.
        """
        if begin > _NEAR and (settled := self._sift_nearby(text, begin, ended=ended)) is not None:
            return [], settled
        plain, origin = folded(text)
        matches, live = self._scan(plain, bisect_left(origin, begin), ended=ended)
        settled = origin[live] if live < len(plain) else len(text)
        findings: list[Finding] = []
        if self._patterns and may_match(text):
            findings, open_from = self._sift_patterns(text, begin, ended=ended)
            settled = min(settled, open_from)
        findings = self._findings(matches, text, origin, findings) if matches or findings else []
        return [each for each in findings if ended or each.start < settled], settled

    def _sift_nearby(self, text: str, begin: int, *, ended: bool) -> int | None:
        """How much is settled, when nothing is found even without most of the context: nearly always."""
        near = begin - _NEAR
        nearby = text[near:]
        if self._patterns and may_match(nearby):
            return None
        plain, origin = folded(nearby)
        matches, live = self._scan(plain, bisect_left(origin, _NEAR), ended=ended)
        if matches:
            return None
        return near + origin[live] if live < len(plain) else len(text)

    def _scan(self, plain: str, begin: int, *, ended: bool) -> tuple[list[Match], int]:
        if len(self._tries) == 1:
            return self._tries[0].scan(plain, begin, ended=ended)
        scans = [trie.scan(plain, begin, ended=ended) for trie in self._tries]
        return [match for matches, _ in scans for match in matches], min(live for _, live in scans)

    def and_phrases(self, category: str, phrases: Iterable[str]) -> "Screen":
        """A screen that blocks these as well, whatever the policy allows."""
        wider = Screen.__new__(Screen)
        firm = [phrase._replace(firm=True) for phrase in _phrases({category: phrases})]
        wider._tries = (*self._tries, Trie(firm))
        wider._cautions, wider._patterns, wider._latin = self._cautions, self._patterns, self._latin
        return wider

    def _sift_patterns(self, text: str, begin: int, *, ended: bool) -> tuple[list[Finding], int]:
        shown, origin = visible(text)
        spans, live = scan_patterns(self._patterns, shown, bisect_left(origin, begin), ended=ended)
        findings = [Finding(category, origin[start], origin[end - 1] + 1) for category, start, end in spans]
        return findings, origin[live] if live < len(shown) else len(text)

    def _findings(
        self, matches: Sequence[Match], text: str, origin: Sequence[int], findings: Sequence[Finding]
    ) -> list[Finding]:
        every, _ = self._tries[0].scan(folded(text)[0], 0, ended=True)
        allowed = [_span(match, origin) for match in every if match.phrase.allowed]
        meant = [match for match in matches if not match.phrase.allowed and self._is_meant(match, text, origin)]
        firm, mild = (
            [Finding(match.phrase.category, *_span(match, origin)) for match in meant if match.phrase.firm == is_firm]
            for is_firm in (True, False)
        )
        mild = [
            each
            for each in [*findings, *mild]
            if not any(start <= each.start and each.end <= end for start, end in allowed)
        ]
        return sorted([*firm, *mild], key=lambda each: (each.start, -each.end))

    def _is_meant(self, match: Match, text: str, origin: Sequence[int]) -> bool:
        if self._latin or not match.phrase.latin:
            return True
        start, end = _span(match, origin)
        return has_latin(text[start:end])


def phrase_of(written: str, category: str, *, allowed: bool = False) -> Phrase:
    """A phrase as the automaton takes it."""
    latin = written.isascii() or all(has_latin(letter) for letter in _LETTER.findall(written))
    return Phrase(folded(written)[0], category, allowed, latin)


def _phrases(by_category: Mapping[str, Iterable[str]]) -> list[Phrase]:
    return [phrase_of(each, category) for category, phrases in by_category.items() for each in phrases]


def _span(match: Match, origin: Sequence[int]) -> tuple[int, int]:
    return origin[match.start], origin[match.end - 1] + 1


def _apart(findings: Iterable[Finding]) -> list[Finding]:
    apart: list[Finding] = []
    for each in findings:
        if not apart or each.start >= apart[-1].end:
            apart.append(each)
    return apart
