"""The few rules of English that the templates cannot settle by themselves."""

import re
from collections.abc import Mapping
from functools import cache

_SLOT = re.compile(r"\{(\w+)\}")
_VOWELS = re.compile(r"[aeiouy]+")
_SENTENCE_ENDS = re.compile(r"[.!?…]+")
_EXCLAMATION = 2  # words; what is no longer counts as no sentence of its own
_MAX_NESTING = 5
_MAX_MENTION = 24  # words
_SOUNDS_LIKE_A_CONSONANT = ("uni", "use", "usu", "eu", "one", "once", "uk")
_SOUNDS_LIKE_A_VOWEL = ("hour", "honest", "honour", "heir")
_SMALL_WORDS = frozenset(
    ["a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"]
)


def with_article(noun: str) -> str:
    """`noun` with "a" or "an" before it, chosen by the sound of its first letters."""
    lowered = noun.lower()
    vowel = lowered[:1] in tuple("aeiou") and not lowered.startswith(_SOUNDS_LIKE_A_CONSONANT)
    return f"{'an' if vowel or lowered.startswith(_SOUNDS_LIKE_A_VOWEL) else 'a'} {noun}"


def capitalised(text: str) -> str:
    """`text` with its first letter in upper case, looking behind an opening quotation mark."""
    for index, character in enumerate(text):
        if character.isalnum():
            return text[:index] + character.upper() + text[index + 1 :]
    return text


def title_case(text: str) -> str:
    """`text` in title case: small words stay small unless they come first or last."""
    words = text.split()
    last = len(words) - 1
    return " ".join(
        word if 0 < index < last and word.lower() in _SMALL_WORDS else capitalised(word)
        for index, word in enumerate(words)
    )


def expanded(template: str, slots: Mapping[str, str]) -> str:
    """`template` with every `{slot}` filled in; `{Slot}` is the same slot, capitalised.

    Slots may hold slots, a few levels deep. Raises KeyError for a slot nobody fills.
    """

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name[0].isupper():
            # What the slot holds may begin with a slot itself, so it is filled in before it is capitalised.
            return capitalised(expanded(slots[name[0].lower() + name[1:]], slots))
        return slots[name]

    for _ in range(_MAX_NESTING):
        if not _SLOT.search(template):
            break
        template = _SLOT.sub(fill, template)
    return template


@cache  # the templates of the vocabulary are few
def matching(template: str) -> re.Pattern[str]:
    """A pattern that matches, regardless of case, what `template` may have been expanded to."""
    parts = [re.escape(part) for part in _SLOT.split(template)[::2]]
    return re.compile("(.+)".join(parts), re.IGNORECASE)


def words_of(text: str) -> tuple[str, ...]:
    """The words of `text` in lower case, in their order, without punctuation."""
    return tuple(
        word.removesuffix("'s") for word in re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))
    )


def hardness(text: str) -> float:
    """How hard a text is to read, about as a school grade, after Flesch and Kincaid; syllables are groups of vowels."""
    words = words_of(text)
    syllables = sum(max(len(_VOWELS.findall(word.removesuffix("e"))), 1) for word in words)
    sentences = sum(len(sentence.split()) > _EXCLAMATION for sentence in _SENTENCE_ENDS.split(text))
    return 0.39 * len(words) / max(sentences, 1) + 11.8 * syllables / max(len(words), 1) - 15.59


def clipped(text: str) -> str:
    """`text`, or its first words when it has too many to be said within one sentence."""
    words = text.split()
    return text if len(words) <= _MAX_MENTION else " ".join(words[:_MAX_MENTION]) + "…"


def tidied(text: str) -> str:
    """Text of a reader, safe to stand within a sentence or within curly quotation marks.

    Whitespace is collapsed, brackets and double quotation marks are dropped, and the punctuation that would end the
    sentence around it is taken from its end.
    """
    text = re.sub(r"[{}<>\[\]\"“”„«»`]|[\x00-\x1f\x7f]", " ", text)
    return re.sub(r"\s+", " ", text).strip().rstrip(".!,;:… ")
