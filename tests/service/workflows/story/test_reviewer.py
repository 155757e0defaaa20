"""The review by models: who judges, what counts as a judgement, and that every doubt is a no."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from service.errors import FabulaError, ModelOutputInvalid, ModelTimeout, ModelUnavailable, ReviewUnavailable
from service.runtime.model import Prompt, Schema, TextChunk, Verdict
from service.workflows.story.decoding import Draft
from service.workflows.story.prompts import Prompts
from service.workflows.story.review import Issue, Review
from service.workflows.story.reviewer import Reviewer
from tests.service.workflows.story.samples import CLEAN, make_task
from tests.stories import APPROVAL

DRAFT = Draft(story_content="The fox slept. The owl stole a cake! All was well.", title="Fox", choices=["Go", "Stay"])
DRAFT.educational_elements.append("Sharing")
CATEGORIES = ("bullying", "violence")


class Judge:
    """Implements LanguageModel and GuardModel: says what it was told to say, or fails so, or is silent for ever."""

    name = "scripted:judge"

    def __init__(self, answer: Any = APPROVAL) -> None:
        self.answer = answer
        self.prompts: list[Prompt] = []
        self.judged: list[str] = []
        self.asked = asyncio.Event()
        self.silent = asyncio.Event()
        self.left = asyncio.Event()

    async def stream(self, prompt: Prompt, schema: Schema) -> AsyncGenerator[TextChunk, None]:
        self.prompts.append(prompt)
        assert schema["title"] == "Review"
        text = await self._say()
        yield TextChunk(text if isinstance(text, str) else json.dumps(text))

    async def judge(self, asked: str, answer: str) -> Verdict:
        assert "a child of 7 years" in asked
        self.judged.append(answer)
        verdict = await self._say()
        assert isinstance(verdict, Verdict)
        return verdict

    async def _say(self) -> Any:
        self.asked.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            try:
                await self.silent.wait()
            finally:
                self.left.set()
        return self.answer


async def review(model: Judge | None, guard: Judge | None = None, draft: Draft = DRAFT, seconds: float = 30) -> Review:
    reviewer = Reviewer(model, guard, CATEGORIES, seconds)
    return await reviewer.review(draft, CLEAN, Prompts(make_task(), CLEAN, 8_192, 2_048), 7)


def judgement(approved: object = True, score: object = 1.0, *issues: dict[str, Any]) -> dict[str, Any]:
    return {"approved": approved, "score": score, "issues": list(issues)}


async def test_screen_model_and_guard_approve_together() -> None:
    assert await review(Judge(judgement(True, 0.9)), Judge(Verdict(True))) == Review(True, 0.9)


async def test_without_a_model_the_screen_alone_judges() -> None:
    assert await review(None) == Review(True, 1.0)


async def test_the_model_sees_the_whole_chapter_in_its_context() -> None:
    judge = Judge()
    await review(judge)
    assert DRAFT.story_content in judge.prompts[0].user
    assert '"age": 7' in judge.prompts[0].user
    assert "Stay" in judge.prompts[0].user


async def test_the_guard_sees_all_that_the_reader_would_see() -> None:
    guard = Judge(Verdict(True))
    await review(None, guard)
    assert all(part in guard.judged[0] for part in ("Fox", DRAFT.story_content, "Go", "Stay", "Sharing"))


async def test_an_issue_names_its_category_and_the_segment_of_its_quote() -> None:
    judge = Judge(
        judgement(
            False,
            0.4,
            {"category": "bullying", "quote": "stole a cake"},
            {"category": "violence", "quote": "nowhere"},
            {"category": "the moon is mine", "quote": ""},
        )
    )
    assert await review(judge) == Review(
        False,
        0.4,
        (Issue("bullying", 2, "stole a cake"), Issue("violence", 0, "nowhere"), Issue("other", 0, "")),
    )


async def test_what_the_screen_finds_needs_no_model() -> None:
    judge = Judge()
    assert not (await review(judge, draft=Draft(story_content="A murder!"))).approved
    assert not judge.prompts


@pytest.mark.parametrize(
    "contradiction",
    [
        judgement(True, 0.1),
        judgement(True, 0.9, {"category": "violence", "quote": "cake"}),
        judgement(False, 1.0),
    ],
)
async def test_a_judgement_that_contradicts_itself_approves_nothing(contradiction: dict[str, Any]) -> None:
    result = await review(Judge(contradiction))
    assert not result.approved
    assert result.issues


@pytest.mark.parametrize("verdict", [Verdict(False), Verdict(False, ("violence",))])
async def test_a_guard_that_finds_something_outvotes_the_model(verdict: Verdict) -> None:
    result = await review(Judge(), Judge(verdict))
    assert (result.approved, result.score) == (False, 0.0)
    assert result.issues


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "Yes, it is fine.",
        "{",
        "[]",
        "null",
        "{}",
        judgement("true"),
        judgement(1),
        judgement(None),
        judgement(True, "1"),
        judgement(True, 1.5),
        judgement(True, -1),
        judgement(True, None),
        {"approved": True, "score": 1.0},
        {"approved": True, "score": 1.0, "issues": "none"},
        {"approved": True, "score": 1.0, "issues": [{"quote": "x"}]},
        '{"approved": true, "score": NaN, "issues": []}',
        '{"approved": true, "score": 1.0, "issues": []',
    ],
)
async def test_an_answer_that_is_no_judgement_is_no_approval(garbage: object) -> None:
    with pytest.raises(ReviewUnavailable):
        await review(Judge(garbage))


@pytest.mark.parametrize("failure", [ModelUnavailable("x"), ModelTimeout("x"), ModelOutputInvalid("x")])
@pytest.mark.parametrize("guarding", [True, False])
async def test_a_reviewer_that_fails_approves_nothing(failure: FabulaError, guarding: bool) -> None:
    with pytest.raises(ReviewUnavailable) as raised:
        await (review(Judge(), Judge(failure)) if guarding else review(Judge(failure), Judge(Verdict(True))))
    assert "Ask again." in raised.value.message


@pytest.mark.parametrize("guarding", [True, False])
async def test_a_reviewer_that_hangs_is_left_and_approves_nothing(guarding: bool) -> None:
    hanging = Judge(None)
    with pytest.raises(ReviewUnavailable):
        await (review(Judge(), hanging, seconds=0.01) if guarding else review(hanging, seconds=0.01))
    assert hanging.left.is_set()


async def test_a_fault_of_ours_is_not_taken_for_the_models() -> None:
    with pytest.raises(KeyError):
        await review(Judge(KeyError("x")))


async def test_a_cancel_is_not_lost_while_the_rest_of_a_failed_review_is_closed() -> None:
    class Reluctant(Judge):
        closing = asyncio.Event()

        async def _say(self) -> Any:
            try:
                return await super()._say()
            finally:
                self.closing.set()
                await self.silent.wait()

    hanging = Reluctant(None)
    task = asyncio.create_task(review(hanging, Judge(ModelUnavailable("x"))))
    await hanging.closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_review_can_be_cancelled() -> None:
    hanging = Judge(None)
    task = asyncio.create_task(review(hanging))
    await hanging.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hanging.left.is_set()
