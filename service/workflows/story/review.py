"""The plain review: the word screen over everything that a reader would see."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from fabula.story.v1 import story_pb2
from service.safety.screen import Screen
from service.safety.sentences import SentenceSplitter
from service.workflows.story.decoding import Draft

_COST_OF_A_FINDING = 0.25


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding with what the writer needs to mend it; `quote` goes to the model alone, never to a reader or a log."""

    category: str
    segment: int
    quote: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a review of a draft found; it approves when it found nothing."""

    issues: tuple[Issue, ...]

    @property
    def approved(self) -> bool:
        return not self.issues

    @property
    def score(self) -> float:
        """1 for a text without findings, less for each, never below 0."""
        return max(0.0, 1.0 - _COST_OF_A_FINDING * len(self.issues))

    def message(self, revision: int) -> story_pb2.SafetyCheck:
        """The review as the reader's side sees it: without the quotes."""
        return story_pb2.SafetyCheck(
            approved=self.approved, score=self.score, issues=map(_message, self.issues), revision=revision
        )


def review(draft: Draft, screen: Screen) -> Review:
    """Screens the story's text and, as one, each other text of the draft."""
    text = draft.story_content
    ends = list(accumulate(map(len, SentenceSplitter().feed(text))))
    issues = [
        Issue(each.category, 1 + bisect_right(ends, each.start), text[each.start : each.end])
        for each in screen.find(text)
    ]
    for other in _other_texts(draft):
        issues += [Issue(each.category, 0, other[each.start : each.end]) for each in screen.find(other)]
    return Review(tuple(issues))


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
        explanation=f"A phrase of the category {issue.category} {where}.",
    )
