"""A tale of many chapters by the embedded storyteller: the cast stays, the turn is heeded, the last chapter ends it."""

import itertools
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fabula.child.v1 import child_pb2
from service.models.storyteller.bible import read_bible
from service.models.storyteller.hooks import choose_hook
from service.models.storyteller.plotting import told_plot
from service.models.storyteller.request import StoryRequest, read_request
from service.models.storyteller.rewriting import tell
from service.models.storyteller.vocabulary import vocabulary
from service.safety.policy import load_policy
from service.workflows.story.metrics import levels_off, measure
from service.workflows.story.task import level_of_age
from tests.service.models.test_storyteller import everything, lint, messages, told

THEMES = [
    *["", "a fox who fears the dark", "why is the sky blue", "a boy called Sam", "the sea and a lost key"],
    *["a quokka who juggles pancakes", "魔法の森", "helping a giant", "a mouse helps a lion", "space"],
]
ENDED = re.compile(r"not (even )?over|another page|to be continued", re.IGNORECASE)


def composed(seed: int = 1, **fields: Any) -> dict[str, Any]:
    """What the model would answer, without its streaming."""
    return dict(tell(read_request(messages(**fields)), seed))


def tale(seed: int, age: int, chapters: int, **fields: Any) -> list[dict[str, Any]]:
    """A whole tale: each chapter has the bible of the one before, and a turn chosen from its choices."""
    chance, answers = random.Random(seed), list[dict[str, Any]]()
    story: dict[str, Any] = {"title": "", "planned_chapters": chapters, "recent": [], **fields}
    chosen: list[str] = []
    for number in range(1, chapters + 1):
        reader = {"age": age, "nickname": ["", "Mina"][seed % 2]}
        answer = composed(seed, reader=reader, chapter_number=number, last=number == chapters, **story)
        answers.append(answer)
        if answer["choices"]:
            chosen.append(chance.choice(answer["choices"]))
            story["turn"] = {"choice": chosen[-1]}
        story["title"] = answer["title"]
        story["bible"] = {**answer["bible"], "chosen": chosen}
        story["recent"] = [*story["recent"], answer["story_content"]][-2:]
    return answers


def names(answer: dict[str, Any]) -> list[str]:
    return [character["name"] for character in answer["bible"]["characters"]]


class TestTale:
    def test_thirty_chapters_keep_the_cast_and_come_to_an_end(self) -> None:
        for seed in range(20):
            age = 3 + seed % 10
            answers = tale(seed, age, 30, theme=THEMES[seed % len(THEMES)])
            hero, friend = names(answers[0])
            for number, answer in enumerate(answers, 1):
                lint(answer, age, last=number == 30)
                assert names(answer) == [hero, friend]
                assert hero in answer["story_content"]
                assert friend in answer["story_content"]
                assert answer["bible"]["places"] == answers[0]["bible"]["places"]
                assert answer["title"] == answers[0]["title"]
            for before, after in itertools.pairwise(answer["story_content"] for answer in answers):
                assert not set(before.split("\n\n")) & set(after.split("\n\n"))
                assert told_plot(before) != told_plot(after)
            assert not ENDED.search(answers[-1]["story_content"])

    def test_a_plot_comes_round_again_late_and_in_another_form(self) -> None:
        texts = [answer["story_content"] for answer in tale(3, 7, 16, theme="")]
        plots = [plot.name for text in texts[1:] if (plot := told_plot(text))]
        assert len(plots) == 15
        assert len(set(plots[:7])) == 7
        paragraphs = [paragraph for text in texts for paragraph in text.split("\n\n")]
        assert len(set(paragraphs)) >= 0.9 * len(paragraphs)

    def test_the_kind_of_each_character_stays(self) -> None:
        answers = tale(1, 7, 6, theme="a fox who fears the dark")
        friend = answers[0]["bible"]["characters"][1]
        kind = friend["about"].split(";")[0].split(" ", 1)[1]
        for answer in answers[1:]:
            assert re.search(f"(the|a) {kind}\\b", answer["story_content"])
            assert "the fox" in answer["story_content"]
            assert answer["bible"]["characters"] == answers[0]["bible"]["characters"]

    def test_the_hook_is_the_open_thread_and_no_hook_comes_twice_while_there_are_others(self) -> None:
        answers = tale(5, 8, 14, theme="")
        threads = [thread for answer in answers for thread in answer["bible"]["open_threads"]]
        assert len(threads) == len(set(threads)) == 13

    def test_a_tale_of_one_chapter_ends_at_once(self) -> None:
        for seed in range(10):
            answer = told(seed, last=True, planned_chapters=1, reader={"age": 5, "nickname": "Mina"})
            lint(answer, 5, last=True)
            assert not ENDED.search(answer["story_content"])

    @pytest.mark.parametrize("last", [None, "yes", 1, [], False])
    def test_only_true_is_the_last(self, last: object) -> None:
        assert told(last=last)["choices"]


