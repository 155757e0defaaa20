"""The law of the gate over the packaged policy: patterns, disguises, allowed phrases, topics and our own prompts."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fabula.run.v1 import run_pb2
from service.safety.gate import Released, ReleaseGate, open_gate
from service.safety.policy import load_policy
from service.safety.screen import Screen
from tests.service.safety.chunks import cuttings

POLICY = load_policy()
SCREEN = POLICY.screen(7, "en", ["spiders", "thunder storm", "蜘蛛"]).and_phrases(
    "prompt", ["tell the child a story about"]
)
RUSSIAN = POLICY.screen(7, "ru")
MODES = [
    run_pb2.RELEASE_SENTENCE,
    run_pb2.RELEASE_PARAGRAPH,
    run_pb2.RELEASE_CHAPTER,
    run_pb2.RELEASE_TOKEN,
]

_PARTS = [
    *["555", "12", "1990", "000", "06", "0", "1", "7", "3", "44", "1234567"],
    *[" ", " ", " ", ".", ". ", "-", "/", "(", ")", "+", ",", ":", "\n", "\n\n", "!", "|", "_", "'", "…"],
    *["@", "ann", "example", ".com", "com", "www", "https", "://", "Baker ", "Street", "Road", "rue ", "de ", "Paix"],
    *["straße", "Garten", "Calle ", "Mayor", "bored", "to", "death", "scared", "t0", "d3ath", "$hit", "sh", "it", "!t"],
    *[
        "k",
        "i",
        "l",
        "f",
        "u",
        "c",
        "a",
        "s",
        "h",
        "t",
        "k i l l",
        "\u200b",
        "\u0301",
        "s\u200bh",
        "ｆｕｃｋ",
        "сосk",
        "я",
    ],
    *[
        "thunder",
        "storm",
        "storms",
        "spider",
        "s",
        "ies",
        "蜘",
        "蛛",
        "狐",
        "tell the child",
        " a story about",
        "ass",
        "hole",
    ],
    *["naked", "eye", "mole", "rat", "rats", "shot", "him", "You are ", "worthless", "fox", "The "],
]
_TEXTS = st.lists(st.sampled_from(_PARTS), max_size=14).map("".join)
_ROWS = st.text(st.sampled_from("0123456789  ..--/()+ 0005"), max_size=24)
_ALL = st.one_of(_TEXTS, st.builds(lambda a, b, c: a + b + c, _TEXTS, _ROWS, _TEXTS))


def _feed(gate: ReleaseGate, chunks: Sequence[str]) -> list[Released]:
    return [each for chunk in chunks for each in gate.feed(chunk)]


def _text(released: Sequence[Released]) -> str:
    return "".join(each.text for each in released)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("screen", [SCREEN, RUSSIAN], ids=["en", "ru"])
@settings(deadline=None, max_examples=400)
@given(data=st.data(), text=_ALL)
@example(data=None, text="1.800.555.0199")
@example(data=None, text="x. 1-800-555-0199 000 ")
@example(data=None, text="I was bored to death. To death!")
def test_nothing_from_the_first_finding_on_leaves_and_all_of_a_clean_text_does(
    mode: "run_pb2.Release.ValueType", screen: Screen, data: st.DataObject | None, text: str
) -> None:
    found = screen.find(text)
    gate = open_gate(screen, mode)
    released = _feed(gate, data.draw(cuttings(text)) if data else list(text))
    released += [*gate.finish(), *gate.approve()]
    if found:
        assert text[: found[0].start].startswith(_text(released))
        assert gate.blocked
    else:
        assert (_text(released), gate.blocked) == (text, False)


@settings(deadline=None, max_examples=600)
@given(text=_ALL, more=_ALL)
def test_what_follows_completes_nothing_that_begins_in_settled_text(text: str, more: str) -> None:
    settled = SCREEN.settled(text)
    known = {each.start for each in SCREEN.find(text, ended=False)}
    whole = SCREEN.find(text + more)
    assert known <= {each.start for each in whole}
    assert all(each.start >= settled or each.start in known for each in whole)


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=300)
@given(data=st.data(), text=_TEXTS, more=_TEXTS)
def test_an_abandoned_text_is_released_waiting_or_dropped(
    mode: "run_pb2.Release.ValueType", data: st.DataObject, text: str, more: str
) -> None:
    kept = _keep(mode, data.draw(cuttings(text)))
    if kept is None:
        return
    gate, released, dropped = kept
    again = [*_feed(gate, data.draw(cuttings(more))), *gate.finish(), *gate.approve()]
    let_go = text.removesuffix(dropped)
    assert text == let_go + dropped
    left, whole = _text([*released, *again]), let_go + more
    found = SCREEN.find(whole)
    if found:
        assert gate.blocked
        assert left == "" or found[0].start <= len(let_go) or whole[: found[0].start].startswith(left)
        assert len(left) < found[0].end
    else:
        assert (left, gate.blocked) == (whole, False)
    segments = [each.segment for each in [*released, *again]]
    assert segments == sorted(segments)
    assert set(segments) == set(range(1, len(set(segments)) + 1))


def _keep(mode: "run_pb2.Release.ValueType", chunks: Sequence[str]) -> tuple[ReleaseGate, list[Released], str] | None:
    gate = open_gate(SCREEN, mode)
    released = _feed(gate, chunks)
    return None if gate.blocked else (gate, released, gate.abandon())


def test_in_token_mode_a_continuation_is_of_the_same_segment() -> None:
    gate = open_gate(SCREEN, run_pb2.RELEASE_TOKEN)
    first = _feed(gate, ["The fox ran. The owl said to Mr", ". D"])
    assert gate.abandon() == ""
    second = [*_feed(gate, [" Hare that all was well. ", "Good."]), *gate.finish()]
    assert [each.segment for each in first] == [1, 2, 2][: len(first)]
    assert {each.segment for each in second} == {2, 3}
    assert _text([each for each in second if each.segment == 3]) == " Good."


def test_what_waits_for_its_approval_is_kept_when_the_rest_is_dropped() -> None:
    gate = open_gate(SCREEN, run_pb2.RELEASE_CHAPTER)
    assert _feed(gate, ["The fox ran. The owl sl"]) == []
    assert gate.abandon() == " The owl sl"
    assert _feed(gate, [" The owl flew.", " Night"]) == []
    assert gate.finish() == []
    assert gate.approve() == [Released("The fox ran.", 1), Released(" The owl flew.", 2), Released(" Night", 3)]


@pytest.mark.parametrize("mode", MODES)
def test_a_gate_that_is_blocked_forgets_nothing(mode: "run_pb2.Release.ValueType") -> None:
    gate = open_gate(SCREEN, mode)
    _feed(gate, ["The fox ran. ", "A murder! ", "And"])
    _feed(gate, [" then it rained.\n\nAnd so"])
    assert gate.blocked
    assert gate.abandon() == ""
    assert [*_feed(gate, [" all was well. Good night."]), *gate.finish(), *gate.approve()] == []
