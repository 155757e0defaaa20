"""Text in the one form that the screen compares, with a map back to the characters as they were written."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")

# Beside control and format characters: joiners, fillers and variation selectors, which nobody sees either.
_UNSEEN = frozenset(
    map(chr, [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, *range(0xFE00, 0xFE10), 0xFFA0])
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))

# Only the marks that stand over and under letters of European scripts: in others a mark is part of the word.
_DIACRITICS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")

_SIGNS = str.maketrans(
    {**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63", "-"), **dict.fromkeys("’‘ʼ´ʹ", "'"), "…": "."}
)


def _alike() -> dict[str, str]:
    """Letters that a reader takes for Latin ones: Cyrillic, Greek, small capitals, letters with a stroke, in boxes."""
    pairs = zip(
        "авекмнорстухіјѕԁһӏԛԝґєѵԍ" + "αβεζηικμνορτυχωσϲ" + "օսհ" + "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ" + "łøđħıɡɑŧƀɨʉɛɩ",
        "abekmhopctyxijsdhlqwrevg" + "abezhikmvoptuxwoc" + "ouh" + "abcdefghijklmnoprstuvwyz" + "lodhigatbiuei",
        strict=True,
    )
    letters = "abcdefghijklmnopqrstuvwxyz"
    boxes = {chr(first + i): each for first in (0x1F150, 0x1F170, 0x1F1E6) for i, each in enumerate(letters)}
    return {**dict(pairs), **boxes, "æ": "ae", "œ": "oe"}


_ALIKE = str.maketrans(_alike())
_CAPITALS = str.maketrans("ΝΥΧ", "nyx")  # their small forms look like other letters


def folded(text: str) -> tuple[str, Sequence[int]]:
    """As phrases are compared: NFKC, case, marks and look-alikes folded; for each character where it came from.

    Character by character, so that the form of a text begins with the form of its beginning.
    """
    if text.isascii() and not _CONTROL.search(text):
        return text.lower(), range(len(text))
    return (text.translate(_FOLDED), range(len(text))) if _USUAL.fullmatch(text) else _each(text, _fold)


def visible(text: str) -> tuple[str, Sequence[int]]:
    """As patterns are compared: NFKC without what nobody sees, the case as written; and where each came from."""
    if text.isascii() and not _CONTROL.search(text):
        return text, range(len(text))
    return (text.translate(_SHOWN), range(len(text))) if _USUAL.fullmatch(text) else _each(text, _show)


def has_latin(text: str) -> bool:
    """Whether a letter of the text is written in Latin script, and not merely looks so."""
    return any("LATIN" in unicodedata.name(each, "") for each in unicodedata.normalize("NFKC", text))


def _each(text: str, change: Callable[[str], str]) -> tuple[str, Sequence[int]]:
    characters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        changed = change(character)
        characters.append(changed)
        origin.extend([index] * len(changed))
    return "".join(characters), origin


@lru_cache(maxsize=4096)
def _show(character: str) -> str:
    unseen = unicodedata.category(character) in {"Cf", "Cc"} and not character.isspace()
    if unseen or character in _UNSEEN:
        return ""
    return unicodedata.normalize("NFKC", character.translate(_SIGNS)).translate(_SIGNS)


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    shown = _show(character).translate(_CAPITALS)
    bare = _DIACRITICS.sub("", unicodedata.normalize("NFD", shown.casefold()))
    return unicodedata.normalize("NFC", bare).translate(_ALIKE)


# Letters and signs of European texts, each of which is one character in either form, are folded all at once.
_EUROPEAN = [
    each
    for each in map(chr, [*range(0x09, 0x0E), *range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x2010, 0x2027)])
    if len(_fold(each)) == len(_show(each)) == 1
]
_USUAL = re.compile(f"[{re.escape(''.join(_EUROPEAN))}]*+")
_FOLDED = {ord(each): _fold(each) for each in _EUROPEAN}
_SHOWN = {ord(each): _show(each) for each in _EUROPEAN if _show(each) != each}
