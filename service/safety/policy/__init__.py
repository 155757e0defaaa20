"""The policy: what must not reach a child of which age, in which language; data, one file a category.

How to add a phrase: write it into its category's file, inflected forms beside it, once for each language. A word that
is innocent in one sense stays out, or stands there with the words that make it another.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from service.errors import ConfigError
from service.safety.patterns import Pattern, compile_pattern
from service.safety.policy.rules import BANDS, EVERY_LANGUAGE, Band, ByLanguage, Category, duplicates, read_category
from service.safety.policy.topics import topic_phrases
from service.safety.screen import Screen, Severity

AVOID_TOPICS = "avoid_topics"
"""The category of what a reader's own list of topics finds."""

_ENGLISH = "en"
_OTHER_ALPHABETS = frozenset("ab ba be bg ce cv el kk ky mk mn os ru sr tg tt tyv udm uk".split())  # noqa: SIM905
"""Languages in whose own letters a reader could take one word for a Latin one."""


class Policy:
    """The rules of every category; makes a screen for a reader."""

    def __init__(self, categories: Iterable[Category], always: Mapping[str, Sequence[str]]) -> None:
        """`always` is blocked for every reader in every language, beside what the rules say."""
        self._always = always
        self._categories = tuple(sorted(categories, key=lambda each: each.category))
        self._rules = [(each.category, rule) for each in self._categories for rule in each.rules]
        self._languages = {str(language) for _, rule in self._rules for language in rule.phrases} - {EVERY_LANGUAGE}
        self._patterns = {
            written: compile_pattern(category, written) for category, rule in self._rules for written in rule.patterns
        }
        self._screen_of = cache(self._build)

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of all categories, sorted."""
        return tuple(each.category for each in self._categories)

    def screen(self, age: int, language: str, avoid_topics: Sequence[str] = ()) -> Screen:
        """The screen for a reader of this age in years, whose stories are told in this language, a BCP 47 tag.

        The topics are found as whole words, in one and in many. Screens without any are built once and kept.
        """
        screen = self._screen_of(_band(age), self._language(language), _is_latin(language))
        phrases = [phrase for topic in avoid_topics for phrase in topic_phrases(topic)]
        return screen.and_phrases(AVOID_TOPICS, phrases) if phrases else screen

    def _language(self, tag: str) -> str:
        primary = _primary(tag)
        return primary if primary in self._languages else _ENGLISH

    def _build(self, band: Band, language: str, latin: bool) -> Screen:
        phrases: dict[Severity, dict[str, list[str]]] = {each: {} for each in Severity}
        phrases[Severity.BLOCK] |= {category: list(each) for category, each in self._always.items()}
        allowed: list[str] = []
        patterns: list[Pattern] = []
        for category, rule in self._rules:
            if band in rule.for_bands:
                phrases[rule.severity].setdefault(category, []).extend(_of(rule.phrases, language))
                allowed += _of(rule.allow, language)
                patterns += (self._patterns[each] for each in rule.patterns)
        return Screen(
            phrases[Severity.BLOCK],
            patterns=patterns,
            cautions=phrases[Severity.CAUTION],
            allowed=allowed,
            latin=latin,
        )


def load_policy(always: Mapping[str, Sequence[str]] | None = None) -> Policy:
    """The packaged policy, and what is blocked beside it for everyone, by category.

    Raises ConfigError with all the faults of its files at once.
    """
    folder = resources.files("service.safety.policy")
    files = {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".yaml")}
    return parse_policy(files, always)


def parse_policy(files: Mapping[str, str], always: Mapping[str, Sequence[str]] | None = None) -> Policy:
    """The policy that these files hold, by name. Raises ConfigError with all their faults at once."""
    categories: dict[str, Category] = {}
    faults: list[str] = [] if files else ["service/safety/policy: there is no file"]
    for name, text in sorted(files.items()):
        category, of_file = read_category(name, text)
        faults += of_file
        if category:
            categories[name] = category
    faults += duplicates(categories)
    if faults:
        raise ConfigError(faults)
    return Policy(categories.values(), always or {})


def _of(by_language: ByLanguage, language: str) -> list[str]:
    # English always: whatever it is asked for, a model may fall into it.
    applying = {EVERY_LANGUAGE, _ENGLISH, language}
    return list(dict.fromkeys(each for key, phrases in by_language.items() if key in applying for each in phrases))


def _band(age: int) -> Band:
    return next((band for band in BANDS if age <= int(band.split("-")[1])), BANDS[-1])


def _primary(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].lower()


def _is_latin(tag: str) -> bool:
    subtags = {each.lower() for each in tag.replace("_", "-").split("-")}
    return "latn" in subtags or ("cyrl" not in subtags and _primary(tag) not in _OTHER_ALPHABETS)
