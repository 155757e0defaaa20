"""The release gate: text goes in as the model writes it and comes out in screened units, or not at all.

There is no way around it: whatever `release` says, text leaves once it is clean and no phrase that begins in it could
be completed by what follows. Once the screen finds something, nothing from there on leaves.
"""

from collections import deque
from typing import NamedTuple

from fabula.run.v1 import run_pb2
from service.safety.normal import visible
from service.safety.screen import Screen
from service.safety.sentences import ParagraphSplitter, SentenceSplitter, Splitter

_CONTEXT = 128
"""Characters of what left that the screen still sees: the longest phrase that is allowed, the name of a street."""


_LONG = 512
"""Characters: a text of which more is held than this is looked at less often."""


class Released(NamedTuple):
    """Text that may leave, and the segment that it belongs to, from 1."""

    text: str
    segment: int


class ReleaseGate:
    """Base: unit by unit, as the splitter cuts. One gate serves one revision of a text.

    The last unit waits until the text has ended, so that there is always one to say so.
    """

    def __init__(self, screen: Screen, splitter: Splitter) -> None:
        self._screen = screen
        self._splitter = splitter
        self._held = ""
        self._last = ""  # the end of what left, without what nobody sees
        self._reopened = 0  # characters at the end of what left in which a finding may begin after all
        self._offset = 0  # of the held text, in the whole one; `_cut` and `_ends` count from there, too
        self._cut = 0
        self._ends: deque[int] = deque()
        self._segment = 1
        self._next_look = 0  # the length of what is held at which it is screened again
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

    def abandon(self) -> str:
        """The model cut its text short: forgets what has not been let go, and returns it.

        What is fed from then on directly continues what was let go or, once whole, waits for the approval. A gate that
        is blocked forgets nothing: what it found is for the review to find as well.
        """
        if self.blocked:
            return ""
        dropped, self._held = self._held, ""
        # What was dropped may have been what no phrase goes on with.
        self._reopened = len(self._last) - self._screen.settled(self._last)
        self._splitter.finish()
        self._cut = self._offset
        self._ends.clear()
        return dropped

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        self._take(text, ended=ended)
        if not self._ends or not self._is_due(ended=ended):
            return []
        return self._let_go(self._whole(self._clean(ended=ended)))

    def _take(self, text: str, *, ended: bool) -> None:
        self._held += text
        units = self._splitter.feed(text)
        if ended and (rest := self._splitter.finish()):
            units.append(rest)
        for unit in units:
            self._cut += len(unit)
            self._ends.append(self._cut)

    def _is_due(self, *, ended: bool) -> bool:
        """Whether to look again. A text that stays unsettled for long is looked at each time that it has grown by a
        quarter: a model in a loop must not cost the square of what it says."""
        if len(self._held) < self._next_look and not ended:
            return False
        self._next_look = len(self._held) * 5 // 4 if len(self._held) > _LONG else 0
        return True

    def _clean(self, *, ended: bool) -> int:
        """How much of the held text is settled, and clean."""
        # With what stands before it: no word begins within one that was cut, and what is allowed may have begun there.
        context = len(self._last)
        findings, settled = self._screen.sift(self._last + self._held, context - self._reopened, ended=ended)
        self.blocked = bool(findings)
        return max((findings[0].start if findings else settled) - context, 0)

    def _whole(self, clean: int) -> int:
        """How much of the clean text is whole units."""
        return max((end - self._offset for end in self._ends if end - self._offset <= clean), default=0)

    def _let_go(self, size: int) -> list[Released]:
        released, position = [], 0
        while position < size:
            end = min(self._ends[0] - self._offset, size) if self._ends else size
            # A sentence that was cut for its length may have been cut where text has left before.
            if end > position:
                released.append(Released(self._held[position:end], self._segment))
                position = end
            if self._ends and self._ends[0] - self._offset <= position:
                self._ends.popleft()
                self._segment += 1
        if size:
            self._last = (self._last + visible(self._held[:size])[0])[-_CONTEXT:]
            self._held = self._held[size:]
            self._offset += size
            self._reopened = 0
            self._next_look = 0
        return released


class SentenceGate(ReleaseGate):
    """Sentence by sentence."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen, SentenceSplitter())


class ParagraphGate(ReleaseGate):
    """Paragraph by paragraph; the blank line leads the second one."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen, ParagraphSplitter())


class ChapterGate(SentenceGate):
    """The whole text, sentence by sentence, once its review has approved it."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._waiting: list[Released] = []

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        self._waiting += super()._release(text, ended=ended)
        return []

    def approve(self) -> list[Released]:
        waiting, self._waiting = self._waiting, []
        return [] if self.blocked else waiting


class TokenGate(SentenceGate):
    """At once, but for what could still become a blocked phrase; no piece is of two sentences.

    The last character always waits, so that there is one to say that the text has ended; so does white space: it leads
    what follows, of which it is not yet known whether it is a new sentence.
    """

    def abandon(self) -> str:
        """Forgets nothing: a part of a word may have left, and what goes on may make another word of it."""
        return ""

    def _release(self, text: str, *, ended: bool) -> list[Released]:
        self._take(text, ended=ended)
        return self._let_go(self._clean(ended=ended)) if self._is_due(ended=ended) else []

    def _clean(self, *, ended: bool) -> int:
        clean = super()._clean(ended=ended)
        if ended or self.blocked:
            return clean
        return len(self._held[: min(clean, len(self._held) - 1)].rstrip()) if self._held else 0


_GATES: dict[int, type[SentenceGate] | type[ParagraphGate]] = {
    run_pb2.RELEASE_UNSPECIFIED: SentenceGate,
    run_pb2.RELEASE_SENTENCE: SentenceGate,
    run_pb2.RELEASE_PARAGRAPH: ParagraphGate,
    run_pb2.RELEASE_CHAPTER: ChapterGate,
    run_pb2.RELEASE_TOKEN: TokenGate,
}


def open_gate(screen: Screen, release: "run_pb2.Release.ValueType") -> ReleaseGate:
    """A new gate for one revision."""
    return _GATES[release](screen)
