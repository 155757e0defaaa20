"""What is found by its shape: telephone numbers, addresses, links. Written for the `regex` library, as data."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import regex

from service.safety.normal import visible

_MARGIN = 4
"""A number that ends fewer characters before the text does may be a part of another one, or of none."""

# A pattern begins at a figure or a sign, never at a letter: what could be the beginning of one is held, and ordinary
# words must not be. So an e-mail address is found from its "@" on, a bare domain from its full stop, and the number of
# a house after the name of the street.
# Before white space and quotes, full stops and colons are punctuation.
_STARTERS = re.compile(r"""[\d@+(]|[.:](?![\s"'”’“‘»«])""")

_WINDOW = 80
"""Characters from its first one on that a pattern sees: once there are as many, whether it matches is decided."""

# What a row of figures is (a date, a sum, a telephone number) is known once it has ended, or fills the window.
_GROWING = re.compile(r"[+(]?\d[\d \t\n()./·\-]*+\Z")


class Pattern(NamedTuple):
    """A compiled pattern and the category that it belongs to."""

    category: str
    regex: "regex.Pattern[str]"


def compile_pattern(category: str, written: str) -> Pattern:
    """Raises ValueError when it is no pattern, or could begin at anything but a figure or one of `@ . : + (`."""
    try:
        compiled = regex.compile(written, regex.V1)
    except regex.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    begins = [each for each in map(chr, range(32, 256)) if compiled.match(each, partial=True)]
    if not all(map(_STARTERS.match, begins)):
        raise ValueError("may begin at a letter; let it begin at a figure or at one of @ . : + (")
    return Pattern(category, compiled)


def may_match(text: str) -> bool:
    """Whether a pattern may begin somewhere in the text: cheap, and never a No too many."""
    return _STARTERS.search(text if text.isascii() else visible(text)[0]) is not None


def scan_patterns(
    patterns: Sequence[Pattern], shown: str, begin: int, *, ended: bool
) -> tuple[list[tuple[str, int, int]], int]:
    """The matches from `begin` on as (category, start, end), and the first place at which there may yet be one."""
    found: list[tuple[str, int, int]] = []
    for starter in _STARTERS.finditer(shown, begin):
        start = starter.start()
        # Nothing beyond the window counts, or the finding would depend on how much of the text has come.
        edge = start + _WINDOW
        decided = ended or len(shown) >= edge
        if not decided and _GROWING.match(shown, start):
            return found, start
        for pattern in patterns:
            match = pattern.regex.match(shown, start, edge, partial=not decided)
            if match is None:
                continue
            if not decided and (match.partial or match.end() > len(shown) - _MARGIN):
                return found, start
            found.append((pattern.category, match.start(), match.end()))
    return found, len(shown)
