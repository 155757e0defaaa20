"""Where sentences and paragraphs end, found while the text still grows, and alike however it is cut into chunks."""

import re
from typing import Protocol

from service.safety.abbreviations import is_abbreviation, is_month

MAX_CHARACTERS = 2_000
"""A sentence that is longer is cut at white space: a text without sentence ends must not be held for ever."""

# Possessive, and whole runs whatever follows: a run of a thousand full stops must cost no more than a thousand steps.
# Quotes close behind the end of a sentence, also those that open one in another language („Halt!“, »Halt!«).
_END = re.compile(r"""[.!?…]++["'”’“‘»«›‹)\]]*+|[。！？｡]++[」』”’）]*+|\n[^\S\n]*+\n""")
_ANY_END = re.compile(r"[.!?…。！？｡\n]")
_NEEDS_SPACE = frozenset(".!?…")
# « Halte ! » is closed behind a space, unlike what »Halt« opens.
_SPACED_CLOSER = re.compile(r"[ \u00a0\u202f]++»(?=[\s,;:.!?…])")
_PERHAPS_CLOSER = re.compile(r"[ \u00a0\u202f]*+»?\Z")
_BLANK = re.compile(r"\s*")
_WORD_BEFORE = re.compile(r"(\w[\w.]*)\.$")
# The dash of a dialogue leads what follows: — ¡Hola! —dijo.
_NEXT = re.compile(r"\s*+(?:[—–-]\s*+)?+(\S)")
_NEXT_WORD = re.compile(r"\s*+(\w{1,12})(?=\W)")
_UNFINISHED_WORD = re.compile(r"\s*+\w{1,11}\Z")

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
        self._undecided = False

    def feed(self, text: str) -> list[str]:
        self._text += text
        if not self._undecided and len(self._text) <= MAX_CHARACTERS and not _ANY_END.search(text):
            return []
        sentences, begin = [], 0
        while (end := self._next_end(begin)) is not None:
            sentences.append(self._text[begin:end])
            begin = self._scanned = end
        self._text = self._text[begin:]
        self._scanned -= begin
        return sentences

    def finish(self) -> str:
        rest, self._text, self._scanned, self._undecided = self._text, "", 0, False
        return rest

    def _next_end(self, begin: int) -> int | None:
        # What lies beyond the limit must not count, or the end would depend on how much of it has come.
        limit = begin + MAX_CHARACTERS
        window, full = min(len(self._text), limit + 1), len(self._text) > limit
        self._undecided = False
        for match in _END.finditer(self._text, max(self._start(begin, window), self._scanned), window):
            if match[0][0] == "\n":
                return match.start()
            if match.end() > limit:
                break
            end = self._closed(match.end(), window)
            decision = None if end is None else self._is_end(begin, match, end, window)
            if decision is None and not full:
                self._scanned, self._undecided = match.start(), True
                return None
            if decision is not False:
                return min(end or match.end(), limit)
        if full:
            return self._forced_end(begin, limit)
        self._scanned = max(self._scanned, len(self._text.rstrip()))
        return None

    def _start(self, begin: int, window: int) -> int:
        # A paragraph break at the very start leads this sentence: it ended the one before.
        blank = _BLANK.match(self._text, begin, window)
        return blank.end() if blank else begin

    def _closed(self, end: int, window: int) -> int | None:
        """Where the sentence ends with a quote that is closed behind a space; None while that may yet come."""
        if closer := _SPACED_CLOSER.match(self._text, end, window):
            return closer.end()
        return None if _PERHAPS_CLOSER.match(self._text, end, window) else end

    def _is_end(self, begin: int, match: re.Match[str], end: int, window: int) -> bool | None:
        """Whether a sentence ends there; None while it depends on what follows."""
        if match[0][0] in _NEEDS_SPACE and not self._text[end].isspace():
            return False
        following = _NEXT.match(self._text, end, window)
        if following is None:
            return None
        if following[1].islower():
            return False
        word = _WORD_BEFORE.search(self._text, max(begin, match.start() - 20), match.start() + 1)
        if word is None or match[0] != ".":
            return True
        if word[1].isdigit():
            return self._is_end_after_number(begin, word, end, window)
        return not is_abbreviation(word[1], following[1])

    def _is_end_after_number(self, begin: int, word: re.Match[str], end: int, window: int) -> bool | None:
        if not self._text[begin : word.start()].strip():
            return False  # of a list: 1. Wake up.
        if len(word[1]) > 2:
            return True
        following = _NEXT_WORD.match(self._text, end, window)
        if following is None and _UNFINISHED_WORD.match(self._text, end, window):
            return None
        return following is None or not is_month(following[1])

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
        if self._text.find("\n", self._scanned) < 0:
            return []
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
