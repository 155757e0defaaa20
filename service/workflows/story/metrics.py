"""What is measured of a text: words, reading time, grade, level. Plain counts; no judgement of style."""

import math
from dataclasses import dataclass

from fabula.child.v1 import child_pb2
from service.workflows.story.counting import Counts, count
from service.workflows.story.readability import grade

# Words a minute, read aloud to the youngest and by the child itself later; after Hasbrouck and Tindal's oral reading
# fluency norms (2017), 50th percentile at the end of grades 1 to 6, rounded down.
_WORDS_PER_MINUTE = {3: 60, 4: 60, 5: 60, 6: 60, 7: 95, 8: 110, 9: 130, 10: 140, 11: 145, 12: 145}

# Where the bands of text complexity begin that the Common Core (Appendix A, as updated in 2012) gives for
# Flesch-Kincaid: 1.98 for grades 2 and 3, 4.51 for grades 4 and 5. Our levels change at the same ages.
_INTERMEDIATE_GRADE, _ADVANCED_GRADE = 2.0, 4.5

# In words and in letters, where no grade is known.
_BEGINNER_SENTENCE, _INTERMEDIATE_SENTENCE = 9.0, 14.0
_BEGINNER_WORD, _INTERMEDIATE_WORD = 4.2, 4.7


@dataclass(frozen=True, slots=True)
class Metrics:
    """`reading_minutes` is rounded up and at least 1. `readability_grade` is 0 to 18; None when it is unknown."""

    word_count: int
    reading_minutes: int
    level: "child_pb2.ReadingLevel.ValueType"
    readability_grade: float | None


def measure(text: str, age: int, language: str) -> Metrics:
    """Measures a text for a reader of 3 to 12 years; `language` is a BCP 47 tag.

    Where no spaces part the words, as in Japanese, Chinese and Thai, `word_count` is estimated from the letters.
    """
    counts, school_grade = count(text), grade(text, language)
    minutes = math.ceil(counts.words / _WORDS_PER_MINUTE[min(max(age, 3), 12)])
    level = _level_of_counts(counts) if school_grade is None else _level_of_grade(school_grade)
    return Metrics(counts.words, max(minutes, 1), level, school_grade)


def levels_off(metrics: Metrics, level: "child_pb2.ReadingLevel.ValueType") -> int:
    """By how many levels the text is harder or easier than `level`: 0, 1 or 2."""
    return abs(metrics.level - level)


def _level_of_grade(school_grade: float) -> "child_pb2.ReadingLevel.ValueType":
    if school_grade < _INTERMEDIATE_GRADE:
        return child_pb2.READING_LEVEL_BEGINNER
    advanced = school_grade >= _ADVANCED_GRADE
    return child_pb2.READING_LEVEL_ADVANCED if advanced else child_pb2.READING_LEVEL_INTERMEDIATE


def _level_of_counts(counts: Counts) -> "child_pb2.ReadingLevel.ValueType":
    per_sentence = counts.words / counts.sentences
    per_word = counts.letters / max(counts.words, 1)
    if per_sentence <= _BEGINNER_SENTENCE and per_word <= _BEGINNER_WORD:
        return child_pb2.READING_LEVEL_BEGINNER
    if per_sentence <= _INTERMEDIATE_SENTENCE and per_word <= _INTERMEDIATE_WORD:
        return child_pb2.READING_LEVEL_INTERMEDIATE
    return child_pb2.READING_LEVEL_ADVANCED
