"""Reading a theme: which characters, place, thing and plot it asks for, and how it may be mentioned."""

import itertools
import re
from dataclasses import dataclass, field

from service.models.storyteller.english import capitalised, clipped, tidied, words_of
from service.models.storyteller.vocabulary import Kind, Place, Thing, Vocabulary

_ASKING = re.compile(
    r"^(?:please\s+)?(?:(?:tell|read|write|make)(?:\s+(?:me|us))?\s+)?(?:an?\s+|the\s+)?(?:\w+\s+)?(?:story|tale)\s+"
    r"(?:about|of|with)\s+",
    re.IGNORECASE,
)
_CHARACTER = re.compile(
    r"^(?:a|an|the)\s+(?P<who>[a-z][a-z -]{1,40}?)\s+"
    r"(?:(?:who|that)\s+(?P<clause>.+)|(?:called|named)\s+(?P<name>\w+).*)$",
    re.IGNORECASE,
)
_FEAR = re.compile(r"^(?:fears?|feared|(?:is|was)\s+(?:afraid|scared|frightened)\s+of)\s+(?P<what>.+)$", re.IGNORECASE)
_WISH = re.compile(
    r"^(?:(?:wants?|wanted|wishes|wished|longs?|hopes?|learns?|learned|tries|dreams?)\s+(?:how\s+)?to|"
    r"can't|cannot|can\s+not|couldn't|could\s+not)\s+(?P<what>.+)$",
    re.IGNORECASE,
)
_DREAM = re.compile(r"^(?:dreams?|dreamed)\s+(?:of|about)\s", re.IGNORECASE)
_PLAIN = re.compile(r"^[A-Za-z][A-Za-z' -]{0,59}$")
_POSSESSIVES = re.compile(r"^(?:(?:his|her|its|their|the|a|an|my)\s+)+", re.IGNORECASE)
GENDERS = (("he", {"he", "his", "him", "boy", "prince", "king"}), ("she", {"she", "her", "girl", "princess", "queen"}))


@dataclass(frozen=True, slots=True)
class Theme:
    """What was understood of a theme.

    `phrase` is the theme as it may be mentioned: within quotation marks when `quoted`, after "a story about" otherwise.
    `spark` holds the slots the theme itself fills ("the_fear", "wish", "question"). `name` and `pronoun` are those the
    theme gave its hero, and `stranger` is the noun of a hero the vocabulary does not know.
    """

    phrase: str = ""
    quoted: bool = False
    words: frozenset[str] = frozenset()
    hero: Kind | None = None
    friend: Kind | None = None
    place: Place | None = None
    thing: Thing | None = None
    plots: tuple[str, ...] = ()
    spark: dict[str, str] = field(default_factory=dict)
    stranger: str = ""
    name: str = ""
    pronoun: str = ""
    epithet: str = ""


def read_theme(text: str, known: Vocabulary) -> Theme:
    """Parses a theme of any language; one that is not understood becomes a phrase to be quoted."""
    phrase = tidied(_ASKING.sub("", text.strip()))
    words = words_of(phrase)
    kinds: tuple[Kind | None, ...] = _kinds(words, known)
    character = _CHARACTER.match(phrase)
    spark, plots = _plots(phrase, words, character, known)
    who = words_of(character["who"]) if character else ()
    if _is_helped(words, kinds, plots, known):
        kinds = (None, *kinds)
    return Theme(
        phrase=_mention(phrase, words, known),
        quoted=not _is_noun_phrase(phrase, words, known),
        words=frozenset(words),
        hero=kinds[0] if kinds else None,
        friend=kinds[1] if len(kinds) > 1 else None,
        place=next((place for place in known.places if set(words) & set(place.words)), None),
        thing=next((thing for word in words for thing in known.things if word in thing.words), None),
        plots=plots,
        spark=spark,
        stranger=who[-1] if who and not _kinds(who, known) else "",
        name=capitalised(character["name"]) if character and character["name"] else "",
        pronoun=next((pronoun for pronoun, hints in GENDERS if hints & set(words)), ""),
        epithet=_epithet(character, plots),
    )


