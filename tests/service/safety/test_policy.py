"""The packaged policy: what differs by age and language; and what a file of a policy must not say."""

import pytest

from service.errors import ConfigError
from service.safety.policy import AVOID_TOPICS, load_policy, parse_policy
from service.safety.screen import Screen, Severity
from tests.service.safety.packaged import files, phrases

POLICY = load_policy()
AGES = {"3-5": 4, "6-8": 7, "9-12": 10}
CATEGORIES = (
    "brand_pressure",
    "bullying",
    "cruelty",
    "dangerous_imitation",
    "fear",
    "hate",
    "personal_data",
    "self_harm",
    "sexual",
    "substances",
    "violence",
)
GOOD = "category: fear\ndescription: Fear.\nrules:\n  - severity: block\n    phrases:\n      en: [dark night]\n"


def _categories(screen: Screen, text: str) -> list[str]:
    return [each.category for each in screen.find(text)]


def test_the_categories_are_sorted() -> None:
    assert POLICY.categories == CATEGORIES


def test_every_phrase_is_found_in_each_band_and_language_that_it_is_for() -> None:
    missed = []
    for category, rule, language, phrase in phrases():
        for band in rule.for_bands:
            screen = POLICY.screen(AGES[band], "en" if language == "*" else language)
            text = f"Then {phrase} came."
            block = rule.severity is Severity.BLOCK
            found = screen.find(text) if block else screen.cautions(text)
            if not any(each.category == category and phrase in text[each.start : each.end] for each in found):
                missed += [(phrase, band, language)] * (not any(len(phrase) < each.end - each.start for each in found))
    assert missed == []


@pytest.mark.parametrize(
    ("text", "bands"),
    [
        ("The wolf killed the sheep.", ["3-5"]),
        ("There was blood on the snow.", ["3-5"]),
        ("The ghost ate the boy.", ["3-5"]),
        ("A dead body lay there.", ["3-5", "6-8"]),
        ("He shot him with an arrow.", ["3-5", "6-8"]),
        ("The pirate drank rum.", ["3-5", "6-8"]),
        ("The zombies came.", ["3-5"]),
        ("It was murder.", ["3-5", "6-8", "9-12"]),
        ("You are worthless!", ["3-5", "6-8", "9-12"]),
        ("Call 555-0199-22 now.", ["3-5", "6-8", "9-12"]),
        ("The dragon slept, and the witch baked bread.", []),
    ],
)
def test_what_is_blocked_differs_by_age(text: str, bands: list[str]) -> None:
    assert [band for band, age in AGES.items() if POLICY.screen(age, "en").find(text)] == bands


@pytest.mark.parametrize(("age", "same_as"), [(0, 3), (3, 5), (6, 8), (9, 12), (12, 99)])
def test_ages_of_a_band_and_beyond_share_a_screen(age: int, same_as: int) -> None:
    assert POLICY.screen(age, "en") is POLICY.screen(same_as, "en-GB")


@pytest.mark.parametrize("tag", ["de", "de-AT", "DE", "de_CH", "de-Latn-DE"])
def test_the_language_of_the_reader_decides(tag: str) -> None:
    screen = POLICY.screen(7, tag)
    assert _categories(screen, "Er wurde ermordet.") == ["violence"]
    assert _categories(screen, "Ein Glas Rum.") == ["substances"]
    assert _categories(screen, "Das Jahr ist rum.") == []
    assert _categories(screen, "Der Mann, den sie murder nannten.") == ["violence"]
    assert _categories(screen, "What the fuck.") == ["sexual"]


@pytest.mark.parametrize("tag", ["en", "en-US", "sv", "ja", "ru", "tlh"])
def test_english_is_for_english_and_for_languages_that_the_policy_does_not_know(tag: str) -> None:
    screen = POLICY.screen(7, tag)
    assert _categories(screen, "It was murder.") == ["violence"]
    assert _categories(screen, "Er wurde ermordet.") == []


