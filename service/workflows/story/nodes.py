"""The four nodes. Each is async, so that cancelling the run closes the connection to the model at once."""

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypedDict

from langgraph.runtime import Runtime

from fabula.story.v1 import story_pb2
from service.runtime.model import LanguageModel, Prompt
from service.runtime.ports import Emitter
from service.safety.screen import Screen
from service.workflows.story import prompts
from service.workflows.story.decoding import Draft, DraftDecoder
from service.workflows.story.metrics import Metrics, measure
from service.workflows.story.narrator import Narrator
from service.workflows.story.review import Review, review
from service.workflows.story.task import StoryTask

# The progress at which each step begins. A rewrite goes over the same ground; progress itself never falls.
WRITING, WRITTEN, REVIEWED, REWRITTEN, MEASURED = 5, 60, 70, 85, 95

_EXPECTED_CHARACTERS = {3: 900, 6: 1_600, 9: 2_600}


@dataclass(frozen=True, slots=True)
class StoryContext:
    """What the nodes of one run work with; not part of the graph's state."""

    task: StoryTask
    model: LanguageModel
    screen: Screen
    emitter: Emitter
    narrator: Narrator
    max_rewrites: int
    entered: Counter[str] = field(default_factory=Counter)


class StoryState(TypedDict, total=False):
    """What one node leaves for the next."""

    draft: Draft
    review: Review
    rewrites: int
    metrics: Metrics


async def generate_content(_: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """One structured call; its text field goes to the narrator while it is being written."""
    context = runtime.context
    draft = await _write(context, prompts.tell(context.task), WRITING, WRITTEN)
    return {"draft": draft, "rewrites": 0}


async def safety_check(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """Reviews the whole draft."""
    context, draft = runtime.context, state["draft"]
    result = review(draft, context.screen)
    await context.emitter.emit(result.message(context.narrator.revision), REVIEWED)
    if result.approved:
        await context.narrator.approve(draft.story_content, REVIEWED)
    return {"review": result}


async def enhance_content(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """Withdraws the draft and has it written anew, guided by what the review found."""
    context = runtime.context
    await context.narrator.retract(story_pb2.RETRACTION_REASON_SAFETY, REVIEWED)
    issues = [{"category": each.category, "quote": each.quote} for each in state["review"].issues]
    prompt = prompts.rewrite(context.task, state["draft"].story_content, issues)
    draft = await _write(context, prompt, REVIEWED, REWRITTEN)
    return {"draft": draft, "rewrites": state["rewrites"] + 1}


async def calculate_metrics(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
    """Measures the approved text."""
    draft = state["draft"]
    metrics = measure(draft.story_content, runtime.context.task.age)
    metadata = story_pb2.Metadata(
        estimated_reading_time=metrics.reading_minutes,
        vocabulary_level=metrics.level,
        educational_elements=draft.educational_elements,
        word_count=metrics.word_count,
    )
    await runtime.context.emitter.emit(metadata, MEASURED)
    return {"metrics": metrics}


async def _write(context: StoryContext, prompt: Prompt, start: int, end: int) -> Draft:
    narrator, decoder = context.narrator, DraftDecoder()
    narrator.begin_revision()
    expected = next(size for age, size in sorted(_EXPECTED_CHARACTERS.items(), reverse=True) if context.task.age >= age)
    heard, truncated = 0, False
    async with aclosing(context.model.stream(prompt, prompts.ANSWER)) as chunks:
        async for chunk in chunks:
            truncated = truncated or chunk.truncated
            if text := decoder.feed(chunk.text):
                heard += len(text)
                await narrator.hear(text, start + (end - start) * min(heard, expected) // expected)
    rest, draft = decoder.finish(truncated=truncated)
    await narrator.hear(rest, end)
    await narrator.end_text(end)
    return draft
