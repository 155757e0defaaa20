"""The model's JSON answer, decoded while it is written."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.errors import FabulaError, ModelOutputInvalid, ModelOutputTruncated
from service.workflows.story.decoding import MAX_BYTES, Draft, DraftDecoder, StringDecoder
from tests.service.safety.chunks import cut, cuttings, pieces

_TEXT = st.one_of(
    st.text(),
    st.text(st.sampled_from('aZ "\\/\b\f\n\r\t\0\x1f\x7fé狐😀🦊\u2028\u2029\ufeff{}[]:,u0d8')),
)
_STORY = _TEXT.filter(lambda text: bool(text.strip()))
# Everything that a UTF-16 escape can spell, lone surrogates too.
_UNITS = st.lists(
    st.one_of(st.integers(0, 0xFFFF), st.integers(0xD800, 0xDFFF), st.sampled_from([0x41, 0x22, 0x5C, 0xD83E, 0xDD8A]))
)


def _answer(story: str, *, ascii_only: bool = True, first: bool = True) -> str:
    rest = {"title": "Title", "choice_question": "Which?", "choices": ["left", "right"], "educational_elements": ["E"]}
    fields = {"story_content": story} | rest if first else rest | {"story_content": story}
    return json.dumps(fields, ensure_ascii=ascii_only)


def _decode(chunks: Sequence[str], *, truncated: bool = False) -> tuple[str, str, Draft]:
    """What was given while it streamed, what was given at the end, and the draft."""
    decoder = DraftDecoder()
    streamed = "".join(decoder.feed(chunk) for chunk in chunks)
    rest, draft = decoder.finish(truncated=truncated)
    return streamed, rest, draft


def _scrubbed(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in text)


@settings(deadline=None, max_examples=300)
@given(story=_STORY, ascii_only=st.booleans(), data=st.data())
@example(story="\ud83e\udd8a".encode("utf-16", "surrogatepass").decode("utf-16"), ascii_only=True, data=None)
def test_any_text_streams_to_exactly_itself_however_it_is_cut(
    story: str, ascii_only: bool, data: st.DataObject | None
) -> None:
    answer = _answer(story, ascii_only=ascii_only)
    streamed, rest, draft = _decode(data.draw(cuttings(answer)) if data else list(answer))
    assert (streamed, rest) == (story, "")
    assert draft == Draft.model_validate(json.loads(answer))


@settings(deadline=None, max_examples=400)
@given(units=_UNITS, upper=st.booleans(), data=st.data())
@example(units=[0xD83E], upper=False, data=None)
@example(units=[0xDD8A], upper=False, data=None)
@example(units=[0xD83E, 0x41], upper=True, data=None)
@example(units=[0xD83E, 0xD83E, 0xDD8A], upper=True, data=None)
def test_escapes_of_any_kind_decode_as_json_does_but_for_lone_surrogates(
    units: list[int], upper: bool, data: st.DataObject | None
) -> None:
    escapes = [f"\\u{unit:04X}" if upper else f"\\u{unit:04x}" for unit in units]
    literal, title = "x" + "".join(escapes), "x" + "".join(escapes[:50])
    answer = f'{{"story_content":"{literal}","title":"{title}"}}'
    streamed, rest, draft = _decode(data.draw(cuttings(answer)) if data else list(answer))
    story = _scrubbed(json.loads(f'"{literal}"'))
    assert (streamed, rest, draft.story_content) == (story, "", story)
    assert draft.title == _scrubbed(json.loads(f'"{title}"'))


@pytest.mark.parametrize(
    ("literal", "story"),
    [
        (r"\/ \\ \" \b\f\n\r\t", '/ \\ " \b\f\n\r\t'),
        (r"\u0041\u00e9\u00E9", "Aéé"),
        (r"\uD83E\uDD8A \ud83e\uDD8a", "🦊 🦊"),
        (r"\ud83e.", "\ufffd."),
        (r"\udd8a.", "\ufffd."),
        (r"end \ud83e", "end \ufffd"),
        (r"\ud83e\n", "\ufffd\n"),
        (r"\ud83e\u0041", "\ufffdA"),
        (r"\ud83e\\udd8a", "\ufffd\\udd8a"),
        (r"\ud83e\ud83e\udd8a", "\ufffd🦊"),
        (r"\udd8a\ud83e", "\ufffd\ufffd"),
        ("\\ud83e🦊", "\ufffd🦊"),
        ("a\nb\tc\x00d\u2028e", "a\nb\tc\x00d\u2028e"),
    ],
)
def test_an_escape_may_be_cut_anywhere(literal: str, story: str) -> None:
    answer = f'{{"story_content": "{literal}"}}'
    for point in range(len(answer)):
        streamed, rest, draft = _decode(cut(answer, [point, point + 1]))
        assert (streamed, rest, draft.story_content) == (story, "", story)


@settings(deadline=None)
@given(before=st.sampled_from(["", " \n\t", "```json\n", "Here is your story:\n\n", "\ufeff"]), data=st.data())
def test_white_space_prose_or_a_fence_around_the_object_is_passed_over(before: str, data: st.DataObject) -> None:
    answer = f'{before}{{ \n "story_content" :\t"A fox."}}\n```\nEnjoy {{it}}!'
    assert _decode(data.draw(cuttings(answer)))[:2] == ("A fox.", "")


@settings(deadline=None, max_examples=200)
@given(story=_STORY, data=st.data())
def test_a_story_that_does_not_come_first_is_given_at_once_at_the_end(story: str, data: st.DataObject) -> None:
    answer = _answer(story, first=False)
    streamed, rest, draft = _decode(data.draw(cuttings(answer)))
    assert (streamed, rest, draft.story_content) == ("", story, story)


@pytest.mark.parametrize(
    "answer",
    [
        "Well, " * 2_000 + '{"story_content":"A fox."}',
        " " * 10_000 + '{"story_content":"A fox."}',
        "{" + "\n" * 10_000 + '"story_content":"A fox."}',
        '{"story_content"' + " " * 10_000 + ':"A fox."}',
    ],
)
def test_a_story_behind_a_very_long_beginning_is_given_whole_all_the_same(answer: str) -> None:
    streamed, rest, _ = _decode(pieces(answer, 3))
    assert streamed + rest == "A fox."


@settings(deadline=None, max_examples=200)
@given(story=_STORY, data=st.data())
def test_nothing_but_the_story_is_given_while_it_streams(story: str, data: st.DataObject) -> None:
    decoder, given_text = DraftDecoder(), ""
    for chunk in data.draw(cuttings(_answer(story))):
        given_text += decoder.feed(chunk)
        assert story.startswith(given_text)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), first=st.booleans())
def test_a_cut_answer_is_truncated_if_the_model_says_so_and_invalid_otherwise(data: st.DataObject, first: bool) -> None:
    answer = _answer('A "fox" 🦊.', first=first)
    part = answer[: data.draw(st.integers(0, len(answer) - 1))]
    with pytest.raises(ModelOutputTruncated):
        _decode([part], truncated=True)
    with pytest.raises(ModelOutputInvalid):
        _decode([part])


def test_a_whole_answer_stands_even_if_the_model_reached_its_limit() -> None:
    assert _decode([_answer("A fox.")], truncated=True)[2].story_content == "A fox."


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "SECRET",
        '"SECRET"',
        "[]",
        "null",
        "NaN",
        "{SECRET}",
        "{}",
        '{"title": "SECRET"}',
        '{"story_content": 1, "title": "SECRET"}',
        '{"story_content": null}',
        '{"story_content": ["SECRET"]}',
        '{"story_content": "x", "title": {"SECRET": 1}}',
        '{"story_content": "x", "choices": "SECRET"}',
        '{"story_content": "x", "choices": ["SECRET", 2]}',
        '{"story_content": "x", "choices": ["SECRET", NaN]}',
        json.dumps({"story_content": "x", "choices": ["SECRET" * 50]}),
        json.dumps({"story_content": "x", "choices": ["SECRET"] * 11}),
        json.dumps({"story_content": "x", "title": "SECRET" * 60}),
        '{"story_content": "SECRET", "story_content": "SECRET"}',
        '{"story_content": "SECRET", "story_content": "other"}',
        '{"title": "SECRET", "story_content": "SECRET", "story_content": "other"}',
        '{"story_content": "SECRET", "story\\u005fcontent": "other"}',
        '{"story_content": "x", "title": "SECRET", "title": "SECRET"}',
        '{"story_content": "SECRET \\x41"}',
        '{"story_content": "SECRET \\\'"}',
        '{"story_content": "SECRET \\u12G4"}',
        '{"story_content": "SECRET \\u00"}',
        '{"story_content": "SECRET \\U0041"}',
        '{"story_content": "SECRET \\ud83e\\u12x"}',
        '{"story_content": "SECRET"',
        '{"story_content": "SECRET',
        '{"story_content": "SECRET" "title": 1}',
        '{"story_content": "x", "SECRET": ' + "1" * 5_000 + "}",
    ],
)
def test_an_answer_that_was_not_asked_for_is_invalid_and_never_quoted(answer: str) -> None:
    for size in (1, 7, len(answer) + 1):
        with pytest.raises(ModelOutputInvalid) as caught:
            _decode(pieces(answer, size))
        assert "SECRET" not in f"{caught.value} {caught.value.message} {caught.value.metadata}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "1e999", "{}", '{"\\ud800": "\\ud800"}', "[[[]]]", "-0.0", "true"]
)
def test_an_unknown_field_is_passed_over_whatever_it_holds(value: str) -> None:
    assert _decode(pieces(f'{{"story_content": "A fox.", "x": {value}}}', 3))[0] == "A fox."


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [300, 900, 5_000, 200_000])
def test_deep_nesting_is_passed_over_or_refused_with_a_typed_error(opening: str, depth: int) -> None:
    closing = "]" if opening == "[" else "}"
    for end in (closing * depth, ""):
        try:
            _decode([f'{{"story_content": "A fox.", "x": {opening * depth}1{end}}}'])
        except FabulaError as error:
            assert isinstance(error, ModelOutputInvalid)  # noqa: PT017  # either is right, nothing else is


def test_an_endless_answer_is_refused() -> None:
    decoder, chunk = DraftDecoder(), " " * 100_000
    for _ in range(MAX_BYTES // len(chunk)):
        assert decoder.feed(chunk) == ""
    with pytest.raises(ModelOutputInvalid, match="longer than"):
        decoder.feed(" ")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("text", ["a fox " * 170_000 + ".", "🦊" * 85_000, '."\\\n' * 150_000, "\n" * 500_000 + "."])
def test_a_megabyte_in_chunks_of_three_characters_is_decoded(text: str, first: bool) -> None:
    streamed, rest, _ = _decode(pieces(_answer(text, first=first), 3))
    assert (streamed, rest) == ((text, "") if first else ("", text))


def test_a_string_has_ended_at_its_closing_quote() -> None:
    decoder = StringDecoder()
    assert [decoder.feed(chunk) for chunk in ("Fox", ' \\"x', '", "title": "No', "pe")] == ["Fox", ' "x', "", ""]
