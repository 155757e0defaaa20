"""The release gate: all of a clean text leaves, and nothing of a blocked phrase, however the text is cut."""

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fabula.run.v1 import run_pb2
from service.safety.gate import Released, ReleaseGate, open_gate
from service.safety.policy import load_policy
from service.safety.screen import Finding, Screen
from service.safety.sentences import MAX_CHARACTERS, ParagraphSplitter, SentenceSplitter, Splitter
from tests.service.safety.chunks import cuttings, pieces

SENTENCE, PARAGRAPH = run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH
CHAPTER, TOKEN = run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN
MODES = [run_pb2.RELEASE_UNSPECIFIED, SENTENCE, PARAGRAPH, CHAPTER, TOKEN]

SCREEN = load_policy().screen(7, "en")
# Phrases of one to four words, one with a hyphen, one with what looks like a sentence's end within it.
HARD = Screen({"hard": ["gore", "to death", "self-harm", "you are worthless", "by st. death street", "oh! no"]})

_WORDS = [
    "fox",
    " ",
    " ",
    "\n",
    "\n\n",
    ". ",
    "! She",
    "…",
    '."',
    "heroin",
    "e ",
    "method",
    "to ",
    "you are ",
    "Mr. ",
    "狐。",
]
_CLEAN = st.one_of(
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=30).map("".join),
    st.text(st.sampled_from(".!?… \n\"'aB狐é\u200b½ﬃ1-"), min_size=1, max_size=50),
)
_BLOCKED = st.sampled_from(
    [
        "gore",
        "g\0ore",
        "ｇore",
        "to death",
        "to\ndeath",
        "TO  \u200b death",
        "self-harm",
        "self\u2011harm",
        "you are worthless",
        "you\u200b \u200b \u200b \u200b \u200bare \u200b \u200b \u200b worthless",
        "by St. Death Street",
        "Oh! No",
    ]
)
_LONG = st.builds(
    lambda filler, short: (filler * MAX_CHARACTERS)[: MAX_CHARACTERS - short],
    st.sampled_from(["word ", "x\n", "a, b ", "-", "狐", ",", "\u00a0"]),
    st.integers(-2, 25),
)


def _tell(gate: ReleaseGate, chunks: Sequence[str]) -> list[Released]:
    """Everything that leaves until the text has ended and been approved."""
    released = [each for chunk in chunks for each in gate.feed(chunk)]
    return [*released, *gate.finish(), *gate.approve()]


def _text(released: Sequence[Released]) -> str:
    return "".join(each.text for each in released)


def _units(splitter: Splitter, text: str) -> list[str]:
    return [each for each in [*splitter.feed(text), splitter.finish()] if each]