def test_letters_that_look_latin_hide_nothing_and_russian_stays_russian() -> None:
    hidden = "It was murd\u0435r and s\u0435x and \u0455\u0435\u0445."
    assert _categories(POLICY.screen(7, "en"), hidden) == ["violence", "sexual", "sexual"]
    assert _categories(POLICY.screen(7, "ru"), hidden) == ["violence", "sexual"]


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("spiders", "A spider spun."),
        ("spider", "Two SPIDERS spun."),
        ("thunder storm", "thunder  storms came"),
        ("Fairies", "one fairy"),
        ("fairy", "all fairies"),
        ("foxes", "a fox"),
        ("wolf", "the wolves"),
        ("knives", "a knife"),
        ("Wölfe", "Die wölfe heulten."),
        ("пауки", "Тут Пауки."),
        ("蜘蛛", "大きな蜘蛛がいる"),
        ("मकड़ी", "एक मकड़ी थी"),
        ("“ghosts!”", "a ghost"),
        ("self-portrait", "a self portrait"),
        ("9/11", "on 9/11 it"),
        ("kill", "k1lls"),
    ],
)
def test_a_topic_is_found_in_one_and_in_many(topic: str, text: str) -> None:
    screen = POLICY.screen(10, "ru" if "П" in text else "en", ["", " ?! ", topic])
    assert AVOID_TOPICS in _categories(screen, text)


@pytest.mark.parametrize("topic", ["", " ", "…", "?!", "\u200b"])
def test_a_topic_without_letters_or_figures_is_ignored(topic: str) -> None:
    assert POLICY.screen(7, "en", [topic]) is POLICY.screen(7, "en")


@pytest.mark.parametrize(
    ("topic", "text"), [("ants", "giants and pants"), ("rat", "a rate, rather"), ("ass", "asses' class")]
)
def test_a_topic_is_a_whole_word(topic: str, text: str) -> None:
    found = POLICY.screen(10, "en", [topic]).find(text)
    assert [text[each.start : each.end] for each in found] == (["asses"] if topic == "ass" else [])


def test_cautions_are_told_to_the_review_alone() -> None:
    screen, text = POLICY.screen(4, "en"), "The monster was afraid of the scary ghost."
    assert screen.find(text) == []
    assert [each.category for each in screen.cautions(text)] == ["fear"] * 4


def test_phrases_of_our_own_are_blocked_as_well() -> None:
    screen = POLICY.screen(7, "en").and_phrases("prompt", ["you are a teller of stories", "Answer, in JSON only"])
    assert _categories(screen, "You are a teller of stories! It was murder. answer, in json only") == [
        "prompt",
        "violence",
        "prompt",
    ]
    assert _categories(POLICY.screen(7, "en"), "You are a teller of stories") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("You are an asshole.", ["bullying"]),
        ("I'll kick your ass!", ["bullying"]),
        ("It is your dick.", ["sexual"]),
        ("The donkey was an ass.", []),
        ("A tit sat on the branch; Moby Dick and Dick Whittington swam.", []),
        ("He was bored to death.", []),
        ("He was beaten to death.", ["violence"]),
        ("He was bored to death, beaten to death.", ["violence"]),
    ],
)
def test_a_word_is_judged_by_its_sense(text: str, found: list[str]) -> None:
    assert _categories(POLICY.screen(7, "en"), text) == found


@pytest.mark.parametrize(
    ("age", "language", "text"),
    [
        (6, "en", "Please don't play with matches."),
        (6, "en", "Mustn't we ask? You should never eat wild mushrooms, said the gnome."),
        (6, "en", "Do not eat toadstools, said the hedgehog."),
        (6, "en", "You shouldn't hide in the fridge, said the penguin."),
        (6, "en", "Don't jump off the roof, called the hen."),
        (6, "en", "The bee was drunk on sunshine."),
        (6, "en", "He cut himself on a thorn, and Ada fetched a plaster."),
        (6, "en", "The bat hung himself upside down from the beam."),
        (6, "en", "The drum scared me to death!"),
        (6, "en", "That owl frightened us to death, giggled the mice."),
        (6, "en", "I love you to death, said the bear."),
        (6, "en", "He stabbed the potato with his fork."),
        (6, "en", "The fire is about to die, so bring a log."),
        (6, "en", "The wind was going to die down by noon."),
        (6, "en", "Nobody loves you more than I do."),
        (6, "en", "No one likes you as much as your dog does."),
        (6, "en", "You are nothing like a wolf, said the lamb."),
        (6, "en", "You're nothing short of a marvel."),
        (6, "en", "I'll beat you up the hill!"),
        (6, "en", "The snail beat the children in the race."),
        (6, "en", "What a rum thing, said the walrus."),
        (6, "en", "A naked little bird sat in the nest."),
        (6, "en", '"But he is naked!" cried the child.'),
        (6, "en", "You prick your finger, and then you sleep a hundred years."),
        (6, "en", "The old man carried a bundle of faggots."),
        (6, "de", "Ich bringe dich um acht ins Bett."),
        (6, "de", "Ich bringe dich um die Ecke nach Hause."),
        (6, "de", "Niemand liebt dich mehr als ich."),
        (6, "de", "Niemand mag dich so wie ich."),
        (6, "de", "Halt den Mund auf, sagte der Zahnarzt."),
        (6, "de", "Na, du fette Henne, sagte der Hahn."),
        (6, "es", "Un cono de helado para la niña."),
    ],
)
def test_what_only_begins_like_a_phrase_passes(age: int, language: str, text: str) -> None:
    assert POLICY.screen(age, language).find(text) == []


