"""Judges a whole draft in its context: the screen, the reviewing model and the guard model.

Whatever goes wrong with one of them, nothing is approved: ReviewUnavailable.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Annotated

import structlog
from pydantic import BaseModel, Field, StrictBool, ValidationError

from service.errors import FabulaError, ModelOutputInvalid, ModelTimeout, ModelUnavailable, ReviewUnavailable
from service.runtime.model import GuardModel, LanguageModel, Prompt, Schema
from service.runtime.pause import current_pause
from service.safety.screen import Screen
from service.workflows.story.answers import review_schema
from service.workflows.story.decoding import Draft
from service.workflows.story.prompts import Prompts
from service.workflows.story.retrying import NO_RETRIES, Retries, retried
from service.workflows.story.review import LEAST_SCORE, Issue, Review, locate, merged, screen_review

_log = structlog.get_logger("fabula.story")

AVOID_TOPICS, OTHER = "avoid_topics", "other"
"""Categories beside those of the policy: what this child is to be spared, and what has no name."""

_MAX_CHUNKS = 20_000  # of an answer; a judgement has some hundred
_GUARD_ASKS = "Tell a story for a child of {age} years."


class Finding(BaseModel):
    """An issue as the reviewing model answers it."""

    category: str
    quote: Annotated[str, Field(max_length=4_000)] = ""


class Judgement(BaseModel):
    """The reviewing model's answer."""

    approved: StrictBool
    score: Annotated[float, Field(ge=0, le=1, strict=True)]
    issues: Annotated[list[Finding], Field(max_length=100)]


class Reviewer:
    """Reviews drafts; stateless, one serves every run.

    Without a model the screen alone judges, which is right for texts that no model wrote. `seconds` bounds the time
    that models may take over one draft, their retries included. What a teller named in `by_teller` told is judged by
    the model there, or by none, instead of `model`.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        guard: GuardModel | None,
        categories: Sequence[str],
        seconds: float,
        retries: Retries = NO_RETRIES,
        by_teller: Mapping[str, LanguageModel | None] = MappingProxyType({}),
    ) -> None:
        self._model = model
        self._guard = guard
        self._retries = retries
        self._by_teller = by_teller
        self._categories = (*categories, AVOID_TOPICS, OTHER)
        self._schema = review_schema(self._categories)
        self._seconds = seconds

    async def review(self, draft: Draft, screen: Screen, prompts: Prompts, age: int) -> Review:
        """What is to be said of this draft. Raises ReviewUnavailable, and then nothing is approved."""
        screened = screen_review(draft, screen)
        if not screened.approved:
            return screened  # there is something to mend already
        try:
            async with current_pause().timeout(self._seconds):
                return merged([screened, *await self._judgements(draft, prompts, age)])
        except TimeoutError:
            _log.warning("review_failed", reason="timeout", seconds=self._seconds)
            message = f"The review took longer than the {self._seconds:g} s that it may take. Ask again."
            raise ReviewUnavailable(message) from None

    async def _judgements(self, draft: Draft, prompts: Prompts, age: int) -> Sequence[Review]:
        """The two models' reviews, asked for at once."""
        asked = [
            asyncio.create_task(retried(lambda: self._judge(draft, prompts), self._retries, _has_said_nothing)),
            asyncio.create_task(retried(lambda: self._guard_verdict(draft, age), self._retries, _has_said_nothing)),
        ]
        try:
            # No TaskGroup: in Python 3.11 it loses a cancel that comes while it closes the one after the other failed.
            return await asyncio.gather(*asked)
        except FabulaError as failed:
            _log.warning("review_failed", reason=type(failed).__name__)
            raise ReviewUnavailable("The review could not be done, so nothing was approved. Ask again.") from failed
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _judge(self, draft: Draft, prompts: Prompts) -> Review:
        model = self._by_teller.get(draft.told_by, self._model)
        if model is None:
            return Review(approved=True, score=1.0)
        # The bible as well: later chapters are told from it, by a storyteller, too, whom no model judges.
        answer = await _heard_out(model, prompts.review(draft.model_dump()), self._schema)
        try:
            judgement = Judgement.model_validate_json(answer)
        except ValidationError:
            # From None: its text may quote the story.
            raise ModelOutputInvalid("The reviewing model's answer is no judgement.") from None
        return self._reading(judgement, draft)

    def _reading(self, judgement: Judgement, draft: Draft) -> Review:
        issues = tuple(
            Issue(each.category if each.category in self._categories else OTHER, locate(draft, each.quote), each.quote)
            for each in judgement.issues
        )
        # A judgement that contradicts itself approves nothing.
        approved = judgement.approved and not issues and judgement.score >= LEAST_SCORE
        return Review(approved, judgement.score, issues if issues or approved else (Issue(OTHER, 0, ""),))

    async def _guard_verdict(self, draft: Draft, age: int) -> Review:
        if self._guard is None:
            return Review(approved=True, score=1.0)
        text = "\n\n".join([draft.title, draft.story_content, draft.choice_question, *draft.choices])
        text = "\n\n".join([text, *draft.educational_elements, *draft.bible.texts()]).strip()
        verdict = await self._guard.judge(_GUARD_ASKS.format(age=age), text)
        if verdict.safe:
            return Review(approved=True, score=1.0)
        return Review(False, 0.0, tuple(Issue(category, 0, "") for category in verdict.categories or (OTHER,)))


async def _heard_out(model: LanguageModel, prompt: Prompt, schema: Schema) -> str:
    """The whole of a judgement. Raises ModelOutputInvalid for one that broke off: it may have been a refusal."""
    parts: list[str] = []
    try:
        async with aclosing(model.stream(prompt, schema)) as chunks:
            async for chunk in chunks:
                parts.append(chunk.text)
                if len(parts) > _MAX_CHUNKS:
                    break
    except (ModelUnavailable, ModelTimeout) as error:
        if "".join(parts).strip():
            raise ModelOutputInvalid("The reviewing model broke off in its judgement.") from error
        raise
    return "".join(parts)


def _has_said_nothing(failure: FabulaError) -> bool:
    """Whether a failure may be asked away. Nonsense may not: a text that confuses its judge gets no second chance."""
    return isinstance(failure, ModelUnavailable | ModelTimeout)
