"""What of the tale so far goes into a prompt: all that the model's context has room for, and a word on what has not.

No tokenizer is at hand for every model that may answer, so tokens are estimated from above, for prose: three ASCII
characters a token or one word, where the tokenizers of current models take four to five characters in English and no
fewer than two and a half in Polish; one token for any other letter, and one and a half for an ideograph.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from service.safety.screen import Screen
from service.workflows.story.tale import StoredChapter

_PARAGRAPH = "\n\n"
_IDEOGRAPHS = "\u2e80"  # from there on
_KEYS = 60  # tokens of the names and marks around the parts
_MARK = "[the beginning is left out]"


def estimate_tokens(text: str) -> int:
    """How many tokens the text takes, from above."""
    ascii_characters = sum(map(str.isascii, text))
    ideographs = sum(character >= _IDEOGRAPHS for character in text)
    others = len(text) - ascii_characters - ideographs
    return max(-(-ascii_characters // 3), len(text.split())) + others + -(-ideographs * 3 // 2)


def end_of(text: str, room_tokens: int) -> str:
    """The text, or its last paragraphs that have room, marked as an end; empty when none has."""
    if _size(text) <= room_tokens:
        return text
    paragraphs = _taken(reversed(text.split(_PARAGRAPH)), room_tokens - _size(_MARK))
    return _PARAGRAPH.join([_MARK, *paragraphs]) if paragraphs else ""


class Recall:
    """Tells of the chapters of a branch, as far as they are fit for this reader: what to avoid may have changed."""

    def __init__(self, branch: Sequence[StoredChapter], screen: Screen) -> None:
        self._branch = branch
        self._screen = screen
        self._texts: dict[str, str] = {}

    def parts(self, room_tokens: int) -> dict[str, Any]:
        """The parts of a request: the bible, the turns taken, and the newest text; none when there is nothing to tell.

        The bible has the first claim to the room, then a third of the rest is for the turns, from the newest; then
        comes the text, from the newest chapter back and in whole chapters, of the newest one at least the end.
        `left_out` says what had no room.
        """
        room = room_tokens - _KEYS
        if not self._branch or room < 0:
            return {}
        bible = self._bible(room)
        room -= _size(bible)
        turns = (f"Chapter {each.chapter_number}: {each.turn}" for each in reversed(self._branch) if each.turn)
        chosen = _taken((turn for turn in turns if not self._screen.find(turn)), room // 3)
        room -= sum(map(_size, chosen))
        recent = _taken(map(self._text, reversed(self._branch)), room, end_of)
        told: dict[str, Any] = {"bible": bible | {"chosen": chosen}, "recent": recent}
        missing = len(self._branch) - len(recent)
        return told | ({"left_out": f"the text of the first {missing} chapters"} if missing else {})

    def _bible(self, room_tokens: int) -> dict[str, Any]:
        bible = self._branch[-1].bible
        told: dict[str, list[Any]] = {"characters": [], "places": [], "open_threads": []}
        entries: list[tuple[str, Any]] = [
            *(("characters", {"name": each.name, "about": each.about}) for each in bible.characters),
            *(("places", each) for each in bible.places),
            *(("open_threads", each) for each in bible.open_threads),
        ]
        room = room_tokens - _size(told)
        for name, entry in entries:
            if _size(entry) <= room and not self._screen.find(_prose(entry)):
                told[name].append(entry)
                room -= _size(entry)
        return told

    def _text(self, chapter: StoredChapter) -> str:
        # Once a run: a review and a rewrite ask for the same chapters again.
        if chapter.chapter_id not in self._texts:
            self._texts[chapter.chapter_id] = _fit(chapter.story_content, self._screen)
        return self._texts[chapter.chapter_id]


def _taken(
    newest_first: Iterable[str], room_tokens: int, shortened: Callable[[str, int], str] = lambda _text, _room: ""
) -> list[str]:
    """The texts that have room, oldest first.

    Only the newest may be shortened: the end of an older one would stand there as if it were the whole.
    """
    taken: list[str] = []
    for text in newest_first:
        size = _size(text)
        if size > room_tokens:
            if not taken and (rest := shortened(text, room_tokens)):
                taken.append(rest)
            break
        taken.append(text)
        room_tokens -= size
    return taken[::-1]


def _prose(entry: Any) -> str:
    return entry if isinstance(entry, str) else f"{entry['name']}{_PARAGRAPH}{entry['about']}"


def _fit(text: str, screen: Screen) -> str:
    if not screen.find(text):
        return text
    return _PARAGRAPH.join(paragraph for paragraph in text.split(_PARAGRAPH) if not screen.find(paragraph))


def _size(part: object) -> int:
    # As it stands in the request: with the marks that part it from the next, and its line breaks escaped.
    return estimate_tokens(json.dumps(part, ensure_ascii=False)) + 1
