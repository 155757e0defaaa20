"""Where sentences end, found while the text still grows."""

import re

MAX_CHARACTERS = 2_000
"""A sentence that is longer is cut at white space: a text without sentence ends must not be held for ever."""

_END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s)|[。！？]+[」』”’]*|\n[^\S\n]*\n""")
_WORD_BEFORE = re.compile(r"(\w[\w.]*)\.$")
_NEXT = re.compile(r"\s*(\S)")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr st prof jr sr vs etc e.g i.e no vol capt col gen lt sgt rev hon mt ft".split()  # noqa: SIM905
)


class SentenceSplitter:
    """Cuts a growing text into sentences; joined, they are the text. White space between two leads the second."""

    def __init__(self) -> None:
        self._text = ""
        self._scanned = 0

    def feed(self, text: str) -> list[str]:
        """The sentences that are known to be whole, now that `text` has followed."""
        self._text += text
        sentences = []
        while (end := self._next_end()) is not None:
            sentences.append(self._text[:end])
            self._text = self._text[end:]
            self._scanned = 0
        return sentences

    def finish(self) -> str:
        """The rest, whole or not; possibly empty. The splitter is as new afterwards."""
        rest, self._text, self._scanned = self._text, "", 0
        return rest

    def _next_end(self) -> int | None:
        # A paragraph break at the very start leads this sentence: it ended the one before.
        start = len(self._text) - len(self._text.lstrip())
        for match in _END.finditer(self._text, max(start, self._scanned)):
            if match[0][0] == "\n":
                return match.start()
            following = _NEXT.match(self._text, match.end())
            if following is None:
                # Undecided until the next sentence, or its lower-case continuation, begins.
                self._scanned = match.start()
                return None
            if self._is_end(match, following[1]):
                return match.end()
        self._scanned = max(self._scanned, self._last_possible_start())
        return self._forced_end()

    def _is_end(self, match: re.Match[str], following: str) -> bool:
        if following.islower():
            return False
        if not match[0].startswith("."):
            return True
        word = _WORD_BEFORE.search(self._text, max(0, match.start() - 20), match.start() + 1)
        return word is None or not (word[1].lower() in _ABBREVIATIONS or (len(word[1]) == 1 and word[1].isupper()))

    def _last_possible_start(self) -> int:
        # An end mark may go on growing with what follows: begin the next scan before the last such run.
        stripped = self._text.rstrip(" \t\n.!?…\"'”’»)]")
        return len(stripped)

    def _forced_end(self) -> int | None:
        if len(self._text) <= MAX_CHARACTERS:
            return None
        blank = self._text.rfind(" ", 1, MAX_CHARACTERS)
        return blank if blank > 0 else MAX_CHARACTERS
