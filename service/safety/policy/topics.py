"""Topics that a reader is to be spared, as phrases: the topic itself, and one of it, or many."""

import re
from collections.abc import Iterator

# An ending, and the one that it has in the other number.
_ENDINGS = (
    (r"ies", "y"),
    (r"(?<=[^aeiou])y", "ies"),
    (r"ves", "f"),
    (r"ves", "fe"),
    (r"fe?", "ves"),
    (r"(?<=s|x|z|o|h)es", ""),
    (r"(?<=s|x|z|o|h)", "es"),
    (r"(?<=[^s])s", ""),
    (r"(?<=[^s])", "s"),
)


def topic_phrases(topic: str) -> list[str]:
    """The topic as written and with its last word in the other number; nothing for a topic without letter or figure."""
    written = " ".join(topic.split()).strip("\"'“”‘’«».,;:!?()[]{}-–—_*/ ")
    if not any(map(str.isalnum, written)):
        return []
    *before, last = written.split()
    return list(dict.fromkeys(" ".join([*before, form]) for form in _forms(last)))


def _forms(word: str) -> Iterator[str]:
    """The word itself, and what may be its singular and its plural. A form too many finds nothing."""
    yield word
    if len(word) > 2 and word.isalpha():
        for ending, other in _ENDINGS:
            if match := re.search(rf"(?:{ending})\Z", word, re.IGNORECASE):
                yield word[: match.start()] + other
