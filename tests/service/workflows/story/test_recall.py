"""What of the tale so far goes into a prompt: as much as there is room for, and never more."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.safety.screen import Finding, Screen
from service.workflows.story.recall import Recall, estimate_tokens
from service.workflows.story.tale import Bible, Character, StoredChapter
from tests.service.workflows.story.samples import CLEAN, make_chapter


def chapters(count: int, characters: int = 900) -> list[StoredChapter]:
    return [
        make_chapter(
            number, story_content=f"Chapter {number} begins. " + "ab " * (characters // 3), turn=f"turn {number}"
        )
        for number in range(1, count + 1)
    ]


def recall(branch: Sequence[StoredChapter], screen: Screen, room_tokens: int) -> dict[str, Any]:
    return Recall(branch, screen).parts(room_tokens)


def test_a_new_story_has_nothing_to_recall() -> None:
    assert recall((), CLEAN, 1_000) == {}


def test_with_room_enough_everything_is_told() -> None:
    branch = chapters(3)
    told = recall(branch, CLEAN, 100_000)
    assert told["recent"] == [chapter.story_content for chapter in branch]
    assert told["bible"]["characters"] == [{"name": "Ember", "about": "a small fox"}]
    assert told["bible"]["chosen"] == ["Chapter 1: turn 1", "Chapter 2: turn 2", "Chapter 3: turn 3"]
    assert "left_out" not in told


def test_without_room_the_oldest_chapters_are_left_out_and_that_is_said() -> None:
    branch = chapters(4)
    told = recall(branch, CLEAN, 2 * estimate_tokens(branch[0].story_content) + 150)
    assert told["recent"] == [branch[2].story_content, branch[3].story_content]
    assert told["left_out"] == "the text of the first 2 chapters"
    assert told["bible"]["characters"] == [{"name": "Ember", "about": "a small fox"}]


def test_of_a_chapter_that_is_too_long_the_end_is_told_and_marked() -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "ab " * 200 for number in range(10))
    told = recall([make_chapter(1, story_content=text)], CLEAN, 700)
    (recent,) = told["recent"]
    assert recent.startswith("[the beginning is left out]\n\nParagraph")
    assert recent.endswith(text[-500:])
    assert "Paragraph 0" not in recent


def test_what_is_not_fit_for_the_reader_any_more_is_left_out() -> None:
    branch = [
        make_chapter(1, story_content="The owl slept.\n\nA gory sight!\n\nThe end.", turn="a murder"),
        make_chapter(
            2,
            turn="She sings",
            bible=Bible(
                characters=(Character(name="Ember"), Character(name="Rex", about="a gory dog")),
                places=("the gory hall", "the oak"),
                open_threads=("who was stabbed",),
            ),
        ),
    ]
    told = json.dumps(recall(branch, CLEAN, 10_000))
    assert not any(word in told for word in ("gory", "murder", "stabbed", "Rex"))
    assert all(word in told for word in ("Ember", "the oak", "She sings", "The owl slept.", "The end."))


@settings(deadline=None)
@given(
    count=st.integers(1, 12),
    size=st.integers(10, 3_000),
    room=st.integers(-2_000, 6_000),
    turn=st.text(max_size=200),
)
def test_beyond_the_bible_no_more_is_told_than_there_is_room_for(count: int, size: int, room: int, turn: str) -> None:
    branch = [chapter.model_copy(update={"turn": turn}) for chapter in chapters(count, size)]
    nothing: dict[str, Any] = {"recent": [], "bible": {"chosen": []}}
    told: dict[str, Any] = recall(branch, CLEAN, room) or nothing
    taken = sum(map(estimate_tokens, told["recent"] + told["bible"]["chosen"]))
    assert taken <= max(room, 0)
    kept = [chapter.story_content for chapter in branch]
    whole = [text for text in told["recent"] if text in kept]
    assert kept[len(kept) - len(whole) :] == whole


@given(st.text())
def test_no_text_is_estimated_at_less_than_a_token_a_word_or_three_letters(text: str) -> None:
    assert estimate_tokens(text) >= max(len(text.split()), len(text) / 3)


def test_a_chapter_is_screened_once_and_only_when_there_is_room_for_it() -> None:
    class Counting(Screen):
        screened = 0

        def find(self, text: str, *, ended: bool = True) -> list[Finding]:
            self.screened += len(text) > 200
            return super().find(text, ended=ended)

    screen = Counting({"violence": ["murder"]})
    told = Recall(chapters(50), screen)
    for _ in range(3):
        assert len(told.parts(2_000)["recent"]) < 8
    assert screen.screened < 10
