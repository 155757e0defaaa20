"""Hundreds of blocked phrases, cut at every point, in every spelling and mode: nothing of them leaves."""

import re
from collections.abc import Callable

import pytest

from fabula.run.v1 import run_pb2
from service.safety.gate import open_gate
from service.safety.screen import Screen
from tests.service.safety.chunks import cut, pieces
from tests.service.safety.innocent import POLICY
from tests.service.safety.packaged import blocked_phrases

SCREEN = POLICY.screen(4, "en")
PHRASES = blocked_phrases("en")[::4] + blocked_phrases("*")[::4]
MODES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
_LEET = str.maketrans("aeiostb", "4310578")
_BEFORE, _AFTER = "Oh: “", "” on. And so. "


def _full_width(phrase: str) -> str:
    return "".join("\u3000" if each == " " else chr(ord(each) + 0xFEE0) for each in phrase)


def _leet(phrase: str) -> str:
    # A word of figures alone is a number.
    return re.sub(r"(?<=[a-z])[a-z]+", lambda match: match[0].translate(_LEET), phrase)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "zero-width": "\u200b".join,
    "full-width": _full_width,
    "leet": _leet,
}


def _left(mode: "run_pb2.Release.ValueType", chunks: list[str], screen: Screen = SCREEN) -> str:
    gate = open_gate(screen, mode)
    released = [each for chunk in chunks for each in gate.feed(chunk)]
    return "".join(each.text for each in [*released, *gate.finish(), *gate.approve()])


def test_there_are_enough_of_them() -> None:
    assert len(set(blocked_phrases("en"))) >= 420
    assert len(set(PHRASES)) >= 300


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_of_a_phrase_leaves_wherever_it_is_cut_and_in_chunks_of_any_size(
    spelling: str, mode: "run_pb2.Release.ValueType"
) -> None:
    for phrase in PHRASES:
        written = SPELLINGS[spelling](phrase)
        text = f"{_BEFORE}{written}{_AFTER}"
        for point in range(len(_BEFORE), len(_BEFORE) + len(written) + 2):
            assert _BEFORE.startswith(_left(mode, cut(text, [point]))), phrase
        for size in range(1, len(written) + 2):
            assert _BEFORE.startswith(_left(mode, pieces(text, size))), phrase


@pytest.mark.parametrize("separator", [" ", ".", "-", "_", "*", "·"])
def test_nothing_of_a_phrase_leaves_that_is_spelt_letter_by_letter(separator: str) -> None:
    for phrase in PHRASES:
        words = re.findall(r"[^\W_]+", phrase)
        if any(len(word) == 1 for word in words):
            continue
        written = "  ".join(separator.join(word) for word in words)
        assert _BEFORE.startswith(_left(run_pb2.RELEASE_TOKEN, list(f"{_BEFORE}{written}{_AFTER}"))), phrase


@pytest.mark.parametrize("language", ["de", "fr", "es", "it", "pl"])
def test_nothing_of_a_phrase_of_another_language_leaves(language: str) -> None:
    phrases, screen = blocked_phrases(language), POLICY.screen(4, language)
    assert len(set(phrases)) >= 100
    for phrase in phrases:
        for written in (phrase, phrase.upper()):
            assert _BEFORE.startswith(_left(run_pb2.RELEASE_TOKEN, list(f"{_BEFORE}{written}{_AFTER}"), screen)), phrase
