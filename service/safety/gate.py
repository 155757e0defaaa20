"""The release gate: text goes in as the model writes it and comes out in screened units, or not at all.

There is no way around it: whatever `release` says, a unit leaves after the screen has passed it together with all that
was held. Once the screen finds something, nothing more of that revision leaves.
"""

import re
from dataclasses import dataclass

from fabula.run.v1 import run_pb2
from service.safety.screen import Screen
from service.safety.sentences import SentenceSplitter

_WORD = re.compile(r"\S+")
_PARAGRAPH_END = re.compile(r"\S(?=[^\S\n]*\n[^\S\n]*\n\s*\S)")


@dataclass(frozen=True, slots=True)
class Released:
    """Text that may leave, and the segment that it belongs to, from 1."""

    text: str
    segment: int


class ReleaseGate:
    """Base: what every mode has in common. One gate serves one revision of a text."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.blocked = False

    def feed(self, text: str) -> list[Released]:
        """Takes text as it was written; returns what may leave now."""
        return [] if self.blocked else self._release(text, ended=False)

    def finish(self) -> list[Released]:
        """The text has ended; returns the rest that may leave before the review."""
        return [] if self.blocked else self._release("", ended=True)

    def approve(self) -> list[Released]:
        """The whole text passed its review; returns what waited for that."""
        return []

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        raise NotImplementedError

    def _passes(self, text: str) -> bool:
        self.blocked = self.blocked or bool(self._screen.find(text))
        return not self.blocked


class SentenceGate(ReleaseGate):
    """Sentence by sentence."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._splitter = SentenceSplitter()
        self._segment = 0

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        units = self._splitter.feed(text)
        if ended and (rest := self._splitter.finish()):
            units.append(rest)
        released = []
        for unit in units:
            if not self._passes(unit):
                break
            self._segment += 1
            released.append(Released(unit, self._segment))
        return released


class ChapterGate(SentenceGate):
    """The whole text, sentence by sentence, once its review has approved it."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._held: list[Released] = []

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        self._held += super()._release(text, ended=ended)
        return []

    def approve(self) -> list[Released]:
        held, self._held = self._held, []
        return [] if self.blocked else held


class ParagraphGate(ReleaseGate):
    """Paragraph by paragraph; the blank line leads the second one."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._text = ""
        self._segment = 0

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        self._text += text
        released = []
        while not self.blocked and (match := _PARAGRAPH_END.search(self._text)):
            released += self._unit(match.end())
        if ended and self._text and not self.blocked:
            released += self._unit(len(self._text))
        return released

    def _unit(self, end: int) -> list[Released]:
        unit, self._text = self._text[:end], self._text[end:]
        if not self._passes(unit):
            return []
        self._segment += 1
        return [Released(unit, self._segment)]


class TokenGate(ReleaseGate):
    """At once, but for the last words: as many as the longest blocked phrase has, which they could still become."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._held = ""
        self._splitter = SentenceSplitter()
        self._sentence_ends: list[int] = []
        self._offset = 0
        self._segment = 1
        self._seen = 0

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        self._held += text
        for sentence in self._splitter.feed(text):
            self._seen += len(sentence)
            self._sentence_ends.append(self._seen)
        free = len(self._held) if ended else self._free()
        if free == 0 or not self._passes(self._held):
            return []
        unit, self._held = self._held[:free], self._held[free:]
        return self._by_segment(unit)

    def _free(self) -> int:
        starts = [match.start() for match in _WORD.finditer(self._held)]
        return starts[-self._screen.longest_words] if len(starts) >= self._screen.longest_words else 0

    def _by_segment(self, unit: str) -> list[Released]:
        released = []
        while unit:
            end = self._sentence_ends[0] - self._offset if self._sentence_ends else len(unit)
            part, unit = unit[:end], unit[end:]
            if part:
                released.append(Released(part, self._segment))
                self._offset += len(part)
            if self._sentence_ends and self._offset == self._sentence_ends[0]:
                self._sentence_ends.pop(0)
                self._segment += 1
        return released


_GATES: dict[int, type[ReleaseGate]] = {
    run_pb2.RELEASE_UNSPECIFIED: SentenceGate,
    run_pb2.RELEASE_SENTENCE: SentenceGate,
    run_pb2.RELEASE_PARAGRAPH: ParagraphGate,
    run_pb2.RELEASE_CHAPTER: ChapterGate,
    run_pb2.RELEASE_TOKEN: TokenGate,
}


def open_gate(screen: Screen, release: "run_pb2.Release.ValueType") -> ReleaseGate:
    """A new gate for one revision."""
    return _GATES[release](screen)
