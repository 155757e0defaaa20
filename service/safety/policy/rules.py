"""The files of the policy: what one must say, and every fault that a file or all of them together can have."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.safety.normal import folded
from service.safety.patterns import compile_pattern
from service.safety.screen import Screen, Severity

Band = Literal["3-5", "6-8", "9-12"]
Language = Literal["*", "en", "de", "fr", "es", "it", "pl"]
ByLanguage = dict[Language, Annotated[list[str], Field(min_length=1)]]

BANDS: tuple[Band, ...] = ("3-5", "6-8", "9-12")
EVERY_LANGUAGE: Language = "*"
# Where libyaml is there: the files take a quarter of a second without it. Both make plain data alone.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNTIL: Mapping[int, tuple[Band, ...]] = {5: BANDS[:1], 8: BANDS[:2], 12: BANDS}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Model):
    """What is found for readers of these ages, and what the finding leads to."""

    severity: Severity
    until_age: Literal[5, 8, 12] | None = None
    bands: Annotated[tuple[Band, ...], Field(min_length=1)] | None = None
    phrases: ByLanguage = {}
    patterns: list[str] = []
    allow: ByLanguage = {}

    @property
    def for_bands(self) -> tuple[Band, ...]:
        """The bands that the rule is for; all of them, unless it says otherwise."""
        return self.bands or _UNTIL[self.until_age or 12]


class Category(_Model):
    """One file."""

    category: Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")]
    description: Annotated[str, Field(min_length=1, pattern=r"^[^\n]+$")]
    rules: Annotated[list[Rule], Field(min_length=1)]


def read_category(name: str, text: str) -> tuple[Category | None, list[str]]:
    """The category that a file holds, or its faults, each with the file's name and the key."""
    try:
        category = Category.model_validate(yaml.load(text, Loader=_LOADER))  # noqa: S506
    except yaml.YAMLError as error:
        return None, [f"{name}: is no YAML: {' '.join(str(error).split())}"]
    except ValidationError as error:
        return None, [f"{name}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    faults = [f"{name}: {fault}" for fault in _faults(category)]
    if category.category != name.removesuffix(".yaml"):
        faults.append(f"{name}: category: is {category.category!r}, not the name of the file")
    return category, faults


def duplicates(categories: Mapping[str, Category]) -> list[str]:
    """The phrases that more than one rule of a band and language names, with the files that do."""
    named: dict[tuple[str, str, str], list[str]] = {}
    for name, category in categories.items():
        for rule, language, phrase in _phrases(category):
            for band in rule.for_bands:
                named.setdefault((band, language, _form(phrase)), []).append(name)
    faults = []
    for (of_band, of_language, form), names in named.items():
        elsewhere = named.get((of_band, EVERY_LANGUAGE, form), []) if of_language != EVERY_LANGUAGE else []
        every = [*names, *elsewhere]
        if len(every) > 1:
            files = ", ".join(f"{name} ({count})" for name, count in Counter(every).items())
            faults.append(f"{files}: phrases.{of_language}: {form!r} stands there more than once for {of_band}")
    return faults


def _faults(category: Category) -> Iterator[str]:
    for index, rule in enumerate(category.rules):
        key = f"rules.{index}"
        if rule.until_age is not None and rule.bands is not None:
            yield f"{key}: has both until_age and bands; keep one"
        if not rule.phrases and not rule.patterns:
            yield f"{key}: has neither phrases nor patterns"
        if rule.patterns and rule.severity is not Severity.BLOCK:
            yield f"{key}.patterns: patterns are always of severity block"
        yield from (f"{key}.{fault}" for fault in _pattern_faults(category.category, rule))
        yield from (f"{key}.{fault}" for fault in _phrase_faults(rule))
        yield from (f"{key}.{fault}" for fault in _allow_faults(category, rule))


def _pattern_faults(category: str, rule: Rule) -> Iterator[str]:
    for index, pattern in enumerate(rule.patterns):
        try:
            compile_pattern(category, pattern)
        except ValueError as error:
            yield f"patterns.{index}: {error}"


def _phrase_faults(rule: Rule) -> Iterator[str]:
    for key, by_language in (("phrases", rule.phrases), ("allow", rule.allow)):
        for language, phrases in by_language.items():
            for phrase in phrases:
                if fault := _phrase_fault(phrase):
                    yield f"{key}.{language}: {phrase!r} {fault}"


def _phrase_fault(phrase: str) -> str | None:
    if sum(map(str.isalpha, phrase)) < 2:
        return "has fewer than two letters"
    if not all(each.isalnum() or each in " '-" for each in folded(phrase)[0]):
        return "has more in it than letters, figures, spaces, hyphens and apostrophes"
    if phrase != " ".join(phrase.split()) or not (phrase[0].isalnum() and phrase[-1].isalnum()):
        return "has white space or signs too many"
    return None


def _allow_faults(category: Category, rule: Rule) -> Iterator[str]:
    for language, phrases in rule.allow.items():
        applying = {language, EVERY_LANGUAGE, "en"}
        found = [phrase for _, of, phrase in _phrases(category) if of in applying]
        screen = Screen({category.category: found})
        for phrase in phrases:
            if not screen.find(phrase):
                yield f"allow.{language}: {phrase!r} contains none of the category's phrases"


def _phrases(category: Category) -> Iterator[tuple[Rule, Language, str]]:
    for rule in category.rules:
        for language, phrases in rule.phrases.items():
            for phrase in phrases:
                yield rule, language, phrase


def _form(phrase: str) -> str:
    return " ".join(folded(phrase)[0].replace("-", " ").split())
