"""What is measured of a text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabula.child.v1 import child_pb2
from service.workflows.story.metrics import measure

_EASY = "The fox ran up the hill. It saw a red bird. The bird sang to it."
_FAIR = "The little fox climbed slowly over the fence and looked at the moon."
_HARD = (
    "Meanwhile, the extraordinarily patient astronomer adjusted her magnificent telescope, wondering silently whether "
    "the mysterious constellation above the mountains would ever disclose its ancient secrets."
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("… — !", 0),
        ("One two.", 2),
        ("Don't! It’s a well-known fox-hole.", 5),
        ("a\n\nb\tc", 3),
        ("Café Straße 7", 3),
    ],
)
def test_words_are_counted_as_a_reader_would(text: str, words: int) -> None:
    assert measure(text, 6).word_count == words


@pytest.mark.parametrize(
    ("words", "age", "minutes"),
    [(0, 6, 1), (1, 6, 1), (60, 6, 1), (61, 6, 2), (600, 6, 10), (145, 12, 1), (146, 12, 2), (61, 3, 2), (95, 7, 1)],
)
def test_reading_time_is_rounded_up_to_a_minute_at_the_readers_age(words: int, age: int, minutes: int) -> None:
    assert measure("word " * words, age).reading_minutes == minutes


@pytest.mark.parametrize(("age", "same_as"), [(0, 3), (2, 3), (13, 12), (99, 12)])
def test_other_ages_count_as_the_nearest(age: int, same_as: int) -> None:
    assert measure("word " * 500, age) == measure("word " * 500, same_as)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", child_pb2.READING_LEVEL_BEGINNER),
        (_EASY, child_pb2.READING_LEVEL_BEGINNER),
        (_FAIR, child_pb2.READING_LEVEL_INTERMEDIATE),
        (_FAIR.replace(".", ", and the moon looked at the fox."), child_pb2.READING_LEVEL_ADVANCED),
        (_HARD, child_pb2.READING_LEVEL_ADVANCED),
    ],
)
def test_longer_sentences_and_words_make_a_harder_text(text: str, level: child_pb2.ReadingLevel.ValueType) -> None:
    assert measure(text, 6).level == level


@settings(deadline=None)
@given(text=st.text(), age=st.integers(3, 12))
def test_every_text_has_a_level_and_at_least_a_minute(text: str, age: int) -> None:
    metrics = measure(text, age)
    assert metrics.reading_minutes >= 1
    assert metrics.level != child_pb2.READING_LEVEL_UNSPECIFIED


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab. '")), more=st.text(st.sampled_from("ab. '")))
def test_more_text_never_takes_less_time(text: str, more: str) -> None:
    assert measure(f"{text} {more}", 6).reading_minutes >= measure(text, 6).reading_minutes