class TestSafety:
    @pytest.mark.parametrize("age", [3, 5, 7, 9, 12])
    def test_nothing_that_it_writes_is_blocked(self, age: int) -> None:
        screen = load_policy().screen(age, "en")
        for seed in range(6):
            for answer in tale(seed, age, 10, theme=THEMES[(age + seed) % len(THEMES)]):
                assert not screen.find(everything(answer)), everything(answer)

    def test_nothing_that_it_knows_is_blocked(self) -> None:
        """Every template, and whatever a slot may hold, each by itself."""
        texts = list(_strings([each.model_dump() for each in (*itertools.chain(*vocabulary()[:6]), *vocabulary()[6:])]))
        screen = load_policy().screen(3, "en")
        found = [text for text in texts if screen.find(re.sub(r"\{\w+\}", "Nora", text))]
        assert len(texts) > 1500
        assert found == []


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple | frozenset):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


class TestTurn:
    @pytest.mark.parametrize("custom", ["build a raft", "They find a talking pumpkin", "dance with the wind"])
    def test_a_custom_turn_is_heard_and_the_cast_stays(self, custom: str) -> None:
        first = told(1, theme="adventure")
        for seed in range(10):
            later = told(seed, chapter_number=2, title=first["title"], bible=first["bible"], turn={"custom": custom})
            assert custom in later["story_content"].split("\n\n")[0]
            assert names(later)[:2] == names(first)
            assert all(name in later["story_content"] for name in names(first))

    def test_whoever_a_turn_calls_for_joins_the_two(self) -> None:
        first = told(1, theme="a fox who fears the dark")
        turn = {"custom": "fly to the moon with a penguin"}
        second = told(2, chapter_number=2, title=first["title"], bible=first["bible"], turn=turn)
        assert "on the Moon" in second["story_content"]
        assert "a penguin called" in second["story_content"]
        assert all(name in second["story_content"] for name in names(first))
        assert names(second)[:2] == names(first)
        assert second["bible"]["places"][-1] == "the Moon"
        guest = second["bible"]["characters"][2]
        assert "penguin" in guest["about"]
        turn = {"custom": f"have tea with {guest['name']}"}
        third = told(3, chapter_number=3, title=first["title"], bible=second["bible"], turn=turn)
        assert f"{guest['name']} the penguin" in third["story_content"]
        fourth = told(4, chapter_number=4, title=first["title"], bible=third["bible"])
        assert f"{names(first)[1]} the" in fourth["story_content"]
        assert "Moon" in fourth["story_content"]

    def test_without_a_turn_the_open_thread_is_taken_up(self) -> None:
        first = told(1, theme="space")
        second = told(2, chapter_number=2, title=first["title"], bible=first["bible"])
        assert first["bible"]["open_threads"][0] in second["story_content"].split("\n\n")[0]

    def test_the_first_word_of_a_turn_leads_nowhere(self) -> None:
        first = told(1, theme="space")
        turn = {"custom": "plant an apple tree"}
        second = composed(2, chapter_number=2, title=first["title"], bible=first["bible"], turn=turn)
        assert "Bluebell Garden" not in second["story_content"]


class TestLevel:
    @pytest.mark.parametrize("age", range(3, 13))
    def test_no_story_is_more_than_one_level_off_its_readers_age(self, age: int) -> None:
        level = level_of_age(age)
        reader = {"age": age, "reading_level": child_pb2.ReadingLevel.Name(level).split("_")[-1].lower()}
        for seed in range(50):
            text = composed(seed, theme=THEMES[seed % len(THEMES)], reader=reader)["story_content"]
            assert levels_off(measure(text, age, "en"), level) <= 1

    @pytest.mark.parametrize("age", range(6, 13))
    @pytest.mark.parametrize("level", [child_pb2.READING_LEVEL_BEGINNER, child_pb2.READING_LEVEL_ADVANCED])
    def test_a_schoolchild_of_another_level_is_told_a_story_near_it(
        self, age: int, level: child_pb2.ReadingLevel.ValueType
    ) -> None:
        reader = {"age": age, "reading_level": child_pb2.ReadingLevel.Name(level).split("_")[-1].lower()}
        for seed in range(10):
            answer = composed(seed, theme=THEMES[seed % len(THEMES)], reader=reader)
            lint(answer, age)
            assert levels_off(measure(answer["story_content"], age, "en"), level) <= 1

    def test_a_rewrite_for_the_level_is_another_telling_with_the_same_cast(self) -> None:
        first = composed(1, theme="space", reader={"age": 10, "reading_level": "beginner"})
        fields: dict[str, Any] = {
            "theme": "space",
            "title": first["title"],
            "bible": first["bible"],
            "chapter_number": 2,
        }
        reader = {"age": 10, "reading_level": "beginner"}
        second = composed(1, **fields, reader=reader)
        again = composed(
            1, **fields, reader=reader, task="rewrite", story=second["story_content"], **{"for": "reading_level"}
        )
        lint(again, 10)
        assert again["story_content"] != second["story_content"]
        assert names(again) == names(second)


def test_a_hook_is_found_when_all_have_been_chosen() -> None:
    hooks = vocabulary().hooks
    chosen = [choice for hook in hooks for choice, _ in hook.choices]
    bible = read_bible({"chosen": chosen})
    turn = hooks[0].choices[0][0]
    for seed in range(20):
        assert choose_hook(StoryRequest("tell", turn=turn, bible=bible), hooks, random.Random(seed)) != hooks[0]
