"""The files of the packaged policy, and the phrases in them."""

from collections.abc import Iterator
from functools import cache
from importlib import resources

from service.safety.policy.rules import Category, Rule, read_category
from service.safety.screen import Severity


def files() -> dict[str, str]:
    """The text of each file, by its name."""
    folder = resources.files("service.safety.policy")
    return {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".yaml")}


@cache
def packaged() -> tuple[Category, ...]:
    """The categories."""
    read = [read_category(name, text)[0] for name, text in sorted(files().items())]
    return tuple(each for each in read if each)


def phrases() -> Iterator[tuple[str, Rule, str, str]]:
    """Category, rule, language and phrase of each phrase."""
    for category in packaged():
        for rule in category.rules:
            for language, each in rule.phrases.items():
                yield from ((category.category, rule, language, phrase) for phrase in each)


def blocked_phrases(language: str) -> list[str]:
    """The phrases of this language that are blocked for the youngest, in the order of the files."""
    return [
        phrase
        for _, rule, of, phrase in phrases()
        if of == language and rule.severity is Severity.BLOCK and "3-5" in rule.for_bands
    ]
