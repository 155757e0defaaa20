"""What is measured of a text: words, reading time, level. Plain counts; no judgement of style."""

import math
import re
from dataclasses import dataclass

from fabula.child.v1 import child_pb2

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCE_END = re.compile(r"[.!?…。！？]+")

# Words a minute, read aloud to the youngest and by the child itself later; after Hasbrouck and Tindal's oral reading
# fluency norms (2017), 50th percentile at the end of grades 1 to 6, rounded down.
_WORDS_PER_MINUTE = {3: 60, 4: 60, 5: 60, 6: 60, 7: 95, 8: 110, 9: 130, 10: 140, 11: 145, 12: 145}

_BEGINNER_SENTENCE, _INTERMEDIATE_SENTENCE = 9.0, 14.0
_BEGINNER_WORD, _INTERMEDIATE_WORD = 4.2, 4.7


@dataclass(frozen=True, slots=True)
class Metrics:
    """`reading_minutes` is rounded up and at least 1."""

    word_count: int
    reading_minutes: int
    level: "child_pb2.ReadingLevel.ValueType"


def measure(text: str, age: int) -> Metrics:
    """Measures a text for a reader of 3 to 12 years."""
    words = _WORD.findall(text)
    minutes = math.ceil(len(words) / _WORDS_PER_MINUTE[min(max(age, 3), 12)])
    return Metrics(len(words), max(minutes, 1), _level(text, words))


def _level(text: str, words: list[str]) -> "child_pb2.ReadingLevel.ValueType":
    sentences = max(len(_SENTENCE_END.findall(text)), 1)
    per_sentence = len(words) / sentences
    per_word = sum(map(len, words)) / max(len(words), 1)
    if per_sentence <= _BEGINNER_SENTENCE and per_word <= _BEGINNER_WORD:
        return child_pb2.READING_LEVEL_BEGINNER
    if per_sentence <= _INTERMEDIATE_SENTENCE and per_word <= _INTERMEDIATE_WORD:
        return child_pb2.READING_LEVEL_INTERMEDIATE
    return child_pb2.READING_LEVEL_ADVANCED
