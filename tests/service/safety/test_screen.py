"""What the word screen finds, and what it lets pass."""

from importlib import resources

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from service.safety.screen import Finding, Screen, load_screen

SCREEN = load_screen()
_PACKAGED = resources.files("service.safety") / "policy" / "blocked.yaml"
POLICY: dict[str, list[str]] = yaml.safe_load(_PACKAGED.read_text(encoding="utf-8"))
PHRASES = [(category, phrase) for category, phrases in POLICY.items() for phrase in phrases]
ZERO_WIDTH = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\ufe0f", "\u0000", "\u3164"]

INNOCENT = """
The lion was assisting the tired mouse.
Grandfather read Moby Dick to the twins.
They took the train to Essex and on to Scunthorpe.
It was a classic tale of a grape and a raisin.
A skilled baker kneaded the dough.
The analysis of the assassin bug took Ada all day.
Bob the raccoon shot up the tree to see the stars.
The killer whale sang a low song to her calf.
The method worked: something grew in the pot.
Our heroine put on her red boots.
The rapeseed field shone like gold.
They used a sextant to find the island.
Sussex and Middlesex are full of hedgehogs.
The denuded tree had lost its last leaf.
The butterfly skirted the shitake... no, the shiitake mushrooms.
The pistil of the flower was yellow as butter.
Gregory the gorilla gorged on bananas.
The gorge was deep, and the echo was friendly.
The child dug a den in the snow.
A bee stung the cake, not the cook.
The robin pecked at the crumbs.
He was dead tired and fell asleep at once.
The battery was dead, so the robot took a nap.
The knight laid down the wooden sword.
Kit shot the ball into the basket.
"Don't be scared," whispered the owl.
The dragon had a cold and sneezed confetti.
Mother cut the apple into eight pieces.
She cut the ribbon, and everyone cheered.
He cut a star out of gold paper.
The cat killed time by counting clouds.
The wolf was hungry, but he only wanted soup.
Matches and candles are for grown-ups.
They played a match of football after school.
The bag went over her shoulder.
Put your hat over your ears, it is cold.
The fork and the spoon danced on the table.
She drank her milk to the last drop.
Grandmother takes her pills with tea.
The weed in the garden had a pretty flower.
Smoke rose from the chimney of the little house.
The nobles loved the parade.
Nobody knew where the key was. Everyone loves you, said the bear.
Your drawing is worth more than gold.
You are wonderful, said the moon.
The retarding wind slowed the kite.
The penguin slid on its belly.
The peninsula lies in the warm sea.
The vagabond dog found a home.
An orange organ played by the sea.
The hoarse horse asked for honey.
Wholesome food makes a strong badger.
The slate roof glittered in the rain.
The bath was full of bubbles.
The twins spread a blanket on the grass.
Luca stabled the pony for the night.
The strange lad waved from the boat.
The mast was tall, and the sail was blue.
The tortoise won the race again.
A tortilla is round and warm.
A whisk, some eggs, and the pancakes were done.
The drunk-looking bumblebee was only dizzy from dancing.
The hangar was full of tiny aeroplanes.
The mermaid shared her pearls with the crab.
Rifling is what Pip called leafing through books quickly.
The terrier barked at the thunder.
Fear not, said the tree, the storm will pass.
The last page of the book was missing.
Mia was sad, and that was all right.
He counted: one, two, three, and jumped into the lake.
""".strip().splitlines()


def _found(text: str) -> list[str]:
    return [text[each.start : each.end] for each in SCREEN.find(text)]


@pytest.mark.parametrize("sentence", INNOCENT)
def test_an_innocent_sentence_passes(sentence: str) -> None:
    assert SCREEN.find(sentence) == []


def test_there_are_innocent_sentences_enough() -> None:
    assert len(set(INNOCENT)) >= 60


@pytest.mark.parametrize(("category", "phrase"), PHRASES)
def test_every_phrase_of_the_policy_is_found_in_a_sentence(category: str, phrase: str) -> None:
    for text in (f"Then {phrase} came.", f"“{phrase.upper()}!”", phrase, f"…{phrase.title()}…"):
        start = text.lower().index(phrase)
        assert SCREEN.find(text) == [Finding(category, start, start + len(phrase))]


