"""The review of a whole draft: what it found, and how the findings of screen, reviewer and guard become one."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from fabula.story.v1 import story_pb2
from service.safety.screen import Finding, Screen
from service.safety.sentences import SentenceSplitter
from service.workflows.story.decoding import Draft

COST_OF_A_FINDING, COST_OF_A_CAUTION = 0.25, 0.1
LEAST_SCORE = 0.6
"""Below it a text is not approved, whatever else was said: five cautions are too many for one chapter."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding with what the writer needs to mend it; `quote` goes to the model alone, never to a reader or a log."""

    category: str
    segment: int
    quote: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a review of a draft found."""

    approved: bool
    score: float
    issues: tuple[Issue, ...] = ()

    def message(self, revision: int) -> story_pb2.SafetyCheck:
        """The review as the reader's side sees it: without the quotes."""
        return story_pb2.SafetyCheck(
            approved=self.approved, score=self.score, issues=map(_message, self.issues), revision=revision
        )


def screen_review(draft: Draft, screen: Screen) -> Review:
    """Screens the story's text and, as one, each other text of the draft; approves a draft without findings.

    Cautions alone are no issue, unless they add up.
    """
    issues, cautions = list(_issues(draft, screen.find)), list(_issues(draft, screen.cautions))
    score = max(0.0, 1.0 - COST_OF_A_FINDING * len(issues) - COST_OF_A_CAUTION * len(cautions))
    if issues or score < LEAST_SCORE:
        return Review(approved=False, score=score, issues=tuple(issues + cautions))
    return Review(approved=True, score=score)


def locate(draft: Draft, quote: str) -> int:
    """The segment of the story in which a quote stands; 0 when it stands elsewhere, or nowhere."""
    start = draft.story_content.find(quote) if quote else -1
    return 1 + bisect_right(_sentence_ends(draft.story_content), start) if start >= 0 else 0


def merged(reviews: Iterable[Review]) -> Review:
    """Several reviews as one: approved when all approve, with the lowest score and every issue."""
    every = list(reviews)
    return Review(
        approved=all(each.approved for each in every),
        score=min(each.score for each in every),
        issues=tuple(issue for each in every for issue in each.issues),
    )


def _issues(draft: Draft, find: Callable[[str], Iterable[Finding]]) -> Iterator[Issue]:
    text = draft.story_content
    ends = _sentence_ends(text)
    for each in find(text):
        yield Issue(each.category, 1 + bisect_right(ends, each.start), text[each.start : each.end])
    for other in _other_texts(draft):
        for each in find(other):
            yield Issue(each.category, 0, other[each.start : each.end])


def _sentence_ends(text: str) -> list[int]:
    return list(accumulate(map(len, SentenceSplitter().feed(text))))


def _other_texts(draft: Draft) -> Iterator[str]:
    yield draft.title
    yield draft.choice_question
    yield from draft.choices
    yield from draft.educational_elements


def _message(issue: Issue) -> story_pb2.SafetyIssue:
    where = f"in segment {issue.segment}" if issue.segment else "in the title, a choice or another part"
    return story_pb2.SafetyIssue(
        category=issue.category,
        segment=issue.segment,
        explanation=f"Something of the category {issue.category.replace('_', ' ')} {where}.",
    )
