"""Counting words and sentences in any script, also in those that put no spaces between words."""

from dataclasses import dataclass

import regex

_WORD = regex.compile(r"[^\W\p{M}][\w\p{M}]*(?:['’‐‑-][^\W\p{M}][\w\p{M}]*)*")

# Characters a word of running text. Chinese and Japanese after the words and characters a minute of the International
# Reading Speed Texts (Trauzettel-Klosinski and Dietz, 2012); Thai, Lao, Khmer and Burmese by a rule of thumb,
# in which the signs above and below a letter do not count.
_CHINESE, _JAPANESE, _SOUTH_EAST_ASIAN = 1.6, 1.85, 3.5
_EAST_ASIAN_LETTER = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー々〆]")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_SOUTH_EAST_ASIAN_LETTER = regex.compile(r"(?=\p{L})[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_SPACELESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー々〆\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")

# Thai and Lao end a sentence with a space and nothing else.
_SENTENCE_END = regex.compile(r"[.!?…。！？।॥؟۔።។။]+|(?<=[\p{Thai}\p{Lao}])\s+(?=[\p{Thai}\p{Lao}])")


@dataclass(frozen=True, slots=True)
class Counts:
    """`letters` are those of all the words together; `sentences` is at least 1."""

    words: int
    letters: int
    sentences: int


def count(text: str) -> Counts:
    """Counts as a reader would: "well-known" and "don't" are one word each, marks and emoji none.

    Where no spaces part the words, their number is estimated from the number of letters.
    """
    spaced = _WORD.findall(_SPACELESS.sub(" ", text))
    east, south_east = (len(letter.findall(text)) for letter in (_EAST_ASIAN_LETTER, _SOUTH_EAST_ASIAN_LETTER))
    estimated = east / (_JAPANESE if _KANA.search(text) else _CHINESE) + south_east / _SOUTH_EAST_ASIAN
    return Counts(
        words=len(spaced) + (max(round(estimated), 1) if estimated else 0),
        letters=sum(map(len, spaced)) + east + south_east,
        sentences=max(len(_SENTENCE_END.findall(text)), 1),
    )
