"""The standing text is what the protos say it is."""

from hypothesis import given
from hypothesis import strategies as st

from fabula import StandingText, StoryEvent
from tests.clients.python.scripted import complete, content, retraction, step


def folded(*events: StoryEvent) -> StandingText:
    text = StandingText()
    for event in events:
        text.apply(event)
    return text


def test_chunks_join_byte_for_byte() -> None:
    text = folded(content("Once ", 1), content("upon\n", 1), content(" a time.", 2, end=True))
    assert str(text) == text.text == "Once upon\n a time."
    assert (text.revision, text.is_complete) == (1, True)


def test_events_without_text_change_nothing() -> None:
    assert folded(step("workflow"), content("Once.", 1), step("safety_check"), complete("Twice.")).text == "Once."


def test_a_retraction_drops_its_segment_and_all_later_ones() -> None:
    text = folded(content("One. ", 1), content("Tw", 2), content("o. ", 2), content("Three.", 3, end=True))
    text.apply(retraction(2, revision=2))
    assert (text.text, text.revision, text.is_complete) == ("One. ", 2, False)
    text.apply(content("Zwei.", 2, revision=2, end=True))
    assert (text.text, text.is_complete) == ("One. Zwei.", True)


def test_a_retraction_from_the_first_segment_drops_everything() -> None:
    assert folded(content("One. ", 1), content("Two.", 2), retraction(1, 2)).text == ""


def test_a_second_retraction_may_reach_further_back() -> None:
    events = content("A", 1), content("B", 2), content("C", 3), retraction(3, 2), content("c", 3, revision=2)
    assert folded(*events).text == "ABc"
    assert folded(*events, retraction(2, 3), content("b!", 2, revision=3, end=True)).text == "Ab!"


def test_withdrawn_chunks_are_skipped() -> None:
    text = folded(content("One. ", 1), content("", 2, withdrawn=True, end=True))
    assert (text.text, text.is_complete) == ("One. ", False)


@given(st.lists(st.tuples(st.integers(1, 6), st.text(min_size=1, max_size=3)), max_size=12), st.integers(1, 7))
def test_a_late_reader_of_the_blanked_log_has_the_same_text_as_a_live_one(
    chunks: list[tuple[int, str]], from_segment: int
) -> None:
    chunks.sort(key=lambda each: each[0])
    ending = [retraction(from_segment, 2), content("anew", from_segment, revision=2, end=True)]
    live = [content(chunk, segment) for segment, chunk in chunks]
    late = [
        content("" if segment >= from_segment else chunk, segment, withdrawn=segment >= from_segment)
        for segment, chunk in chunks
    ]
    assert folded(*live, *ending).text == folded(*late, *ending).text
