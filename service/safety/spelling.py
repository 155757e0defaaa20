"""Words that are spelt letter by letter: "k i l l", "f.u.c.k", "s-h-i-t"."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from service.safety.words import spellings

_LETTER = re.compile(r"[^\W_](?![^\W_])")
_SEPARATED = re.compile(r"[^\W_](?P<separator>[^\n\w]|_)(?:[^\W_](?![^\W_])|\Z)")
_GAP = re.compile(r"(?:[^\n\w]|_){0,3}\n?(?:[^\n\w]|_){0,3}")
_ARTICLES = frozenset("ai")


class Spelling(NamedTuple):
    """Letters that were read, without what separates them, and where the last one ends; `open`: more may follow."""

    letters: str
    end: int
    open: bool


def spelt(plain: str, start: int, beginnings: set[str], *, ended: bool) -> Iterator[Spelling]:
    """Every way to read what is spelt from here on that `beginnings` know, word by word.

    All letters of a word are separated by the same character, and no more of them follow; words may be further apart.
    """
    first = _SEPARATED.match(plain, start)
    if first is None or not _begins(plain, start, first["separator"]):
        return
    separator, written, at = first["separator"], "", start
    while True:
        written += plain[at]
        known = [letters for letters in spellings(written) if letters in beginnings]
        if not known:
            return
        end = at + 1
        at, more = _next(plain, end, separator)
        if at >= len(plain) - 1 and not ended:
            # What comes next may be another letter of this word, or a word by itself.
            yield Spelling(known[0], end, True)
        if not more and any(map(str.isalpha, written)):
            yield from (Spelling(letters, end, False) for letters in known)
        if not _LETTER.match(plain, at):
            return


def _begins(plain: str, start: int, separator: str) -> bool:
    """Whether no letter of the same word stands before; "a" and "I" are words by themselves."""
    if start < 2 or plain[start - 1] != separator or not _LETTER.match(plain, start - 2):
        return True
    if start > 2 and plain[start - 3].isalnum():
        return True
    return separator.isspace() and plain[start - 2] in _ARTICLES


def _next(plain: str, end: int, separator: str) -> tuple[int, bool]:
    """Where the next letter is to be looked for, and whether it belongs to the same word."""
    if plain.startswith(separator, end) and _LETTER.match(plain, end + 1):
        return end + 1, True
    match = _GAP.match(plain, end)
    return (match.end() if match else end), False
