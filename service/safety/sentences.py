"""Where sentences and paragraphs end, found while the text still grows, and alike however it is cut into chunks."""

import re
from typing import Protocol

MAX_CHARACTERS = 2_000
"""A sentence that is longer is cut at white space: a text without sentence ends must not be held for ever."""

# Possessive, and whole runs whatever follows: a run of a thousand full stops must cost no more than a thousand steps.
_END = re.compile(r"""[.!?…]++["'”’»)\]]*+|[。！？]++[」』”’]*+|\n[^\S\n]*+\n""")
_NEEDS_SPACE = frozenset(".!?…")
_BLANK = re.compile(r"\s*")
_WORD_BEFORE = re.compile(r"(\w[\w.]*)\.$")
_NEXT = re.compile(r"\s*(\S)")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr st prof jr sr vs etc e.g i.e vol capt col gen lt sgt rev hon mt ft".split()  # noqa: SIM905
)

_PARAGRAPH_END = re.compile(r"\S(?=[^\S\n]*+\n[^\S\n]*+\n\s*+\S)")


class Splitter(Protocol):
    """Cuts a growing text into units; joined, they are the text. White space between two leads the second."""

    def feed(self, text: str) -> list[str]:
        """The units that are known to be whole, now that `text` has followed. The last one always waits."""

    def finish(self) -> str:
        """The rest, whole or not; possibly empty. The splitter is as new afterwards."""


class SentenceSplitter:
    """Cuts a growing text into sentences. See `Splitter`."""

    def __init__(self) -> None:
        self._text = ""
        self._scanned = 0

    def feed(self, text: str) -> list[str]:
        self._text += text
        sentences, begin = [], 0
        while (end := self._next_end(begin)) is not None:
            sentences.append(self._text[begin:end])
            begin = self._scanned = end
        self._text = self._text[begin:]
        self._scanned -= begin
        return sentences

    def finish(self) -> str:
        rest, self._text, self._scanned = self._text, "", 0
        return rest

    def _next_end(self, begin: int) -> int | None:
        # What lies beyond the limit must not count, or the end would depend on how much of it has come.
        limit = begin + MAX_CHARACTERS
        window, full = min(len(self._text), limit + 1), len(self._text) > limit
        for match in _END.finditer(self._text, max(self._start(begin, window), self._scanned), window):
            if match[0][0] == "\n":
                return match.start()
            if match.end() > limit:
                break
            following = _NEXT.match(self._text, match.end(), window)
            if following is None and not full:
                # Undecided: the end may grow, and the next sentence or a lower-case continuation is to come.
                self._scanned = match.start()
                return None
            if following is None or self._is_end(begin, match, following[1]):
                return match.end()
        if full:
            return self._forced_end(begin, limit)
        self._scanned = max(self._scanned, len(self._text.rstrip()))
        return None

    def _start(self, begin: int, window: int) -> int:
        # A paragraph break at the very start leads this sentence: it ended the one before.
        blank = _BLANK.match(self._text, begin, window)
        return blank.end() if blank else begin

    def _is_end(self, begin: int, match: re.Match[str], following: str) -> bool:
        if following.islower() or (match[0][0] in _NEEDS_SPACE and not self._text[match.end()].isspace()):
            return False
        if not match[0].startswith("."):
            return True
        word = _WORD_BEFORE.search(self._text, max(begin, match.start() - 20), match.start() + 1)
        return word is None or not (word[1].lower() in _ABBREVIATIONS or (len(word[1]) == 1 and word[1].isupper()))

    def _forced_end(self, begin: int, limit: int) -> int:
        blank = max(self._text.rfind(" ", begin + 1, limit), self._text.rfind("\n", begin + 1, limit))
        return blank if blank > 0 else limit


class ParagraphSplitter:
    """Cuts a growing text into paragraphs, which end before a blank line. See `Splitter`."""

    def __init__(self) -> None:
        self._text = ""
        self._scanned = 0

    def feed(self, text: str) -> list[str]:
        self._text += text
        paragraphs, begin = [], 0
        for match in _PARAGRAPH_END.finditer(self._text, self._scanned):
            paragraphs.append(self._text[begin : match.end()])
            begin = match.end()
        self._text = self._text[begin:]
        self._scanned = max(len(self._text.rstrip()) - 1, 0)
        return paragraphs

    def finish(self) -> str:
        rest, self._text, self._scanned = self._text, "", 0
        return rest