@pytest.mark.parametrize(
    ("age", "language", "text"),
    [
        (7, "en", "Why not play with matches?"),
        (7, "en", "She stabbed at him."),
        (7, "en", "He shot him a second time."),
        (4, "en", "They froze to death."),
        (7, "en", "You are nothing. Nobody loves you."),
        (7, "en", "He cut himself on purpose."),
        (7, "de", "Ich bringe dich um!"),
        (4, "de", "Fahr zur Hölle!"),
        (7, "fr", "What the hell!"),
        (7, "es", "¡Coño!"),
        (7, "it", "Il suo pene."),
    ],
)
def test_what_is_allowed_hides_nothing_else(age: int, language: str, text: str) -> None:
    assert POLICY.screen(age, language).find(text) != []


def test_the_packaged_files_are_read_as_they_are() -> None:
    assert parse_policy(files()).categories == CATEGORIES


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rules: [", "fear.yaml: is no YAML: "),
        ("[]", "fear.yaml: : Input should be"),
        (GOOD + "colour: red\n", "fear.yaml: colour: Extra inputs are not permitted"),
        (GOOD.replace("severity: block", "severity: high"), "fear.yaml: rules.0.severity: Input should be"),
        (GOOD.replace("en:", "xx:"), "fear.yaml: rules.0.phrases.xx.[key]: Input should be"),
        (GOOD.replace("[dark night]", "[]"), "fear.yaml: rules.0.phrases.en: List should have at least 1 item"),
        (GOOD.replace("dark night", "x"), "fear.yaml: rules.0.phrases.en: 'x' has fewer than two letters"),
        (GOOD.replace("dark night", "oh! no"), "fear.yaml: rules.0.phrases.en: 'oh! no' has more in it than"),
        (GOOD.replace("dark night", "dark  night"), "fear.yaml: rules.0.phrases.en: 'dark  night' has white space"),
        (GOOD.replace("dark night", "dark night, Dark-Night"), "'dark night' stands there more than once for 3-5"),
        (GOOD.replace("category: fear", "category: hate"), "fear.yaml: category: is 'hate', not the name of the file"),
        (GOOD + "    until_age: 5\n    bands: ['3-5']\n", "fear.yaml: rules.0: has both until_age and bands"),
        (GOOD + "    until_age: 7\n", "fear.yaml: rules.0.until_age: Input should be 5, 8 or 12"),
        (GOOD + "    patterns: ['(']\n", "fear.yaml: rules.0.patterns.0: is no regular expression: "),
        (GOOD + "    patterns: ['\\w+']\n", "fear.yaml: rules.0.patterns.0: may begin at a letter"),
        (GOOD + "    allow:\n      en: [bright day]\n", "fear.yaml: rules.0.allow.en: 'bright day' contains none"),
    ],
)
def test_a_fault_is_told_with_its_file_and_key(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_policy({"fear.yaml": text})
    assert fault in str(raised.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_policy({"fear.yaml": GOOD + "colour: red\n", "hate.yaml": GOOD})
    assert "fear.yaml: colour" in str(raised.value)
    assert "hate.yaml: category" in str(raised.value)


def test_a_policy_without_files_is_none() -> None:
    with pytest.raises(ConfigError):
        parse_policy({})
