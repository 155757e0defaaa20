"""Telephone numbers, links and addresses are found however they are written, at a cost that does not run away."""

import pytest

from fabula.run.v1 import run_pb2
from service.safety.gate import open_gate
from service.safety.policy import load_policy
from tests.service.safety.chunks import pieces

SCREEN = load_policy().screen(7, "en")
MODES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
_MOST_HELD = 96
"""Characters: what a pattern sees, and some more for a phrase of which it may be a part."""

NUMBERS = [
    *["0 7 7 0 0 9 0 0 1 2 3", "0-7-7-0-0-9-0-0-1-2-3", "5 5 5 1 2 3 4", "phone:07700900123", "tel:5551234"],
    *["Ring me...0161 496 0000", "me…020 7946 0958", "555 - 1234", "0161 – 496 – 0123", "555  123  4567"],
    *["555\n1234", "0171 123 000", "0800 111 000", "5551234000", "61 23 45 67 89", "601 234 567", "1.800.555.0199"],
    *["+44 20 7946 0958", "(020) 7946 0958", "1 (800) 555-0199", "+49 (0)30 1234567", "５５５-１２３４"],
    "robot 1234567",  # nothing tells a robot's name from a telephone number
]
LINKS = [
    *["hTTps://x", "wWw.x.org", "Kids.Com", "t.me/x", "youtu.be/abc", "x.com", "kids.fun", "story.club!"],
    *["bob@example.com", "bob@example .com", "bob @ example . com"],
]
ADDRESSES = [
    *["42 wallaby way", "42 WALLABY WAY", "42  Wallaby  Way", "42\nWallaby Way", "7 Old Mill Road"],
    "221B Baker Street",  # somebody may live there
    *["Lindenweg 7", "LINDENWEG 7", "Marktplatz 3", "Lange Straße 5", "Garten-Straße 5", "Gartenstr 5"],
    *["Hauptstraße Nr. 5", "HAUPTSTRASSE 5", "Calle Mayor 5", "ul. Długa 7"],
    *["12 Rue de la Paix", "12 rue de la Paix", "12 route de Lyon"],
]
INNOCENT = [
    *["10 9 8 7 6 5 4 3 2 1 lift off!", "10-9-8-7-6-5-4-3-2-1-0, Start!", "counted 1 2 3 4 5 6 7 8 9 10"],
    *["1\n2\n3\n4\n5\n6\n7\n8", "2 4 6 8 10 12 14", "5 10 15 20 25 30", "10 11 12 13 14 15", "20-19-18-17-16"],
    *["1 234 567 Ameisen", "100 000 000 stars", "1,000,000", "1000000 stars", "1 10 100 1000", "scored 100 200 300"],
    *["in 1999 and 2000", "1914 - 1918", "24.12.2025", "12:30", "9.30 - 17.30", "3.14159", "1 0 1 0 1 0 1 0 said it"],
    *["fun.It was", "We had fun.it was", "I want it.me too", "See you @ home. It was late"],
    *["3 Way", "7 weg waren", "der Weg 3 Tage", "Auf dem Spielplatz 3 Hunde", "In der Straße 5 Autos"],
    *["2 cats crossed the road", "3 miles of road", "5 ducks cross the street"],
]
LOOPS = [
    *["12 ", "111", "1", "1.", "1-", "1 ", "1\n", "(1) ", "+1 ", "1 2 3 4 ", "1 234 567 "],
    *["@a", ".a", "a.b/", "9 a "],
]


@pytest.mark.parametrize("text", [*NUMBERS, *LINKS, *ADDRESSES])
def test_personal_data_is_found_alone_and_at_the_end_of_a_sentence(text: str) -> None:
    for written in (text, f"They said: {text}", f"They said: {text}\n"):
        assert {each.category for each in SCREEN.find(written)} == {"personal_data"}, written


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", [*NUMBERS, *LINKS, *ADDRESSES])
def test_nothing_from_the_finding_on_leaves(text: str, mode: "run_pb2.Release.ValueType") -> None:
    # A finding may begin at the sign of an address, or at a full stop: what stands before it may leave.
    found = SCREEN.find(text)[0]
    gate = open_gate(SCREEN, mode)
    released = [each for character in text for each in gate.feed(character)]
    released += [*gate.finish(), *gate.approve()]
    assert gate.blocked
    assert text[: found.start].startswith("".join(each.text for each in released))


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_personal_data_is_not_disturbed(text: str) -> None:
    for written in (text, f"They said: {text}.", f"{text} and so on."):
        assert SCREEN.find(written) == [], written
        for mode in MODES:
            gate = open_gate(SCREEN, mode)
            released = [each for character in written for each in gate.feed(character)]
            released += [*gate.finish(), *gate.approve()]
            assert "".join(each.text for each in released) == written


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_held_stays_short_however_long_a_row_goes_on(loop: str) -> None:
    # What is settled is not looked at again; so the work on each chunk does not grow with the text.
    text = (loop * 400)[:400]
    for end in range(1, len(text) + 1, 7):  # no loop is as long, so that each is met at its every point
        found = SCREEN.find(text[:end], ended=False)
        settled = SCREEN.settled(text[:end])
        assert found or end - settled <= _MOST_HELD, end


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loop", LOOPS)
def test_a_row_is_judged_alike_in_chunks_and_as_a_whole(loop: str, mode: "run_pb2.Release.ValueType") -> None:
    text = (loop * 600)[:600]
    gate = open_gate(SCREEN, mode)
    for chunk in pieces(text, 4):
        gate.feed(chunk)
    gate.finish()
    assert gate.blocked == bool(SCREEN.find(text))
