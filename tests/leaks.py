"""What must never come out: `find_leak` for all that a test logged, `find_unfit` for what readers get to see."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from importlib import resources
from typing import Any

import yaml
from google.protobuf.message import Message

from service.workflows.story import prompts
from tests.ollama_server import STORY
from tests.stories import TEXT, UNFIT

NICKNAME = "Robin"
"""Of the child that every fresh store holds; looked for as a whole word, in its own case."""

STORY_WORDS, PROMPT_WORDS = 4, 6
"""How many words in a row are no chance."""

MAIL = ("kim@post.example.org", "robin.fox@example.com", "fox@example.co.uk")
TELEPHONES = ("+44 20 7946 0958", "555-867-5309", "+1 (555) 867-5309", "030 1234567")
LINKS = ("https://fox.example.com/free", "www.fox-stories.com", "fox-stories.net")
ADDRESSES = ("12 Baker Street", "Lindenstraße 12", "3 rue de la Paix", "Calle Mayor 7", "ul. Leśna 5")

_OUR_WORDS = {"fabula.story.v1.SafetyIssue.category", "fabula.story.v1.SafetyIssue.explanation"}

Run = tuple[str, ...]

_NICKNAME = re.compile(rf"(?<!\w){NICKNAME}(?!\w)")
_WORD = re.compile(r"\w+(?:-\w+)*")
_PLACE_TO_FILL = re.compile(r"\{\w+\}")
# Python's and JSON's, also one within the other: what looks like a letter there is none.
_ESCAPED = re.compile(r"\\+(?:u(?P<code>[0-9a-fA-F]{4})|x[0-9a-fA-F]{2}|[abfnrtv0\"/])")
_CONTACT = re.compile(r"[\w.]@\w[\w-]*\.\w|https?://|www\.\w|stories\.net|(?:\d[ ()/.-]*){7}")
_APOSTROPHE = re.compile(r"\\*['’]")


def canaries() -> list[str]:
    """All that is looked for: the nickname, and runs of words in lower case with one blank between."""
    return [NICKNAME, *(" ".join(run) for run in sorted(story_runs() | prompt_runs()))]


def find_leak(log_text: str) -> str | None:
    """The first of the canaries that the text holds, however it is escaped, cut into lines or punctuated."""
    if _NICKNAME.search(log_text):
        return NICKNAME
    words = words_of(_ESCAPED.sub(_unescaped, log_text))
    return first_run(words, story_runs(), STORY_WORDS) or first_run(words, prompt_runs(), PROMPT_WORDS)


def find_unfit(text: str, language: str) -> str | None:
    """What of a text may not reach a child of seven: words of a prompt, a blocked phrase, a way to reach somebody."""
    words = words_of(text)
    found = first_run(words, prompt_runs(), PROMPT_WORDS)
    for size, runs in _blocked_runs(language).items():
        found = found or first_run(words, runs, size)
    contact = _CONTACT.search(text)
    return found or (contact and contact[0]) or next((each for each in ADDRESSES if each in text), None)


@cache
def blocked_phrases(language: str) -> Sequence[str]:
    """What the packaged policy blocks for a child of seven in this language, read without the policy's own code."""
    binding = [
        rule.get("phrases", {})
        for rule in _rules()
        if rule["severity"] == "block" and "6-8" in rule.get("bands", ["6-8"]) and rule.get("until_age", 12) >= 8
    ]
    return sorted(phrase for phrases in binding for key in ("*", language) for phrase in phrases.get(key, []))


def texts(message: Message) -> Iterator[str]:
    """Every text of a message and of those within it, but for ids and the names of categories."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Message):
                yield from texts(each)
            elif isinstance(each, str) and not field.name.endswith("id") and field.full_name not in _OUR_WORDS:
                yield each


def words_of(text: str) -> list[str]:
    """The words as they are compared: in lower case, without punctuation and apostrophes."""
    return _WORD.findall(_APOSTROPHE.sub("", text).casefold())


def runs_of(text: str, size: int) -> Iterator[Run]:
    """Every run of so many words that stand together."""
    return _runs(words_of(text), size)


def first_run(words: list[str], wanted: Set[Run], size: int) -> str | None:
    """The first of the wanted runs, all of this size, among the words."""
    return next((" ".join(run) for run in _runs(words, size) if run in wanted), None)


@cache
def story_runs() -> frozenset[Run]:
    """Of what the scripted models tell: also the unfit phrase in its sentence."""
    return frozenset(run for text in (TEXT, UNFIT, STORY) for run in runs_of(text, STORY_WORDS))


@cache
def prompt_runs() -> frozenset[Run]:
    """Of every prompt file, whatever punctuation or line break stands between its words."""
    files = [file for file in resources.files(prompts.__package__).iterdir() if file.name.endswith(".md")]
    parts = [part for file in files for part in _PLACE_TO_FILL.split(file.read_text(encoding="utf-8"))]
    return frozenset(run for part in parts for run in runs_of(part, PROMPT_WORDS))


@cache
def _rules() -> Sequence[Mapping[str, Any]]:
    files = [each for each in resources.files("service.safety.policy").iterdir() if each.name.endswith(".yaml")]
    return [rule for file in files for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["rules"]]


@cache
def _blocked_runs(language: str) -> Mapping[int, frozenset[Run]]:
    runs = [tuple(words_of(phrase)) for phrase in blocked_phrases(language)]
    return {size: frozenset(run for run in runs if len(run) == size) for size in set(map(len, runs))}


def _runs(words: list[str], size: int) -> Iterator[Run]:
    return zip(*(words[start:] for start in range(size)), strict=False)


def _unescaped(match: re.Match[str]) -> str:
    code = match["code"]
    return chr(int(code, 16)) if code else " "
