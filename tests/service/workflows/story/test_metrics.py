"""What is measured of a text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabula.child.v1 import child_pb2
from service.workflows.story.metrics import Metrics, levels_off, measure

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
    assert measure(text, 6, "en").word_count == words


@pytest.mark.parametrize(
    ("words", "age", "minutes"),
    [(0, 6, 1), (1, 6, 1), (60, 6, 1), (61, 6, 2), (600, 6, 10), (145, 12, 1), (146, 12, 2), (61, 3, 2), (95, 7, 1)],
)
def test_reading_time_is_rounded_up_to_a_minute_at_the_readers_age(words: int, age: int, minutes: int) -> None:
    assert measure("word " * words, age, "en").reading_minutes == minutes


@pytest.mark.parametrize(("age", "same_as"), [(0, 3), (2, 3), (13, 12), (99, 12)])
def test_other_ages_count_as_the_nearest(age: int, same_as: int) -> None:
    assert measure("word " * 500, age, "en") == measure("word " * 500, same_as, "en")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("昔々、森に小さな狐がいました。", 7),
        ("从前，森林里住着一只小狐狸。", 8),
        ("กาลครั้งหนึ่งมีสุนัขจิ้งจอกตัวหนึ่ง", 7),
        ("여우가 숲에 살았다.", 3),
        ("किताब में कहानी है।", 4),
        ("Mina は 3 歳です。", 4),
        ("🦊🌙 ❤️!", 0),
    ],
)
def test_words_are_counted_in_every_script(text: str, words: int) -> None:
    assert measure(text, 6, "und").word_count == words


@pytest.mark.parametrize(
    ("grade", "level"),
    [
        (0.0, child_pb2.READING_LEVEL_BEGINNER),
        (1.9, child_pb2.READING_LEVEL_BEGINNER),
        (2.0, child_pb2.READING_LEVEL_INTERMEDIATE),
        (4.4, child_pb2.READING_LEVEL_INTERMEDIATE),
        (4.5, child_pb2.READING_LEVEL_ADVANCED),
        (18.0, child_pb2.READING_LEVEL_ADVANCED),
    ],
)
def test_a_known_grade_decides_the_level(
    monkeypatch: pytest.MonkeyPatch, grade: float, level: child_pb2.ReadingLevel.ValueType
) -> None:
    monkeypatch.setattr("service.workflows.story.metrics.grade", lambda *_: grade)
    metrics = measure(_HARD, 6, "en")
    assert metrics.level == level
    assert metrics.readability_grade == grade


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", child_pb2.READING_LEVEL_BEGINNER),
        (_EASY, child_pb2.READING_LEVEL_BEGINNER),
        (_FAIR, child_pb2.READING_LEVEL_INTERMEDIATE),
        (_FAIR.replace(".", ", and the moon looked at the fox."), child_pb2.READING_LEVEL_ADVANCED),
        (_HARD, child_pb2.READING_LEVEL_ADVANCED),
        ("狐がいた。森は静かだ。", child_pb2.READING_LEVEL_BEGINNER),
        ("狐がいた森は静かで、" * 8 + "月が出た。", child_pb2.READING_LEVEL_ADVANCED),
        ("หมาเห็นแมว แมวเห็นหมา หมาวิ่งไป", child_pb2.READING_LEVEL_BEGINNER),
    ],
)
def test_without_a_grade_longer_sentences_and_words_make_a_harder_text(
    text: str, level: child_pb2.ReadingLevel.ValueType
) -> None:
    metrics = measure(text, 6, "und")
    assert metrics.level == level
    assert metrics.readability_grade is None


def test_how_far_a_text_is_off_a_level() -> None:
    easy = Metrics(1, 1, child_pb2.READING_LEVEL_BEGINNER, 0.5)
    hard = Metrics(1, 1, child_pb2.READING_LEVEL_ADVANCED, 9.0)
    assert levels_off(easy, child_pb2.READING_LEVEL_BEGINNER) == 0
    assert levels_off(easy, child_pb2.READING_LEVEL_INTERMEDIATE) == 1
    assert levels_off(easy, child_pb2.READING_LEVEL_ADVANCED) == 2
    assert levels_off(hard, child_pb2.READING_LEVEL_BEGINNER) == 2


@settings(deadline=None)
@given(text=st.text(), age=st.integers(3, 12), language=st.sampled_from(["en", "de-AT", "es", "fr", "it", "pl", "ja"]))
def test_every_text_has_a_level_and_at_least_a_minute(text: str, age: int, language: str) -> None:
    metrics = measure(text, age, language)
    assert metrics.reading_minutes >= 1
    assert metrics.level != child_pb2.READING_LEVEL_UNSPECIFIED


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab. '")), more=st.text(st.sampled_from("ab. '")))
def test_more_text_never_takes_less_time(text: str, more: str) -> None:
    assert measure(f"{text} {more}", 6, "en").reading_minutes >= measure(text, 6, "en").reading_minutes
