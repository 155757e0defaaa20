"""Innocent words for the synthesiser, hard where parsers are weak: quotes, newlines, accents, a wide emoji."""

from collections.abc import Mapping, Sequence

STORY = """\
Mina kept the lighthouse at the edge of the bay. Every evening she lit the lamp and counted the boats coming home.

One night she heard a small knock. "Who is it?" asked Mina.

"Only me," said a fox with one white ear. 🦊 "The café by the harbour is closed, and my paws are cold."

Mina opened the door wide. "Then you must have soup," she said, "and the blue blanket."

By the stove the fox told her about the naïve little owl who tried to catch the moon — twice! Mina laughed aloud.

In the morning the sea was as smooth as glass. “Will you come back?” asked Mina.

The fox smiled. “Whenever you light the lamp,” he said, and he trotted home along the bright sand."""
"""About 120 words in seven paragraphs."""

SENTENCES: Sequence[str] = (
    "A small fox walks home along the bright sand.",
    "The lamp of the lighthouse shines over the quiet bay.",
    "Warm soup and a blue blanket make every guest happy.",
    "An owl counts the stars until all the boats are home.",
)

BY_NAME: Mapping[str, Sequence[str]] = {
    "story_content": (STORY,),
    "title": ("The Fox and the Lighthouse", "The Owl Who Counted Stars"),
    "name": ("Mina", "Otto", "Pip", "Luna"),
    "character": ("Mina", "Otto", "Pip", "Luna"),
    "language": ("en", "de", "fr"),
    "setting": ("A lighthouse at the edge of a quiet bay",),
    "moral": ("Kindness keeps a light on for everyone.",),
    "theme": ("friendship", "courage", "curiosity"),
    "tag": ("friendship", "sea", "fox", "bedtime"),
}
"""By the name of the property; a plural takes its singular's."""

WORRYING = (
    "unsafe",
    "flag",
    "violat",
    "violen",
    "harm",
    "reject",
    "block",
    "refus",
    "error",
    "fail",
    "scary",
    "revis",
    "deny",
    "inappropriate",
    "toxic",
    "risk",
)
"""Parts of names and values that would make a workflow turn a story down. The default is that all is well."""

PRAISING = ("score", "rating", "quality", "confidence")
"""Parts of the names of numbers where more is better."""


def text_for(name: str, index: int) -> str:
    """A text for the property called so; the index tells the items of an array apart."""
    texts = BY_NAME.get(name) or BY_NAME.get(name.removesuffix("s")) or SENTENCES
    return texts[index % len(texts)]


def is_worrying(text: str) -> bool:
    """Would a workflow take this name or value as a reason to say no?"""
    return any(part in text.lower() for part in WORRYING)


def is_praising(text: str) -> bool:
    """Is more better for a number of this name?"""
    return any(part in text.lower() for part in PRAISING)