def _kinds(words: tuple[str, ...], known: Vocabulary) -> tuple[Kind, ...]:
    found: list[Kind] = []
    for index, word in enumerate(words):
        if found and index and f"{words[index - 1]} {word}" == found[-1].noun:
            continue
        found.extend(kind for kind in known.kinds if word in kind.words and kind not in found)
    return tuple(found)


def _is_helped(
    words: tuple[str, ...], kinds: tuple[Kind | None, ...], plots: tuple[str, ...], known: Vocabulary
) -> bool:
    """Whether the only character is the one to be helped, as in "helping a giant"."""
    alone = kinds[0] if len(kinds) == 1 else None
    return bool(alone and alone.big and "small_helps_big" in plots and words[0] not in known.words.determiners)


def _plots(
    phrase: str, words: tuple[str, ...], character: re.Match[str] | None, known: Vocabulary
) -> tuple[dict[str, str], tuple[str, ...]]:
    if _is_question(words, known):
        return {"question": capitalised(phrase.rstrip("? ")) + "?"}, ("question",)
    clause = (character["clause"] if character else "") or ""
    if fear := _FEAR.match(clause):
        what = fear["what"].strip()
        return {"the_fear": what, "fear": _POSSESSIVES.sub("", what)}, ("fear",)
    if _DREAM.match(clause):
        return {}, ("wish",)
    if wish := _WISH.match(clause):
        what = wish["what"].strip()
        return ({"wish": what}, ("wish",)) if words_of(what) != ("sleep",) else ({}, ("night",))
    wanted = {plot.name for plot in known.plots if set(words) & set(plot.words)}
    if "lost" in wanted and not any(set(words) & set(thing.words) for thing in known.things) and _kinds(words, known):
        wanted = wanted - {"lost"} | {"journey"}  # somebody is lost, not something
    return {}, tuple(plot.name for plot in known.plots if plot.name in wanted)


def _is_question(words: tuple[str, ...], known: Vocabulary) -> bool:
    return len(words) > 2 and words[0] in known.words.questioners and words[1] in known.words.auxiliaries


def _is_noun_phrase(phrase: str, words: tuple[str, ...], known: Vocabulary) -> bool:
    """Whether "a story about" can stand before the phrase. In doubt it cannot: quotation marks are never wrong."""
    if not words or not _PLAIN.match(phrase) or _is_question(words, known):
        return False
    if _CHARACTER.match(phrase):
        return True
    unknown = [word for word in words if not _is_known(word, known)]
    if _has_verb(words, known) or len(unknown) > 1:
        return False
    gerund = words[0].endswith("ing") and len(words[0]) > 5 and len(words) < 5
    return not unknown or gerund or words[0] in known.words.determiners


def _has_verb(words: tuple[str, ...], known: Vocabulary) -> bool:
    """Whether the phrase seems to be a sentence: a verb follows a character, or ends it, as in "a baby laughs"."""
    characters = {word for kind in known.kinds for word in kind.words}
    follows = any(
        before in characters and word not in characters | known.words.ordinary
        for before, word in itertools.pairwise(words)
    )
    ends = words[0] in ("a", "an") and words[-1].endswith("s") and not words[-1].endswith("ss")
    return follows or (ends and not _is_known(words[-1], known))


def _is_known(word: str, known: Vocabulary) -> bool:
    return word in known.words.ordinary | known.words.determiners or any(
        word in entry.words for entries in (known.kinds, known.places, known.things, known.plots) for entry in entries
    )


def _mention(phrase: str, words: tuple[str, ...], known: Vocabulary) -> str:
    phrase = clipped(phrase)
    if not words or phrase.isupper():
        return phrase
    if _is_noun_phrase(phrase, words, known):
        return phrase[:1].lower() + phrase[1:]
    return phrase


def _epithet(character: re.Match[str] | None, plots: tuple[str, ...]) -> str:
    # What a plot is going to tell must not be said of the hero beforehand.
    if not character or not character["clause"] or plots or len(character[0]) > 60:
        return ""
    return f"the {character['who']} who {character['clause']}"
