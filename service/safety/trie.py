"""The automaton of the screen: a trie of phrases, word by word, walked from each place at which a word begins.

Matches begin and end where words do, so no walk needs to fall back on another one: where it ends, it is over.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from service.safety.spelling import spelt
from service.safety.words import gap, readings, words

SPELT_LETTERS = 3
"""A shorter phrase is not looked for letter by letter: "o k" are initials more often than not."""


class Phrase(NamedTuple):
    """A phrase in folded form, the category that it belongs to, and whether it is one of the allowed ones."""

    plain: str
    category: str
    allowed: bool = False
    latin: bool = True  # all of its letters are
    firm: bool = False  # no allowed phrase silences it


class Match(NamedTuple):
    """A phrase in folded text, [start, end)."""

    start: int
    end: int
    phrase: Phrase


class _Node:
    __slots__ = ("beginnings", "children", "ends")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}  # by what stands before the next word, and that word
        self.beginnings: set[str] = set()  # of the children's keys, which are among them
        self.ends: list[Phrase] = []

    def child(self, key: str) -> "_Node":
        if key not in self.children:
            self.children[key] = _Node()
            self.beginnings.update(key[:end] for end in range(len(key) + 1))
        return self.children[key]


class Trie:
    """Finds phrases in folded text."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._root = _Node()
        self._spelt: dict[str, list[Phrase]] = {}
        self._spelt_beginnings: set[str] = set()
        for phrase in phrases:
            self._add(phrase)

    def _add(self, phrase: Phrase) -> None:
        node = self._root
        for key in _keys(phrase.plain):
            node = node.child(key)
        node.ends.append(phrase)
        letters = "".join(filter(str.isalnum, phrase.plain))
        if len(letters) >= SPELT_LETTERS and not phrase.allowed:
            self._spelt.setdefault(letters, []).append(phrase)
            self._spelt_beginnings.update(letters[:end] for end in range(1, len(letters) + 1))

    def scan(self, plain: str, begin: int, *, ended: bool) -> tuple[list[Match], int]:
        """The longest match of each kind at each place, and the first place at which there may yet be one.

        Unless the text has ended, that is where a phrase begins which what follows could complete, or make another
        one of: the text's length when there is none. Matches from there on are not told.
        """
        found: list[Match] = []
        size, children = len(plain), self._root.children
        entries = words(plain, begin)
        for index, (start, word) in enumerate(entries, start=1):
            if word and start + len(word) == size and not ended and word in self._root.beginnings:
                return found, start
            if len(word) > 1 and word not in children:
                continue
            if word and index < len(entries) and self._leads_nowhere(plain, word, start + len(word), entries[index]):
                continue
            walk = _Walk(plain, start, ended=ended)
            walk.words(self._root, start, "")
            walk.letters(self._spelt, self._spelt_beginnings)
            if walk.open:
                return found, start
            found += walk.longest()
        return found, len(plain)

    def _leads_nowhere(self, plain: str, word: str, end: int, following: tuple[int, str]) -> bool:
        """Whether it is plain to see that no match begins here: nearly always, and a walk costs ten times as much."""
        node = self._root.children.get(word)
        after, next_word = following
        if len(next_word) < 2:
            return False
        if node is None:
            return True
        return not node.ends and plain[end:after] == " " and " " + next_word not in node.beginnings


class _Walk:
    """All ways through the trie from one place."""

    def __init__(self, plain: str, start: int, *, ended: bool) -> None:
        self._plain = plain
        self._start = start
        self._ended = ended
        self._matches: list[Match] = []
        self.open = False

    def longest(self) -> Iterator[Match]:
        for allowed in (False, True):
            each = [match for match in self._matches if match.phrase.allowed == allowed]
            if each:
                yield max(each, key=lambda match: match.end)

    def words(self, node: _Node, at: int, before: str) -> None:
        for word, end, whole in readings(self._plain, at):
            key = before + word
            if end == len(self._plain) and not self._ended and key in node.beginnings:
                self.open = True
            if whole and (child := node.children.get(key)):
                self._matches += (Match(self._start, end, phrase) for phrase in child.ends)
                if child.children:
                    self._go_on(child, end)

    def _go_on(self, node: _Node, end: int) -> None:
        between, after = gap(self._plain, end)
        if after < len(self._plain):
            if between in node.beginnings:
                self.words(node, after, between)
        elif not self._ended and not node.beginnings.isdisjoint((between, self._plain[end:])):
            self.open = True

    def letters(self, phrases: dict[str, list[Phrase]], beginnings: set[str]) -> None:
        for spelling in spelt(self._plain, self._start, beginnings, ended=self._ended):
            if spelling.open:
                self.open = True
            else:
                ending = phrases.get(spelling.letters, [])
                self._matches += (Match(self._start, spelling.end, phrase) for phrase in ending)


def _keys(plain: str) -> Iterator[str]:
    """The phrase word by word, each with what stands before it."""
    at, before = gap(plain, 0)[1], ""
    while at < len(plain):
        word, end, _ = next(readings(plain, at))
        yield before + word
        before, at = gap(plain, end)
