"""What of the tale so far goes into a prompt: all that the model's context has room for, and a word on what has not.

No tokenizer is at hand for every model that may answer, so tokens are estimated from above: three ASCII characters a
token, where the tokenizers of current models take four to five in English and no fewer than two and a half in Polish;
and one and a half tokens for any other character.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from service.safety.screen import Screen
from service.workflows.story.tale import Bible, StoredChapter

_PARAGRAPH = "\n\n"
_KEYS = 60  # tokens of the names and marks around the parts


def estimate_tokens(text: str) -> int:
    """How many tokens the text takes at the most."""
    ascii_characters = sum(map(str.isascii, text))
    return -(-ascii_characters // 3) + -(-(len(text) - ascii_characters) * 3 // 2)


def recall(branch: Sequence[StoredChapter], screen: Screen, room_tokens: int) -> dict[str, Any]:
    """The parts of a request that tell of the chapters before: the bible, the turns taken, and the newest text.

    The bible comes first, then the turns from the newest, then the text, from the newest chapter back and in whole
    chapters; of the newest one at least the end. `left_out` says what had no room. What is not fit for this reader any
    more is left out, too.
    """
    if not branch:
        return {}
    bible = _bible(branch[-1].bible, screen)
    room = room_tokens - _KEYS - _size(bible)
    turns = [f"Chapter {chapter.chapter_number}: {chapter.turn}" for chapter in branch if chapter.turn]
    chosen = _newest([turn for turn in turns if not screen.find(turn)], room // 3)
    room -= sum(map(_size, chosen))
    texts = [_fit_text(chapter.story_content, screen) for chapter in branch]
    recent = _newest(texts, room, _end_of)
    told = {"bible": bible | {"chosen": chosen}, "recent": recent}
    missing = len(branch) - len(recent)
    return told | ({"left_out": f"the text of the first {missing} chapters"} if missing else {})


def _size(part: object) -> int:
    # As it stands in the request: with the marks that part it from the next, and its line breaks escaped.
    return estimate_tokens(json.dumps(part, ensure_ascii=False)) + 1


def _newest(
    texts: Sequence[str], room_tokens: int, shortened: Callable[[str, int], str] = lambda _text, _room: ""
) -> list[str]:
    """The texts from the last back that have room, in their own order; the first without room may be shortened."""
    taken: list[str] = []
    for text in reversed(texts):
        size = _size(text)
        if size > room_tokens:
            # Only the newest: the end of an older chapter would stand there as if it were the whole.
            if not taken and (rest := shortened(text, room_tokens)):
                taken.append(rest)
            break
        taken.append(text)
        room_tokens -= size
    return taken[::-1]


def _end_of(text: str, room_tokens: int) -> str:
    """The last paragraphs that have room, marked as an end."""
    mark = "[the beginning of this chapter is left out]"
    paragraphs = _newest(text.split(_PARAGRAPH), room_tokens - _size(mark))
    return _PARAGRAPH.join([mark, *paragraphs]) if paragraphs else ""


def _bible(bible: Bible, screen: Screen) -> dict[str, Any]:
    return {
        "characters": [
            {"name": each.name, "about": each.about}
            for each in bible.characters
            if not screen.find(f"{each.name}\n\n{each.about}")
        ],
        "places": [place for place in bible.places if not screen.find(place)],
        "open_threads": [thread for thread in bible.open_threads if not screen.find(thread)],
    }


def _fit_text(text: str, screen: Screen) -> str:
    if not screen.find(text):
        return text
    return _PARAGRAPH.join(paragraph for paragraph in text.split(_PARAGRAPH) if not screen.find(paragraph))