@pytest.mark.parametrize(
    "space", ["\n", "  ", "\t", " \n ", "\r\n", "\u00a0", "\u2009\u3000", "\u2028", " \u200b \u200b"]
)
def test_white_space_and_one_line_break_do_not_hide_a_phrase(space: str) -> None:
    phrase = space.join(["you", "are", "worthless"])
    assert _found(f"He said {phrase}, and left.") == [phrase]


def test_a_new_paragraph_is_never_within_a_phrase() -> None:
    assert _found("Where is the way to\n\ndeath Valley?") == []
    assert _found("to \n \u200b\n death") == []


@pytest.mark.parametrize("unseen", ZERO_WIDTH)
def test_characters_that_nobody_sees_do_not_hide_a_phrase(unseen: str) -> None:
    hidden = unseen.join("murder")
    assert _found(f"a {hidden} b") == [hidden]


@pytest.mark.parametrize(
    "written",
    [
        "ＭＵＲＤＥＲ",
        "𝐦𝐮𝐫𝐝𝐞𝐫",
        "ⓜⓤⓡⓓⓔⓡ",
        "MuRdEr",
        "self\u2011harm",
        "self\u2010harm",
        "self\ufe63harm",
        "Naﾠzi",
        "ﬂ ﬀ ſuicide",
    ],
)
def test_other_forms_of_the_letters_do_not_hide_a_phrase(written: str) -> None:
    assert len(_found(f"It was {written}.")) == 1


@pytest.mark.parametrize("text", ["xmurder", "murderx", "murder2", "_murder", "Émurder", "murderß", "sexy1"])
def test_a_phrase_is_found_as_whole_words_only(text: str) -> None:
    assert SCREEN.find(text) == []


def test_of_two_phrases_that_begin_alike_the_longer_one_is_found() -> None:
    screen = Screen({"short": ["a b"], "long": ["a b c"]})
    assert [each.category for each in screen.find("a b c. a b.")] == ["long", "short"]


@settings(deadline=None, max_examples=300)
@given(
    before=st.text(st.sampled_from("ﬃﷺ½ßŉ…\u200b\u00ad e\u0301狐😀İ"), max_size=8),
    after=st.text(st.sampled_from("ﬃﷺ…\u200b 狐😀İ"), max_size=8),
    phrase=st.sampled_from(["murder", "mur\u200bder", "ﬁ ſex", "you \u00ad are worthleß"]),
)
def test_a_finding_stands_at_the_characters_of_the_text_as_written(before: str, after: str, phrase: str) -> None:
    text = f"{before} {phrase} {after}"
    assert _found(text)[0] in {"murder", "mur\u200bder", "ſex", "you \u00ad are worthleß"}
    assert len(_found(text)) == 1


def test_a_character_that_stands_for_several_is_found_whole() -> None:
    assert _found("the oﬃce, a ﷺ and a ﬆabbing") == ["ﬆabbing"]
    assert Screen({"c": ["office"]}).find("ﬃ oﬃce") == [Finding("c", 2, 6)]
    assert Screen({"c": ["f", "fi"]}).find("ﬁ") == [Finding("c", 0, 1)]


@pytest.mark.parametrize("text", ["murder", "a murder", "to death\u200b"])
def test_a_phrase_at_the_end_is_no_finding_while_its_last_word_may_grow(text: str) -> None:
    assert SCREEN.find(text, ended=False) == []
    assert len(SCREEN.find(text)) == 1
    assert len(SCREEN.find(text + "!", ended=False)) == 1


@settings(deadline=None, max_examples=400)
@given(
    text=st.lists(st.sampled_from(["to", "death", " ", " ", "\n", "\u200b", ".", "…", "a", "bag", "´", "½", "-"])).map(
        "".join
    ),
    more=st.lists(st.sampled_from(["to", "death", "you", " are", " worthless", " ", "\u200b"])).map("".join),
)
def test_what_follows_completes_no_phrase_that_begins_in_settled_text(text: str, more: str) -> None:
    settled = SCREEN.settled(text)
    assert settled < len(text) or text == ""
    known = {(each.start, each.end) for each in SCREEN.find(text, ended=False)}
    late = {(each.start, each.end) for each in SCREEN.find(text + more)} - known
    assert all(start >= settled for start, _ in late)
