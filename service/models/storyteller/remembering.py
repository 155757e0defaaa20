"""The cast and the place of a tale as its bible has them, whoever wrote it."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.models.storyteller.english import with_article, words_of
from service.models.storyteller.theme import GENDERS
from service.models.storyteller.vocabulary import Kind, Place, Vocabulary

_FORMS = {"he": {"he", "him", "his", "himself"}, "she": {"she", "her", "hers", "herself"}}
# "A small fox who …", "the old clockmaker of …": the words up to where a clause begins.
_NOUN = re.compile(
    r"^(?:an?|the)\s+(?P<noun>[a-z][a-z'-]*(?:\s+[a-z][a-z'-]*){0,3}?)"
    r"(?=$|[,;:.()]|\s+(?:who|whose|that|which|with|without|from|of|in|on|at|by|near|called|named|and|is|has|loves|likes)\b)",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\s(?:of|on|in|at|by|near|under|behind|beside|above|where)\s", re.IGNORECASE)
_ANYWHERE = frozenset(
    ["in", "by"]
)  # prepositions that suit whatever is like the place: not so "on", of a hill or a cave
_DETERMINED = re.compile(r"^(?:an?|the|some|my|our|her|his|their)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """One character by name; `pronoun` is "he" or "she", `about` what a bible has said of the character."""

    name: str
    pronoun: str
    kind: Kind
    about: str = ""


def remembered(name: str, about: str, recent: Sequence[str], known: Vocabulary) -> Person:
    """The character of a bible. One whom the vocabulary does not know keeps the name and what is said of it."""
    own = next((kind for kind in known.kinds if name in dict(kind.names)), None)
    if own and (not about or own.noun in about):
        return Person(name, dict(own.names)[name], own, about)
    pronoun = _pronoun(name, about, recent)
    return Person(name, pronoun, _kind(about, name, pronoun, known), about)


def described(person: Person, friend_of: str) -> tuple[str, str]:
    """Name and description of a character, as `remembered` reads them; `friend_of` is empty for the hero."""
    if person.about or not person.kind.noun:
        return person.name, person.about
    trait = f"is {friend_of}'s friend" if friend_of else f"has {person.kind.look}"
    return person.name, f"{with_article(person.kind.noun)}; {person.pronoun} {trait}"


def remembered_place(name: str, known: Vocabulary) -> Place:
    """The place of a bible; one that the vocabulary does not know keeps its name, in surroundings that fit anywhere."""
    own = next((place for place in known.places if place.name.casefold() == name.casefold()), None)
    if own:
        return own
    words = set(words_of(_ASIDE.split(name)[0]))  # of "the mill on the hill", the mill
    like = next((place for place in known.places if words & set(place.words)), None)
    title = name if name[:1].isupper() else f"the {_DETERMINED.sub('', name)}"
    new = known.strangers
    if like:
        return like.model_copy(update={"name": title, "at": like.at if like.at in _ANYWHERE else new.at})
    return Place(name=title, at=new.at, words=(), folk=(), spots=new.spots, looks=new.looks)


def _kind(about: str, name: str, pronoun: str, known: Vocabulary) -> Kind:
    match = _NOUN.match(about)
    noun = " ".join(match["noun"].split()) if match else ""
    words = words_of(noun or about)
    if not noun and len(words) > 2:  # no noun, but what somebody likes or does
        words = ()
    like = next((kind for word in reversed(words) for kind in known.kinds if word in kind.words), None)
    if like:
        return like.model_copy(update={"noun": noun or like.noun})
    new = known.strangers
    return Kind(noun=noun, names=((name, pronoun),), look=new.look, go=new.go)


def _pronoun(name: str, about: str, recent: Sequence[str]) -> str:
    """From what is said of the character, else from the sentences that name it; at last by lot, always the same."""
    for word in words_of(about):
        if found := next((pronoun for pronoun, hints in GENDERS if word in hints | _FORMS[pronoun]), ""):
            return found
    sentences = [each for text in recent for each in re.split(r"[.!?…”]\s", text) if name in each]
    words = words_of(" ".join(sentences))
    he, she = (sum(word in _FORMS[pronoun] for word in words) for pronoun in ("he", "she"))
    if he != she:
        return "he" if he > she else "she"
    return random.Random(name).choice(("he", "she"))  # noqa: S311 - for variety only
