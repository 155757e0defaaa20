"""The embedded storyteller goes on with any tale: bibles of other storytellers, and chapters that were cut short."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.models.storyteller.bible import read_bible
from service.models.storyteller.remembering import described, remembered, remembered_place
from service.models.storyteller.vocabulary import vocabulary
from tests.service.models.test_storyteller import everything, lint, told
from tests.service.models.test_storyteller_tale import composed, names

FOREIGN: dict[str, Any] = {
    "characters": [
        {"name": "Rusty", "about": "a small fox"},
        {"name": "Old Wenna", "about": "the clockmaker of the village, who hums while she works"},
        {"name": "Bim", "about": "loves cheese"},
    ],
    "places": ["the seaside", "the mill on the hill behind the station"],
    "open_threads": ["Who wound up the tower clock?"],
}


class TestForeignBible:
    def test_unknown_characters_and_places_are_kept(self) -> None:
        for seed in range(20):
            recent = ["Rusty ran. He laughed. Bim smiled, and she waved her cheese."]
            answer = composed(seed, chapter_number=4, title="The Tower Clock", bible=FOREIGN, recent=recent)
            lint(answer, 7)
            story = answer["story_content"]
            assert "Rusty the small fox" in story
            assert "Old Wenna the clockmaker" in story
            assert not re.search(r"\bthe the\b", story)
            assert "at the mill on the hill behind the station" in story.replace("At the", "at the")
            assert answer["bible"]["characters"] == FOREIGN["characters"]
            assert answer["bible"]["places"] == FOREIGN["places"]

    @pytest.mark.parametrize(
        ("name", "about", "noun", "pronoun"),
        [
            ("Rusty", "a small fox", "small fox", "she"),
            ("Fennel", "", "fox", "he"),
            ("Fennel", "a brave fox; he has a bell", "fox", "he"),
            ("Fennel", "a girl with red hair", "girl", "she"),
            ("Tick", "An old clock that hums; he is slow", "old clock", "he"),
            ("Mo", "cat", "cat", "she"),
            ("Mo", "likes cats and dogs and her hat", "", "she"),
            ("小明", "一只小狐狸", "", "he"),
        ],
    )
    def test_what_is_said_of_a_character_is_read(self, name: str, about: str, noun: str, pronoun: str) -> None:
        recent = ["Mo sang to herself. Then Rusty took her hat. 小明 saw his hat."]
        person = remembered(name, about, recent, vocabulary())
        assert (person.name, person.kind.noun, person.pronoun) == (name, noun, pronoun)
        assert described(person, "")[1] == about or not about

    def test_what_the_storyteller_says_of_its_own_is_read_back(self) -> None:
        for kind in vocabulary().kinds:
            for name, pronoun in kind.names:
                person = remembered(name, "", [], vocabulary())
                for friend_of in ("", "Zora"):
                    again = remembered(*described(person, friend_of), [], vocabulary())
                    assert (again.kind, again.pronoun) == (kind, pronoun)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("Coral Bay", "at Coral Bay"),
            ("the Coral Bay", "in the Coral Bay"),
            ("a dark forest", "in the dark forest"),
            ("kitchen", "at the kitchen"),
            ("Grandma's house", "at Grandma's house"),
        ],
    )
    def test_places_are_named_as_they_are(self, name: str, said: str) -> None:
        place = remembered_place(name, vocabulary())
        assert f"{place.at} {place.name}" == said
        assert len(place.spots) >= 4

    @pytest.mark.parametrize(
        "bible",
        [
            *[None, 7, "x", [], {}, {"characters": "Rusty"}, {"characters": [None, 3, {}, {"name": 5}, {"name": " "}]}],
            *[
                {"characters": [{"name": "x" * 500}]},
                {"places": [None, "", "?!", "p" * 300]},
                {"open_threads": {"a": 1}},
            ],
        ],
    )
    def test_an_odd_bible_is_as_none(self, bible: object) -> None:
        assert composed(2, chapter_number=3, theme="space", bible=bible) == composed(2, chapter_number=3, theme="space")

    @pytest.mark.parametrize("characters", [["Rusty"], ["Rusty", "rusty"], ["Fennel", "Barnaby"], ["{hero}", "<b>"]])
    def test_a_short_or_repeating_cast_is_filled_up(self, characters: list[str]) -> None:
        bible = {"characters": [{"name": name, "about": ""} for name in characters]}
        for seed in range(5):
            answer = composed(seed, chapter_number=2, theme="pirates", bible=bible)
            lint(answer, 7)
            assert len({name.casefold() for name in names(answer)}) == len(names(answer)) >= 2

    @settings(deadline=None, max_examples=60)
    @given(
        name=st.text(max_size=30), about=st.text(max_size=60), place=st.text(max_size=40), thread=st.text(max_size=60)
    )
    def test_any_text_in_a_bible_can_be_told_with(self, name: str, about: str, place: str, thread: str) -> None:
        bible = {"characters": [{"name": name, "about": about}], "places": [place], "open_threads": [thread]}
        answer = composed(1, chapter_number=3, bible=bible)
        assert not re.search(r"[{}]", answer["story_content"])
        assert read_bible(answer["bible"]).characters

    def test_the_bible_does_not_grow_without_end(self) -> None:
        people = [{"name": f"Person {letter}", "about": "a girl"} for letter in "ABCDEFGHIJKLMNOP"]
        bible = {"characters": people, "places": [f"Town {letter}" for letter in "ABCDEFGHIJKLMNOP"]}
        answer = composed(1, chapter_number=3, bible=bible, turn={"custom": "meet a penguin on the moon"})
        assert names(answer)[:2] == ["Person A", "Person B"]
        assert len(names(answer)) <= 8
        assert len(answer["bible"]["places"]) <= 8


class TestFinish:
    CUT = "Fennel the fox lived in Bluebell Garden.\n\n“Look!” said Tansy the mouse. And then"

    @pytest.mark.parametrize("age", [4, 7, 11])
    @pytest.mark.parametrize("last", [True, False])
    def test_a_short_end_for_a_chapter_that_was_cut(self, age: int, last: bool) -> None:
        for seed in range(20):
            reader = {"age": age, "nickname": ["", "Mina"][seed % 2]}
            answer = composed(seed, task="finish", story=self.CUT, reader=reader, last=last)
            end = answer["story_content"]
            assert "\n" not in end
            assert 2 <= len(re.findall(r"[.!?]+[”]?(?:\s|$)", end)) <= 3, end
            assert 8 <= len(end.split()) <= 60
            assert end[0].isupper() or end[0] == "“"
            assert "Fennel" in end
            assert len(answer["choices"]) == (0 if last else 2 if age < 6 else 3)
            assert answer["choice_question"].endswith("?") != last
            assert answer["bible"]["open_threads"] == [] or not last
            assert names(answer) == ["Fennel", "Tansy"]
            assert answer["bible"]["places"] == ["Bluebell Garden"]

    def test_names_nobody_whom_the_story_does_not(self) -> None:
        own = [name for kind in vocabulary().kinds for name, _ in kind.names]
        for seed in range(20):
            answer = composed(
                seed, task="finish", story="Die kleine Lok fuhr los, und dann", chapter_number=seed % 3 + 1
            )
            assert not [name for name in own if re.search(rf"\b{name}\b", everything(answer))]
            assert answer["title"]
            assert answer["bible"]["characters"] == []

    def test_knows_the_cast_of_another_storyteller(self) -> None:
        answer = composed(
            task="finish", story="Rusty ran home. Rusty", bible=FOREIGN, title="The Tower Clock", chapter_number=3
        )
        assert "Rusty" in answer["story_content"]
        assert "Wenna" not in answer["story_content"]
        assert answer["bible"]["characters"] == FOREIGN["characters"]
        assert answer["title"] == "The Tower Clock"

    def test_a_missing_story_is_ended_all_the_same(self) -> None:
        assert told(task="finish")["story_content"]
