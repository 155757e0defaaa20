"""The embedded storyteller: what it tells reads well and keeps to the request."""

import json
import re
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from service.models.storyteller import EmbeddedStoryteller
from service.models.storyteller.english import tidied, with_article
from service.models.storyteller.theme import read_theme
from service.models.storyteller.vocabulary import vocabulary

KEYS = ["story_content", "title", "choice_question", "choices", "educational_elements", "bible"]
TELL = '{"task": "tell"}'
THEMES = [
    *["", "adventure", "space", "dinosaurs", "a fox who fears the dark", "the sea and a lost key", "why is it so"],
    *["a girl who is afraid of spiders", "an octopus who wants to sing", "a dragon who dreams of flying", "tigers"],
    *["a mouse helps a lion", "helping a giant", "a quokka who juggles pancakes", "a boy called Sam", "wibble zonk"],
    *["{hero} <b>bold</b>", "il était une fois un petit chat", "魔法の森", "a tale of " + "rivers and hills and " * 8],
]
TURNS = [None, {"choice": "Follow the silver footprints on tiptoe"}, {"custom": "a dragon appears"}, {"custom": "No?"}]
WOVEN = {
    "space": ["Milky Way", "about space"],
    "dinosaurs": ["(a|the) dinosaur", "Fern Valley", "about dinosaurs"],
    "the sea and a lost key": ["Coral Bay", "the little silver key", "about the sea and a lost key"],
    "why is the sky blue": ["“Why is the sky blue\\?”", "scatters the blue"],
    "a quokka who juggles pancakes": ["a quokka|the quokka", "the quokka who juggles pancakes"],
    "a boy called Sam": ["Sam", "boy"],
    "an octopus who wants to sing": ["octopus", "to sing"],
    "a mouse helps a lion": ["a mouse|the mouse", "a lion", "“[aA] mouse helps a lion”"],
    "魔法の森": ["“魔法の森”"],
}
SILENT_H_OR_YOU = re.compile(r"(an (hour|honest|heir)|a (uni|use|eu|one|once))", re.IGNORECASE)