def _by_segment(released: Sequence[Released]) -> list[str]:
    """The text of each segment; the segments count 1, 2, 3 … without a gap."""
    texts: dict[int, str] = {}
    for each in released:
        assert each.segment in {len(texts), len(texts) + 1}
        texts[each.segment] = texts.get(each.segment, "") + each.text
    assert list(texts) == list(range(1, len(texts) + 1))
    return list(texts.values())


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=250)
@given(data=st.data(), text=_CLEAN)
def test_all_of_a_clean_text_leaves_in_order(mode: "run_pb2.Release.ValueType", data: st.DataObject, text: str) -> None:
    assume(not HARD.find(text))
    gate, left = open_gate(HARD, mode), ""
    fed = list(accumulate(data.draw(cuttings(text))))
    for before, now in zip(["", *fed], fed, strict=False):
        left += _text(gate.feed(now[len(before) :]))
        assert text.startswith(left)
    left += _text(gate.finish())
    assert (left + _text(gate.approve()), gate.blocked) == (text, False)


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=250)
@given(data=st.data(), text=_CLEAN)
@example(data=None, text="foxheroin heroinfox\n\nfox")
def test_segments_are_sentences_or_paragraphs_however_the_text_is_cut(
    mode: "run_pb2.Release.ValueType", data: st.DataObject | None, text: str
) -> None:
    assume(not SCREEN.find(text))
    released = _tell(open_gate(SCREEN, mode), data.draw(cuttings(text)) if data else list(text))
    units = _units(ParagraphSplitter() if mode == PARAGRAPH else SentenceSplitter(), text)
    assert _by_segment(released) == units
    assert mode == TOKEN or len(released) == len(units)
    assert all(each.text for each in released)


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=300)
@given(data=st.data(), before=_CLEAN, phrase=_BLOCKED, after=_CLEAN)
@example(data=None, before="one two three four five ", phrase="to death", after=" x. Y. ")
def test_nothing_of_a_blocked_phrase_leaves_however_it_is_cut(
    mode: "run_pb2.Release.ValueType", data: st.DataObject | None, before: str, phrase: str, after: str
) -> None:
    text = f"{before} {phrase} {after}"
    gate = open_gate(HARD, mode)
    left = _text(_tell(gate, data.draw(cuttings(text)) if data else list(text)))
    assert text[: HARD.find(text)[0].start].startswith(left)
    assert gate.blocked
    assert _tell(gate, [" More. And more. ", "\n\nMore."]) == []


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), before=_LONG, phrase=_BLOCKED, after=_CLEAN)
def test_nothing_of_a_blocked_phrase_leaves_where_a_long_sentence_is_cut(
    mode: "run_pb2.Release.ValueType", data: st.DataObject, before: str, phrase: str, after: str
) -> None:
    text = f"{before} {phrase} {after}"
    gate = open_gate(HARD, mode)
    left = _text(_tell(gate, data.draw(cuttings(text))))
    assert text[: HARD.find(text)[0].start].startswith(left)
    assert gate.blocked


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), before=_LONG, after=_CLEAN)
def test_all_of_a_long_sentence_leaves_without_a_gap_in_the_segments(
    mode: "run_pb2.Release.ValueType", data: st.DataObject, before: str, after: str
) -> None:
    text = before + after
    assume(not HARD.find(text))
    gate = open_gate(HARD, mode)
    released = _tell(gate, data.draw(cuttings(text)))
    assert "".join(_by_segment(released)) == text
    assert not gate.blocked


@pytest.mark.parametrize("mode", [SENTENCE, PARAGRAPH, CHAPTER])
@settings(deadline=None, max_examples=150)
@given(data=st.data(), before=_CLEAN, phrase=_BLOCKED, after=_CLEAN)
def test_whole_units_before_a_blocked_phrase_leave_however_the_text_is_cut(
    mode: "run_pb2.Release.ValueType", data: st.DataObject, before: str, phrase: str, after: str
) -> None:
    text = f"{before} {phrase.replace('.', '').replace('!', '')} {after}"
    assume(SCREEN.find(text))
    whole = _tell(open_gate(SCREEN, mode), [text])
    assert _tell(open_gate(SCREEN, mode), data.draw(cuttings(text))) == whole


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=100)
@given(
    text=st.lists(st.sampled_from(["hero", "heroin", "e", " ", ".", "to ", "death", "\n", "-"]), min_size=1).map(
        "".join
    )
)
def test_the_gate_blocks_what_the_review_finds_and_nothing_else(mode: "run_pb2.Release.ValueType", text: str) -> None:
    gate = open_gate(SCREEN, mode)
    _tell(gate, list(text))
    assert gate.blocked == bool(SCREEN.find(text))


@pytest.mark.parametrize("mode", MODES)
def test_a_word_that_begins_like_a_phrase_passes_when_it_is_cut_there(mode: "run_pb2.Release.ValueType") -> None:
    chunks = [
        "Once upon a time there was a",
        " heroin",
        "e who found a",
        " meth",
        "od to cross the rape",
        "seed field.",
    ]
    assert _text(_tell(open_gate(SCREEN, mode), chunks)) == "".join(chunks)


