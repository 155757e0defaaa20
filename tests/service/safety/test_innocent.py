"""What is innocent passes unaltered, in every mode, and is held no longer than the splitter and the word need."""

import pytest

from fabula.run.v1 import run_pb2
from service.safety.gate import open_gate
from service.safety.sentences import SentenceSplitter
from tests.service.safety.chunks import pieces
from tests.service.safety.innocent import innocent

MODES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
_MOST_WORDS_HELD = 6
"""Beside rows of figures: no more than innocent text shares with the beginning of a phrase."""


def test_there_are_many_and_each_is_one_of_its_kind() -> None:
    assert len({(each.text, each.language) for each in innocent()}) == len(innocent()) >= 400


def test_nothing_is_found_in_an_innocent_sentence() -> None:
    found = [(each.text, each.screen.find(each.text)) for each in innocent()]
    assert [each for each in found if each[1]] == []


@pytest.mark.parametrize("mode", MODES)
def test_an_innocent_sentence_leaves_as_it_was_written(mode: "run_pb2.Release.ValueType") -> None:
    for each in innocent():
        for size in (1, 4, len(each.text)):
            gate = open_gate(each.screen, mode)
            released = [part for chunk in pieces(each.text, size) for part in gate.feed(chunk)]
            released += [*gate.finish(), *gate.approve()]
            assert ("".join(part.text for part in released), gate.blocked) == (each.text, False)


def test_a_sentence_leaves_as_soon_as_it_is_known_to_be_whole() -> None:
    for first, second in zip(innocent(), innocent()[1:], strict=False):
        if first.language != second.language or first.age != second.age:
            continue
        gate, splitter = open_gate(first.screen, run_pb2.RELEASE_SENTENCE), SentenceSplitter()
        for character in f"{first.text} {second.text}":
            assert [each.text for each in gate.feed(character)] == splitter.feed(character), first.text


def test_a_token_is_held_for_what_could_become_a_phrase_and_no_longer() -> None:
    held_long = 0
    characters = 0
    for each in innocent():
        gate, fed, left = open_gate(each.screen, run_pb2.RELEASE_TOKEN), "", ""
        for character in each.text:
            fed += character
            left += "".join(part.text for part in gate.feed(character))
            words = len([word for word in fed[len(left) :].split() if not word[0].isdigit()])
            assert words <= _MOST_WORDS_HELD, each.text
            characters += 1
            held_long += words > 1
    assert held_long < characters / 20
