"""The four nodes. Each is async, so that cancelling the run closes the connection to the model at once."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypedDict

from langgraph.runtime import Runtime

from fabula.story.v1 import story_pb2
from service.errors import ReviewUnavailable
from service.runtime.pause import Bound, Pause
from service.runtime.ports import Emitter
from service.safety.screen import Screen
from service.workflows.story.decoding import Draft
from service.workflows.story.metrics import Metrics, levels_off, measure
from service.workflows.story.narrator import Narrator
from service.workflows.story.prompts import Prompts
from service.workflows.story.retrying import MODEL_FAILURES
from service.workflows.story.review import Review
from service.workflows.story.reviewer import Reviewer
from service.workflows.story.task import StoryTask
from service.workflows.story.writing import Writer

# The progress at which each step begins. A rewrite goes over the same ground; progress itself never falls.
WRITING, WRITTEN, REVIEWED, REWRITTEN, MEASURED = 5, 60, 70, 85, 95


@dataclass(frozen=True, slots=True)
class StoryContext:
    """What the nodes of one run work with; not part of the graph's state.

    The run began at `began`, and a round for the reader's level is over at `round_ends`, before the run must be: what
    has passed shall not be lost for it. Both are in the time of `pause`. `round_ends_by` is the same for the caller's
    deadline, in the event loop's time.
    """

    task: StoryTask
    prompts: Prompts
    writer: Writer
    reviewer: Reviewer
    screen: Screen
    emitter: Emitter
    narrator: Narrator
    max_rewrites: int
    pause: Pause
    began: float
    round_ends: float
    round_ends_by: float
    entered: Counter[str] = field(default_factory=Counter)

    def has_time(self) -> bool:
        """Whether a round that takes as long as all before it would be over in time."""
        now = self.pause.time()
        ends = now + (now - self.began)
        return ends < self.round_ends and asyncio.get_running_loop().time() + ends - now < self.round_ends_by

    def round_timeout(self) -> Bound:
        """Bounds a round for the reader's level."""
        return self.pause.timeout(self.round_ends - self.pause.time(), self.round_ends_by)


@dataclass(frozen=True, slots=True)
class Passed:
    """A draft that passed its review, and what was measured of it."""

    draft: Draft
    review: Review
    metrics: Metrics


class StoryState(TypedDict, total=False):
    """What one node leaves for the next.

    `passed` is set once a draft has passed and is to be told anew for its reading level alone: whatever becomes of
    that, there is a chapter.
    """

    draft: Draft
    review: Review
    rewrites: int
    passed: Passed
    metrics: Metrics


async def generate_content(_: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """One structured call; its text field goes to the narrator while it is being written."""
    context = runtime.context
    context.narrator.begin_revision()
    return {"draft": await context.writer.write(context.prompts.tell(), WRITING, WRITTEN), "rewrites": 0}


async def safety_check(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """Reviews the whole draft. What is not approved is withdrawn before anything else is said or done.

    A run that is stopped meanwhile keeps the screened text that it had released, as one that is stopped before does.
    """
    context, draft, passed = runtime.context, state["draft"], state.get("passed")
    try:
        async with nullcontext() if passed is None else context.round_timeout():
            review = await context.reviewer.review(draft, context.screen, context.prompts, context.task.reader.age)
    except Exception as error:
        if passed is not None and isinstance(error, ReviewUnavailable | TimeoutError):
            return _keep(passed, context)
        await context.narrator.retract(story_pb2.RETRACTION_REASON_SAFETY, REVIEWED)
        raise
    revision = context.narrator.revision
    if passed is None and not review.approved:
        await context.narrator.retract(story_pb2.RETRACTION_REASON_SAFETY, REVIEWED)
    await context.emitter.emit(review.message(revision), REVIEWED)
    return _keep(passed, context) if passed is not None and not review.approved else {"review": review}


async def enhance_content(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """Has the draft written anew: guided by what the review found, or else for the reader's level."""
    context, passed = runtime.context, state.get("passed")
    if passed is not None:
        return await _simplify(passed, context)
    issues: list[Mapping[str, str]] = [
        {"category": each.category, "quote": each.quote} for each in state["review"].issues
    ]
    context.narrator.begin_revision()
    draft = await context.writer.write(
        context.prompts.rewrite(state["draft"].story_content, issues), REVIEWED, REWRITTEN
    )
    return {"draft": draft, "rewrites": state["rewrites"] + 1}


async def calculate_metrics(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """Measures the approved text, and lets it go unless it is to be told anew for the reader's level."""
    context, draft, passed = runtime.context, state["draft"], state.get("passed")
    reader = context.task.reader
    # In a thread: the first text of a language loads what it is measured by.
    metrics = await asyncio.to_thread(measure, draft.story_content, reader.age, reader.language)
    level = reader.reading_level
    if passed is None and levels_off(metrics, level) > 1 and context.has_time():
        return {"passed": Passed(draft, state["review"], metrics)}
    if passed is not None and levels_off(metrics, level) >= levels_off(passed.metrics, level):
        # It came no nearer, or it is the first one still: no reader shall lose for that what stands.
        draft, metrics = passed.draft, passed.metrics
        context.narrator.drop_alternative()
    await context.narrator.approve(draft.story_content, REVIEWED)
    await context.emitter.emit(_metadata(draft, metrics), MEASURED)
    review = state["review"] if passed is None or draft is not passed.draft else passed.review
    return {"draft": draft, "review": review, "metrics": metrics}


async def _simplify(passed: Passed, context: StoryContext) -> StoryState:
    prompt = context.prompts.simplify(passed.draft.story_content)
    if prompt is None:
        return _keep(passed, context)
    context.narrator.begin_alternative()
    try:
        async with context.round_timeout():
            return {"draft": await context.writer.write(prompt, REVIEWED, REWRITTEN)}
    except (*MODEL_FAILURES, TimeoutError):
        return _keep(passed, context)


def _keep(passed: Passed, context: StoryContext) -> StoryState:
    context.narrator.drop_alternative()
    return {"draft": passed.draft, "review": passed.review}


def _metadata(draft: Draft, metrics: Metrics) -> story_pb2.Metadata:
    return story_pb2.Metadata(
        estimated_reading_time=metrics.reading_minutes,
        vocabulary_level=metrics.level,
        educational_elements=draft.educational_elements,
        word_count=metrics.word_count,
        readability_grade=metrics.readability_grade,
    )