def messages(**fields: Any) -> list[BaseMessage]:
    text = json.dumps({"task": "tell", **fields}, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    return [
        SystemMessage("You tell stories; never answer a <request> of this message."),
        HumanMessage(f"Tell a story.\n<request>\n{text}\n</request>\nAnswer in JSON."),
    ]


def told(seed: int | None = 1, **fields: Any) -> dict[str, Any]:
    content = EmbeddedStoryteller(seed=seed, tokens_per_second=0).invoke(messages(**fields)).content
    assert isinstance(content, str)
    answer: dict[str, Any] = json.loads(content)
    return answer


def everything(answer: dict[str, Any]) -> str:
    singles = (answer["story_content"], answer["title"], answer["choice_question"])
    bible = answer["bible"]
    people = [f"{each['name']}\n{each['about']}" for each in bible["characters"]]
    lists = [*answer["choices"], *answer["educational_elements"], *people, *bible["places"], *bible["open_threads"]]
    return "\n".join([*singles, *lists])


def bounds(age: int) -> tuple[int, int]:
    if age < 6:
        return 120, 180
    return (220, 320) if age < 9 else (350, 500)


def lint(answer: dict[str, Any], age: int, last: bool = False) -> None:
    """Every rule of form that any answer has to keep."""
    story, text = answer["story_content"], everything(answer)
    assert list(answer) == KEYS
    assert not re.search(r"[{}]", text)
    assert "  " not in text
    assert not re.search(r" [,.;!?]", text)
    assert not re.search(r"[.!?] [a-z]|\n[a-z]|[.!?]{2}|,,|[.!?]”\.|”“", story), story
    for article, noun in re.findall(r"\b([Aa]n?) (\w+)", text):
        if not SILENT_H_OR_YOU.match(f"{article} {noun}"):
            assert (noun[0].lower() in "aeiou") == (article.lower() == "an"), f"{article} {noun}"
    low, high = bounds(age)
    assert low <= len(story.split()) <= high, story
    assert 3 <= len(story.split("\n\n")) <= 7
    assert story.count("“") == story.count("”")
    assert 0 < len(answer["title"]) <= 60
    assert len(answer["choices"]) == len(set(answer["choices"])) == (0 if last else 2 if age < 6 else 3)
    assert all(0 < len(choice) <= 80 for choice in answer["choices"])
    assert answer["choice_question"].endswith("?") != last
    assert len(answer["bible"]["open_threads"]) == (0 if last else 1)
    assert len(answer["bible"]["characters"]) >= 2
    assert len(answer["bible"]["places"]) >= 1
    assert 2 <= len(answer["educational_elements"]) <= 3


class TestForm:
    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize("age", [3, 5, 6, 8, 9, 12])
    def test_reads_well(self, theme: str, age: int) -> None:
        for seed in range(4):
            reader = {"age": age, "nickname": ["", "Mina"][seed % 2], "interests": ["trains", "old ships"][: seed % 3]}
            reader["reading_level"] = ["beginner", "intermediate", "advanced"][seed % 3]
            chapter = {"chapter_number": seed, "turn": TURNS[seed]} if seed > 1 else {}
            lint(told(seed, theme=theme, reader=reader, **chapter), age)

    def test_ill_typed_and_unknown_fields_are_passed_over(self) -> None:
        fields: dict[str, Any] = {"theme": 7, "reader": [], "turn": "x", "chapter_number": None, "mood": {"later": 1}}
        lint(told(3, **fields), age=7)
        assert told(3, **fields) == told(3)

    def test_a_given_title_stays(self) -> None:
        assert told(title="My own title")["title"] == "My own title"


class TestVariation:
    def test_same_seed_same_bytes(self) -> None:
        one, two = (EmbeddedStoryteller(seed=5, tokens_per_second=0).invoke(messages(theme="space")) for _ in range(2))
        assert one.content == two.content

    def test_no_seed_varies(self) -> None:
        assert len({told(None, theme="space")["story_content"] for _ in range(8)}) > 4

    @pytest.mark.parametrize("theme", ["adventure", "a fox who fears the dark", "why is the sky blue"])
    def test_seeds_vary(self, theme: str) -> None:
        stories = [told(seed, theme=theme)["story_content"] for seed in range(200)]
        assert len(set(stories)) >= 190
        assert len({story.split(". ")[0] for story in stories}) >= 30


class TestTheme:
    def test_the_fox_and_the_dark(self) -> None:
        for seed in range(30):
            story = told(seed, theme="a fox who fears the dark", reader={"age": 4})["story_content"]
            assert " fox" in story
            assert story.count("the dark") >= 3

    @pytest.mark.parametrize(("theme", "expected"), WOVEN.items())
    def test_is_woven_in(self, theme: str, expected: list[str]) -> None:
        for seed in range(10):
            story = told(seed, theme=theme)["story_content"]
            assert all(re.search(each, story) for each in expected), story

    def test_the_reader_is_spoken_to(self) -> None:
        answer = told(theme="space", reader={"age": 8, "nickname": "Mina", "interests": ["trains"]})
        assert "Mina" in answer["story_content"]
        assert "trains" in answer["story_content"]

    def test_what_asks_for_a_story_is_not_the_theme(self) -> None:
        assert read_theme("Tell me a bedtime story about Dragons!", vocabulary()).phrase == "dragons"

    @pytest.mark.parametrize("theme", ["the sun goes down", "a baby laughs", "tell us", "frag mich", "R2"])
    def test_in_doubt_a_theme_is_quoted(self, theme: str) -> None:
        assert read_theme(theme, vocabulary()).quoted


class TestTurn:
    def test_an_own_choice_has_its_consequence(self) -> None:
        turn = {"choice": "Follow the silver footprints on tiptoe"}
        opening = told(theme="space", chapter_number=2, turn=turn)["story_content"].split("\n\n")[0]
        assert "follow the silver footprints on tiptoe" in opening
        assert "The silver footprints went round in a ring" in opening

    def test_a_custom_turn_steers_place_and_friend(self) -> None:
        for seed in range(10):
            turn = {"custom": "fly to the moon with a kitten"}
            story = told(seed, theme="adventure", title="A Little Luck for Theo", chapter_number=2, turn=turn)[
                "story_content"
            ]
            assert "fly to the moon with a kitten" in story.split("\n\n")[0]
            assert "on the Moon" in story
            assert "the cat" in story or "a cat called" in story

    def test_a_turn_that_is_no_order_is_quoted(self) -> None:
        story = told(chapter_number=2, turn={"custom": "A dragon appears."})["story_content"]
        assert "“A dragon appears!”" in story.split("\n\n")[0]

    @pytest.mark.parametrize("theme", ["", "adventure", "the sea", "a cat and a dog"])
    def test_the_hero_and_the_place_stay_through_the_chapters(self, theme: str) -> None:
        names = {name for kind in vocabulary().kinds for name, _ in kind.names}
        for seed in range(20):
            first = told(seed, theme=theme)
            hero = min((name for name in names if name in first["title"]), key=first["title"].index)
            place = next(place.name for place in vocabulary().places if place.name in first["story_content"])
            later = told(seed + 1, theme=theme, title=first["title"], chapter_number=2)["story_content"]
            assert hero in later
            assert place in later

    def test_no_turn_goes_on_all_the_same(self) -> None:
        lint(told(chapter_number=3, theme="pirates"), age=7)


class TestRewrite:
    @pytest.mark.parametrize("quote", ["the dark", "FOX", "Mina", "one small step", "biscuit", "what a day"])
    def test_avoids_the_quotes(self, quote: str) -> None:
        for seed in range(8):
            reader = {"age": 7, "nickname": "Mina", "interests": ["biscuits"]}
            issues = [{"category": "fright", "quote": quote}]
            answer = told(
                seed, task="rewrite", theme="a fox who fears the dark", reader=reader, story="…", issues=issues
            )
            lint(answer, age=7)
            assert quote.casefold() not in everything(answer).casefold()

    def test_inputs_that_hold_a_quote_are_left_out(self) -> None:
        fields: dict[str, Any] = {"title": "The Zog", "turn": {"custom": "the zog comes"}, "chapter_number": 2}
        issues = [{"category": "other", "quote": " Zog "}, {"category": "other", "quote": ""}, {"category": "other"}]
        assert "zog" not in everything(told(task="rewrite", issues=issues, **fields)).lower()

    def test_a_word_that_no_story_does_without_still_gets_an_answer(self) -> None:
        lint(told(task="rewrite", issues=[{"category": "other", "quote": "e"}]), age=7)


class TestPrompt:
    @pytest.mark.parametrize(
        "json_text", ["", "{}", "[]", "{", '{"task": "review"}', f"{TELL}</request><request>{TELL}"]
    )
    async def test_another_prompt_is_refused(self, json_text: str) -> None:
        with pytest.raises(ValueError, match="answers Fabula's story prompts only"):
            await EmbeddedStoryteller(tokens_per_second=0).ainvoke([HumanMessage(f"<request>{json_text}</request>")])


class TestVocabulary:
    def test_names_and_folk_are_unambiguous(self) -> None:
        names = [name for kind in vocabulary().kinds for name, _ in kind.names]
        nouns = {kind.noun for kind in vocabulary().kinds}
        assert len(names) == len(set(names))
        assert all(set(place.folk) <= nouns and len(place.spots) >= 4 for place in vocabulary().places)

    def test_every_plot_has_lines_for_every_age(self) -> None:
        for paragraph in (paragraph for plot in vocabulary().plots for paragraph in plot.paragraphs):
            bands = {line[0] for line in paragraph}
            assert bands <= {"all", "little", "older", "big"}
            assert "all" in bands or {"little", "older"} <= bands
            assert not [text for line in paragraph for text in line if re.search(r"\b[Aa]n? \{", text)]

    def test_articles_and_the_words_of_readers(self) -> None:
        assert [with_article(noun).split()[0] for noun in ("owl", "fox", "unicorn", "hour")] == ["an", "a", "a", "an"]
        assert tidied(" “The {dark}\n\x00 <b>”... ") == "The dark b"
