"""Where words begin and end in folded text, what stands between two, and what a disguised word reads as."""

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import regex

# Scripts that are written without spaces: each character is a word of its own.
_SINGLE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_SINGLE}]]"
_ANY_WORD = regex.compile(rf"[{_SINGLE}]|(?<!{_LETTER}){_LETTER}+", regex.V1)
_ASCII_WORD = re.compile(r"(?<![a-z0-9])[a-z0-9]+")

_LEET = {**dict(zip("034578@$", "oeastbas", strict=True)), **dict.fromkeys("1!|", "il")}
_SIGN = re.compile(r"(?<![^\W_])[@$!|]")
_NEXT = regex.compile(rf"[{_LETTER}{_SINGLE}]|(?<![^\W_])[@$!|]", regex.V1)
_LEET_IN = re.compile(r"[0134578]")
_LEET_RUN = re.compile(r"(?:[^\W_]|[@$!|]){1,24}")
_ODD = re.compile(r"[0134578@$!|]")
_SIGNS = frozenset("@$!|")
_MOST_SIGNS = 4
_MOST_READINGS = 16
_SPACE = re.compile(r"\s+")
_EMPHASIS = re.compile(r"[\s*_~`\"“”„«»]+")
_ONE_SPACE = frozenset(["-", "_"])


class Reading(NamedTuple):
    """What stands from one place on, read as a word that ends before `end`; unless `whole`, only with what follows."""

    word: str
    end: int
    whole: bool


def words(plain: str, begin: int) -> list[tuple[int, str]]:
    """Every place, from `begin` on, at which a word begins, and that word; "" where it may be read as another one."""
    pattern = _ASCII_WORD if plain.isascii() else _ANY_WORD
    ordinary = [(match.start(), match[0]) for match in pattern.finditer(plain, begin)]
    if not _ODD.search(plain, begin):
        return ordinary
    doubtful = [
        (start, "" if _LEET_IN.search(word) or plain[start + len(word) : start + len(word) + 1] in _SIGNS else word)
        for start, word in ordinary
    ]
    return sorted([*doubtful, *((match.start(), "") for match in _SIGN.finditer(plain, begin))])


def readings(plain: str, start: int) -> Iterator[Reading]:
    """The word that begins here, as written and as what its figures and signs stand for ("k1ll", "a$$")."""
    match = _ASCII_WORD.match(plain, start) if plain.isascii() else _ANY_WORD.match(plain, start)
    if match:
        yield Reading(match[0], match.end(), True)
    if _ODD.search(plain, start, start + 24):
        yield from _disguised(plain, start, match.end() if match else start)


def _disguised(plain: str, start: int, word_end: int) -> Iterator[Reading]:
    if _LEET_IN.search(plain, start, word_end):
        yield from _leet(plain, start, word_end)
    run = _LEET_RUN.match(plain, start)
    if run is None or run.end() == word_end:
        return
    signs = [index for index in range(max(word_end, start + 1), run.end()) if plain[index] in _SIGNS]
    for end in {*signs[:_MOST_SIGNS], run.end()} - {word_end}:
        # At a word's end it is punctuation.
        if plain[end - 1] != "!":
            yield from _leet(plain, start, end)
    if run.end() == len(plain):
        yield from (reading._replace(whole=False) for reading in _leet(plain, start, run.end()))


def _leet(plain: str, start: int, end: int) -> Iterator[Reading]:
    written = plain[start:end]
    # A number is a number; while it grows it may still become a word.
    whole = any(map(str.isalpha, written))
    if whole or end == len(plain):
        for word in spellings(written):
            yield Reading(word, end, whole)


def spellings(written: str) -> list[str]:
    """What the figures and signs within a word may stand for: i and l are both tried, within reason."""
    choices = [_LEET.get(each, each) for each in written]
    if 2 ** sum(len(each) > 1 for each in choices) > _MOST_READINGS:
        return ["".join(each[0] for each in choices), "".join(each[-1] for each in choices)]
    return list(map("".join, product(*choices)))


def gap(plain: str, end: int) -> tuple[str, int]:
    """What stands between a word that ends here and the next one, and where that begins (or the text ends).

    White space with at most one line break is a space, and so is one hyphen or underscore. Marks of emphasis and of
    quotation beside white space don't count: "you are *so* kind".
    """
    following = _NEXT.search(plain, end)
    after = following.start() if following else len(plain)
    between = plain[end:after]
    if between in _ONE_SPACE or between == " ":
        return " ", after
    if _EMPHASIS.fullmatch(between):
        between = "".join(filter(str.isspace, between)) or between
    return _SPACE.sub(lambda match: " " if match[0].count("\n") < 2 else "\n\n", between), after
