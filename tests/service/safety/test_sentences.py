"""Where sentences and paragraphs end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.safety.sentences import MAX_CHARACTERS, ParagraphSplitter, SentenceSplitter, Splitter
from tests.service.safety.chunks import cuttings, pieces

_RICH = st.text(st.sampled_from(".!?…。！？\"'”’»)」』“(- \n\n\r\t\u00a0\u2028\u3000aBcDé狐Mr1,"), max_size=60)
_WORDS = st.sampled_from(
    ["Mr. ", "fox", "She ", "no. ", " J. ", "etc.", "...", "?!", '."', "\n\n", "\r\n", "狐。", "」", " "]
)
_TEXTS = st.one_of(_RICH, st.lists(_WORDS, max_size=25).map("".join), st.text(max_size=40))

# Texts around the length at which a sentence is cut: a long filler, and what stands where the cut falls.
_FILLERS = st.sampled_from(["a", "word ", "x\n", "狐", "-", " ", "one, ", "。", ".", "\u00a0"])
_LONG = st.builds(
    lambda filler, short, tail: (filler * MAX_CHARACTERS)[: MAX_CHARACTERS - short] + tail,
    _FILLERS,
    st.integers(-3, 12),
    _TEXTS,
)


def _split(splitter: Splitter, chunks: list[str]) -> list[str]:
    units = [unit for chunk in chunks for unit in splitter.feed(chunk)]
    rest = splitter.finish()
    return [*units, rest] if rest else units


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _split(SentenceSplitter(), [text])]


@pytest.mark.parametrize("splitter", [SentenceSplitter, ParagraphSplitter])
@settings(deadline=None, max_examples=400)
@given(data=st.data(), text=_TEXTS)
def test_units_are_the_same_however_the_text_is_cut(splitter: type[Splitter], data: st.DataObject, text: str) -> None:
    whole = _split(splitter(), [text])
    assert _split(splitter(), data.draw(cuttings(text))) == whole
    assert "".join(whole) == text
    assert all(whole)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), text=_LONG)
def test_long_sentences_are_the_same_however_the_text_is_cut(data: st.DataObject, text: str) -> None:
    whole = _split(SentenceSplitter(), [text])
    assert _split(SentenceSplitter(), data.draw(cuttings(text))) == whole
    assert "".join(whole) == text
    assert all(0 < len(sentence) <= MAX_CHARACTERS for sentence in whole[:-1])


@pytest.mark.parametrize("gap", ["\r\n\r\n", "\n\u00a0\n", "\n\u3000\n", "\n\u2028\n"])
def test_a_paragraph_break_of_any_white_space_ends_a_sentence_however_it_is_cut(gap: str) -> None:
    assert [each.strip() for each in _split(SentenceSplitter(), list(f"Hello{gap}World"))] == ["Hello", "World"]


@settings(deadline=None)
@given(text=_TEXTS)
def test_a_splitter_is_as_new_once_it_has_finished(text: str) -> None:
    splitter = SentenceSplitter()
    first = _split(splitter, list(text))
    assert _split(splitter, list(text)) == first


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The fox ran. The owl slept.", ["The fox ran.", "The owl slept."]),
        (
            "Did it rain? It did! All day…  Then it stopped.",
            ["Did it rain?", "It did!", "All day…", "Then it stopped."],
        ),
        ("Mr. Fox met Dr. Owl. They waved.", ["Mr. Fox met Dr. Owl.", "They waved."]),
        ("They sailed to St. Ives. The sea was calm.", ["They sailed to St. Ives.", "The sea was calm."]),
        ("J. R. Mole dug on. He sang.", ["J. R. Mole dug on.", "He sang."]),
        ("Nuts, e.g. Hazelnuts, are good. So is jam.", ["Nuts, e.g. Hazelnuts, are good.", "So is jam."]),
        ("Mole said no. Then he laughed.", ["Mole said no.", "Then he laughed."]),
        ('"Stop!" she cried. "Why?" he asked.', ['"Stop!" she cried.', '"Why?" he asked.']),
        ("“Run.” Fox ran. «Non!» Owl flew.", ["“Run.”", "Fox ran.", "«Non!»", "Owl flew."]),
        ("(It was late.) The moon rose.", ["(It was late.)", "The moon rose."]),
        ("Well... maybe. Hmm... Then yes.", ["Well... maybe.", "Hmm...", "Then yes."]),
        ("It cost 3.50 today. Cheap!", ["It cost 3.50 today.", "Cheap!"]),
        ("狐狸跑了。猫头鹰睡了！真的？", ["狐狸跑了。", "猫头鹰睡了！", "真的？"]),
        ("「走吧。」他说。好。", ["「走吧。」", "他说。", "好。"]),
        ("A heading\n\nIt began", ["A heading", "It began"]),
        ("A heading\r\n \r\nIt began", ["A heading", "It began"]),
        ("one line\nand its next", ["one line\nand its next"]),
        ("", []),
    ],
)
def test_a_sentence_ends_where_a_reader_would_pause(text: str, sentences: list[str]) -> None:
    assert _sentences(text) == sentences


def test_a_sentence_is_known_as_soon_as_the_next_one_begins() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("The fox ran. ") == []
    assert splitter.feed("T") == ["The fox ran."]


def test_a_long_text_without_an_end_is_cut_at_white_space() -> None:
    first, second, rest = _split(SentenceSplitter(), pieces("word " * 900, 7))
    assert len(first) <= MAX_CHARACTERS
    assert first.endswith("word")
    assert second.startswith(" word")
    assert rest == " word" * (len(rest) // 5) + " "


def test_a_long_text_without_white_space_is_cut_all_the_same() -> None:
    assert [len(each) for each in _split(SentenceSplitter(), ["a" * 4_500])] == [MAX_CHARACTERS, MAX_CHARACTERS, 500]


@pytest.mark.parametrize("filler", ["Hello there. ", "a", "\n", "x\n\n", "。", "... "])
@pytest.mark.parametrize("splitter", [SentenceSplitter, ParagraphSplitter])
def test_a_megabyte_is_split_at_once(splitter: type[Splitter], filler: str) -> None:
    text = filler * (1_000_000 // len(filler))
    assert "".join(_split(splitter(), [text])) == text


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("One.\n\nTwo.", ["One.", "\n\nTwo."]),
        ("One.\nStill one. \n \t\n\n Two.\n\n", ["One.\nStill one.", " \n \t\n\n Two.\n\n"]),
        ("One.\r\n\r\nTwo.", ["One.", "\r\n\r\nTwo."]),
        ("\n\nOne.", ["\n\nOne."]),
    ],
)
def test_a_paragraph_ends_before_a_blank_line(text: str, paragraphs: list[str]) -> None:
    assert _split(ParagraphSplitter(), [text]) == paragraphs
