"""The plain review: what it finds, where, and what of it a reader is told."""

import re
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.safety.screen import Screen
from service.safety.sentences import MAX_CHARACTERS, SentenceSplitter
from service.workflows.story.decoding import Draft
from service.workflows.story.review import Issue, Review, locate, merged, screen_review

SCREEN = Screen(
    {
        "violence": ["murder", "murderer", "stabbed", "gory", "to death"],
        "self_harm": ["suicide"],
        "bullying": ["you are worthless"],
    }
)


def test_a_clean_draft_is_approved_with_the_best_score() -> None:
    result = screen_review(Draft(story_content="The fox slept.", title="Fox", choices=["Wake it", "Wait"]), SCREEN)
    assert (result.approved, result.score, result.issues) == (True, 1.0, ())
    message = result.message(3)
    assert (message.approved, message.score, list(message.issues), message.revision) == (True, 1.0, [], 3)


def test_each_finding_is_an_issue_with_its_quote_and_its_segment() -> None:
    text = "The fox slept. A Murder happened! Mr. Owl saw the\nmurderer.\n\nYou are\nworthless, he said."
    issues = screen_review(Draft(story_content=text), SCREEN).issues
    assert [(each.segment, each.category, each.quote) for each in issues] == [
        (2, "violence", "Murder"),
        (3, "violence", "murderer"),
        (4, "bullying", "You are\nworthless"),
    ]


@pytest.mark.parametrize(
    "draft",
    [
        Draft(story_content="x", title="SUICIDE"),
        Draft(story_content="x", choice_question="Why suicide?"),
        Draft(story_content="x", choices=["left", "suicide"]),
        Draft(story_content="x", educational_elements=["Suicide"]),
    ],
)
def test_everything_that_a_reader_would_see_is_reviewed(draft: Draft) -> None:
    result = screen_review(draft, SCREEN)
    assert [(each.category, each.segment) for each in result.issues] == [("self_harm", 0)]
    assert not result.approved


def test_two_texts_of_a_draft_make_no_phrase_together() -> None:
    assert screen_review(Draft(story_content="x", choices=["Go to", "death Valley"]), SCREEN).approved


def test_the_score_falls_with_each_finding_and_never_below_zero() -> None:
    scores = [screen_review(Draft(story_content="x" + " murder" * count), SCREEN).score for count in range(7)]
    assert scores == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]


@settings(deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["fox", "Murder", "stabbed.", "Gory!", "to death\n\n", "you are worthless"]), min_size=1
    )
)
def test_no_quote_is_in_what_the_reader_is_told(words: list[str]) -> None:
    text = " ".join(words)
    draft = Draft(story_content=text, title=text[:300], choices=[text[:200]])
    result = screen_review(draft, SCREEN)
    told = re.findall(r"\w+", str(result.message(1)).lower())
    assert len(result.message(1).issues) == len(result.issues)
    assert {"murder", "stabbed", "gory", "death", "worthless"}.isdisjoint(told)


@settings(deadline=None, max_examples=60)
@given(
    filler=st.sampled_from(["word ", "Mr. ", "x\n\n", "Hi. A", "-"]),
    length=st.one_of(st.integers(1, 60), st.integers(MAX_CHARACTERS - 20, MAX_CHARACTERS + 5)),
    after=st.sampled_from([".", " and on. And on.", " word" * 500]),
)
def test_an_issue_names_the_segment_in_which_it_begins(filler: str, length: int, after: str) -> None:
    text = (filler * length)[:length] + " murder" + after
    splitter = SentenceSplitter()
    ends = list(accumulate(len(each) for each in [*splitter.feed(text), splitter.finish()]))
    (issue,) = screen_review(Draft(story_content=text), SCREEN).issues
    begin = text.index("murder")
    assert issue.segment == 1 + sum(end <= begin for end in ends)


def test_a_quote_is_located_in_its_segment_or_nowhere() -> None:
    draft = Draft(story_content="The fox slept. The owl sang! Good night.", title="Moon")
    assert [locate(draft, quote) for quote in ("fox", "owl sang", "night.", "Moon", "", "The fox slept. The")] == [
        1,
        2,
        3,
        0,
        0,
        1,
    ]


def test_several_reviews_are_one_that_approves_when_all_do() -> None:
    issue = Issue("violence", 1, "x")
    assert merged([Review(True, 1.0), Review(True, 0.8)]) == Review(True, 0.8)
    assert merged([Review(True, 1.0), Review(False, 0.2, (issue,))]) == Review(False, 0.2, (issue,))