@settings(deadline=None, max_examples=200)
@given(words=st.lists(st.sampled_from(["fox", "to", "ran.", "you", "are", "well,", "-"]), min_size=1), data=st.data())
def test_token_mode_holds_back_no_more_words_than_the_longest_phrase_has(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    gate, fed, left = open_gate(Screen({"x": ["you are worthless", "gore"]}), TOKEN), "", ""
    for chunk in data.draw(cuttings(text)):
        fed += chunk
        left += _text(gate.feed(chunk))
        assert len(fed[len(left) :].split()) <= 3


def test_token_mode_lets_text_go_in_the_middle_of_a_sentence() -> None:
    gate = open_gate(SCREEN, TOKEN)
    assert _text(gate.feed("Once there was a little fox who loved the rain")).startswith("Once there was a")


def test_sentence_mode_lets_a_sentence_go_when_the_next_one_begins() -> None:
    gate = open_gate(SCREEN, SENTENCE)
    assert gate.feed("The fox ran. ") == []
    assert gate.feed("The") == [Released("The fox ran.", 1)]
    assert gate.feed(" owl slept.\n\n") == []
    assert gate.feed("“Night!") == [Released(" The owl slept.", 2)]
    assert gate.finish() == [Released("\n\n“Night!", 3)]


def test_paragraph_mode_lets_a_paragraph_go_when_the_next_one_begins() -> None:
    gate = open_gate(SCREEN, PARAGRAPH)
    assert gate.feed("The fox ran. The owl slept.\n\n") == []
    assert gate.feed("N") == [Released("The fox ran. The owl slept.", 1)]
    assert gate.finish() == [Released("\n\nN", 2)]


@settings(deadline=None)
@given(text=_CLEAN)
def test_chapter_mode_lets_nothing_go_before_it_is_approved(text: str) -> None:
    assume(not SCREEN.find(text))
    gate = open_gate(SCREEN, CHAPTER)
    assert [*gate.feed(text), *gate.finish()] == []
    assert _text(gate.approve()) == text
    assert gate.approve() == []


@pytest.mark.parametrize("mode", MODES)
def test_there_is_always_a_last_unit_when_the_text_ends(mode: "run_pb2.Release.ValueType") -> None:
    for text in ("The end.", "x", "A. B. C.", "Hello.\n\n", "“Bye!” ", "狐。", "…", "\u200b"):
        gate = open_gate(SCREEN, mode)
        early = [each for character in text for each in gate.feed(character)]
        assert _text(early) != text
        assert [*gate.finish(), *gate.approve()]


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_text_has_nothing_to_let_go(mode: "run_pb2.Release.ValueType") -> None:
    assert _tell(open_gate(SCREEN, mode), ["", ""]) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("filler", ["Hello there, you. ", "x\n\n", "word ", "狐狸。", "a"])
def test_a_very_long_text_leaves_at_once_and_a_long_one_in_small_chunks(
    mode: "run_pb2.Release.ValueType", filler: str
) -> None:
    text = filler * (200_000 // len(filler))
    assert _text(_tell(open_gate(SCREEN, mode), [text])) == text
    text = text[:8_000]
    assert _text(_tell(open_gate(SCREEN, mode), pieces(text, 3))) == text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loop", ["\n", "\n\n", " ", ".", "…", "。", '"', "-", "ha", " ha", ". "])
def test_a_model_that_has_fallen_into_a_loop_holds_nobody_up(mode: "run_pb2.Release.ValueType", loop: str) -> None:
    gate, chunks = open_gate(SCREEN, mode), ["Once", " upon", *[loop] * 3_000]
    assert _text(_tell(gate, chunks)) == "".join(chunks)


@pytest.mark.parametrize("release", MODES)
def test_a_word_that_is_cut_for_its_length_is_screened_as_the_one_word_that_it_is(
    release: run_pb2.Release.ValueType,
) -> None:
    text = "a" * MAX_CHARACTERS + "gore is long."
    assert not HARD.find(text)
    assert _text(_tell(open_gate(HARD, release), list(text))) == text


class Counting(Screen):
    """A screen that counts the characters which it is shown."""

    looked = 0

    def sift(self, text: str, begin: int = 0, *, ended: bool) -> tuple[list[Finding], int]:
        self.looked += len(text)
        return super().sift(text, begin, ended=ended)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loop", [" ", "\u00a0", "a\u0301", "\n", "to ", "you are ", "k i l l "])
def test_what_a_gate_looks_at_grows_as_the_text_does_and_not_as_its_square(
    mode: "run_pb2.Release.ValueType", loop: str
) -> None:
    looked = []
    for size in (4_000, 8_000):
        screen = Counting({"hard": ["to death", "you are worthless", "kill"]})
        _tell(open_gate(screen, mode), pieces("to" + loop * (size // len(loop)), 4))
        looked.append(screen.looked)
    assert looked[1] < 3 * looked[0]
