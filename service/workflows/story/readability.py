"""The school grade that reads a text easily, by the formula of its language."""

import importlib
import itertools
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

HIGHEST_GRADE = 18.0  # beyond school; no formula was ever fitted to harder texts
_SAMPLE = 20_000  # characters; a chapter is shorter, and what is measured of more would be the same

# textstat looks up the syllables of "en" and "en_…" in a dictionary that it downloads to the home directory. Under the
# same tag in BCP 47's own spelling it hyphenates English as it does every other language: with the patterns of pyphen,
# which are installed. They miss a syllable here and there ("o-pen"), which moves the grade by about 0.3. The American
# patterns are the ones to take: the British ones part words by their origin and miss twice as many.
_ENGLISH = "en-US"

# Scores of a formula, each with its grade; between them the grade is interpolated. No formula was fitted to the texts
# of the first three grades. There the scales go on so that parallel texts for 5, 7 and 9 years, see the tests, get
# grades in the order and about the height that Flesch and Kincaid give to the English ones.
_Scale = tuple[tuple[float, float], ...]

# Flesch's own table (1949), from 30 to 80.
_FLESCH: _Scale = ((0, 18), (30, 16), (50, 12), (60, 9), (70, 7), (80, 5.5), (90, 3.5), (100, 1.5), (107.5, 0))
# A grade by itself from 4 on: Bamberger and Vanecek (1984), the first of their four formulas.
_WIENER: _Scale = ((-1.5, 0), (0.5, 2), (4, 4), (HIGHEST_GRADE, HIGHEST_GRADE))
# Lucisano and Piemontese (1988): from 40 on easy with a diploma (grade 13), from 60 with middle school (8), from 80
# with primary school (its two last grades: 4), from 95 very easy even so.
_GULPEASE: _Scale = ((20, 18), (40, 13), (60, 8), (80, 4), (95, 1.5), (105, 0))
# Gunning (1952): years of school, from 8 on.
_FOG: _Scale = ((1.5, 0), (3, 2), (6, 4.5), (8, 7), (12, 12), (HIGHEST_GRADE, HIGHEST_GRADE))
_FOG_SYLLABLES = 4  # a hard word of Polish; after Broda, Nitoń, Gruszczyński and Ogrodniczuk (2014)


def grade(text: str, language: str) -> float | None:
    """The grade, 0 to 18 with one decimal; 1 is the first year at school, at the age of six.

    `language` is a BCP 47 tag, of which the primary subtag counts. None for a language without a formula, and for a
    text without words. Only the first 20,000 characters are looked at. Downloads and writes nothing, and keeps no text;
    may be called by many threads. The first text of a language loads its patterns: about 0.3 s, for German 0.8 s.
    """
    formula = _FORMULAS.get(language.replace("_", "-").split("-")[0].lower())
    sample = _plain(text)
    if not formula or not any(map(str.isalpha, sample)):
        return None
    try:
        return round(min(max(formula(sample), 0.0), HIGHEST_GRADE), 1)
    finally:
        _forget()


@cache
def _textstat() -> Any:
    # At the first use: it brings nltk along, 0.3 s and 30 MB that no start and no other language has to pay for.
    return importlib.import_module("textstat.backend")


def _forget() -> None:
    # Each of its functions keeps the last 128 texts; what a child was told does not stay in memory for that.
    backend = _textstat()
    for part in (backend.transformations, backend.selections, backend.counts, backend.metrics, backend.validations):
        for name in part.__all__:
            getattr(part, name).cache_clear()


def _plain(text: str) -> str:
    """A sample of the text as textstat counts best: letters, digits, straight apostrophes, sentence ends."""
    text = unicodedata.normalize("NFC", text[:_SAMPLE]).replace("’", "'").replace("…", ".")
    text = re.sub(r"[–—/]", " ", text)
    text = re.sub(r"\n\s*\n", ". ", text)  # a paragraph without a full stop ends its sentence all the same
    return re.sub(r"[^\w\s'.!?]|_", "", text)


def _english(text: str) -> float:
    return float(_textstat().metrics.flesch_kincaid_grade(text, _ENGLISH))


def _german(text: str) -> float:
    return _on(_WIENER, _textstat().metrics.wiener_sachtextformel(text, 1, "de"))


def _spanish(text: str) -> float:
    """Crawford (1989): years of school, made for the readers of primary schools."""
    return float(_textstat().metrics.crawford(text, "es"))


def _french(text: str) -> float:
    """Kandel and Moles (1958)."""
    return _on(_FLESCH, _textstat().metrics.flesch_reading_ease(text, "fr"))


def _italian(text: str) -> float:
    return _on(_GULPEASE, _textstat().metrics.gulpease_index(text))


def _polish(text: str) -> float:
    # textstat's own index would leave out the easy words of English.
    backend = _textstat()
    words = backend.selections.list_words(text)
    hard = sum(backend.counts.count_syllables(word, "pl") >= _FOG_SYLLABLES for word in words)
    return _on(_FOG, 0.4 * (backend.metrics.words_per_sentence(text) + 100 * hard / max(len(words), 1)))


def _on(scale: _Scale, score: float) -> float:
    """The grade of a score, the nearest end's beyond the scale."""
    if score <= scale[0][0]:
        return scale[0][1]
    for (low, low_grade), (high, high_grade) in itertools.pairwise(scale):
        if score <= high:
            return low_grade + (high_grade - low_grade) * (score - low) / (high - low)
    return scale[-1][1]


_FORMULAS: dict[str, Callable[[str], float]] = {
    "de": _german,
    "en": _english,
    "es": _spanish,
    "fr": _french,
    "it": _italian,
    "pl": _polish,
}
