"""The graph: generate_content → safety_check → (enhance_content → safety_check)* → calculate_metrics.

A text that is more than one level off its reader's goes once from calculate_metrics through enhance_content again.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import structlog
from google.protobuf.message import Message
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from fabula.story.v1 import story_pb2
from service.errors import ContentRejected
from service.runtime.model import LanguageModel
from service.runtime.pause import current_pause
from service.runtime.ports import Emitter, Job
from service.runtime.stores import ArtifactStore
from service.safety.screen import Screen
from service.workflows.story import nodes
from service.workflows.story.chapters import make_artifact, make_chapter
from service.workflows.story.narrator import Narrator
from service.workflows.story.nodes import REVIEWED, StoryContext, StoryState
from service.workflows.story.observed import observed
from service.workflows.story.prompts import Prompts
from service.workflows.story.retrying import NO_RETRIES, Retries, Teller
from service.workflows.story.reviewer import Reviewer
from service.workflows.story.tale import StoredChapter, choice_messages
from service.workflows.story.task import StoryTask
from service.workflows.story.writing import Writer

_log = structlog.get_logger("fabula.story")

Node = Callable[[StoryState, Runtime[StoryContext]], Awaitable[StoryState]]
StoryGraph = CompiledStateGraph[StoryState, StoryContext, StoryState, StoryState]

_SHARE = 0.9
"""Of a run's time, what may have passed when a round for the reader's level is over."""

_PROGRESS = {
    "generate_content": nodes.WRITING,
    "safety_check": nodes.WRITTEN,
    "enhance_content": REVIEWED,
    "calculate_metrics": nodes.REWRITTEN,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may take: rewrites, its time, tokens of the model's context and of one answer, retries."""

    max_rewrites: int
    run_seconds: float
    context_tokens: int
    answer_tokens: int
    retries: Retries = NO_RETRIES


class StoryWorkflow:
    """Makes the job of a run: the graph, compiled once, over the injected models, reviewer and store.

    `model_name` is that of the model which is asked first, and so what a Run says from its beginning on; which one told
    it in the end, if there is a fallback, `complete` says.
    """

    def __init__(
        self,
        model: LanguageModel,
        reviewer: Reviewer,
        store: ArtifactStore,
        budget: Budget,
        fallback: LanguageModel | None = None,
    ) -> None:
        self.model_name = model.name
        self._models = [model] if fallback is None else [model, fallback]
        self._reviewer = reviewer
        self._store = store
        self._budget = budget
        self._graph = build_graph()

    def job(self, task: StoryTask, screen: Screen, seconds: float | None = None) -> Job:
        """The work of one run of this task, for a reader with this screen.

        `seconds` is how long its caller waits, None as long as a run may take at all.
        """

        async def work(emitter: Emitter) -> Message:
            return await self._tell(task, screen, emitter, math.inf if seconds is None else seconds)

        return work

    async def _tell(self, task: StoryTask, screen: Screen, emitter: Emitter, seconds: float) -> story_pb2.Complete:
        narrator = Narrator(emitter, screen, task.release)
        context = self._context(task, screen, emitter, narrator, seconds)
        async with observed(emitter, "workflow", 1, 0):
            state = cast("StoryState", await self._graph.ainvoke({}, context=context, config={"recursion_limit": 100}))
            if not state["review"].approved:
                raise ContentRejected("No revision of the text passed the review. Ask again, or for something else.")
            chapter = make_chapter(task, state["draft"], emitter.run_id, screen)
            # Kept before the run's end is told: with that end it comes into sight, and never without it.
            await self._store.keep(make_artifact(chapter, first=not task.branch))
        _log.info("chapter_told", run_id=emitter.run_id, model=state["draft"].told_by)
        return self._complete(chapter, state)

    def _context(
        self, task: StoryTask, screen: Screen, emitter: Emitter, narrator: Narrator, seconds: float
    ) -> StoryContext:
        pause, clock = current_pause(), asyncio.get_running_loop().time
        began, by = pause.time(), clock() + seconds
        prompts = Prompts(task, screen, self._budget.context_tokens, self._budget.answer_tokens)

        def left() -> float:
            return min(began + self._budget.run_seconds - pause.time(), by - clock())

        teller = Teller(self._models, self._budget.retries, left)
        return StoryContext(
            task=task,
            prompts=prompts,
            writer=Writer(task, teller, prompts, narrator),
            reviewer=self._reviewer,
            screen=screen,
            emitter=emitter,
            narrator=narrator,
            max_rewrites=self._budget.max_rewrites,
            pause=pause,
            began=began,
            round_ends=began + self._budget.run_seconds * _SHARE,
            round_ends_by=asyncio.get_running_loop().time() + seconds * _SHARE,
        )

    def _complete(self, chapter: StoredChapter, state: StoryState) -> story_pb2.Complete:
        draft, metrics, review = state["draft"], state["metrics"], state["review"]
        return story_pb2.Complete(
            success=True,
            story_content=chapter.story_content,
            choices=choice_messages(chapter.choices),
            choice_question=chapter.choice_question,
            educational_elements=draft.educational_elements,
            estimated_reading_time=metrics.reading_minutes,
            safety_score=review.score,
            content_approved=review.approved,
            vocabulary_level=metrics.level,
            story_id=chapter.story_id,
            chapter_id=chapter.chapter_id,
            chapter_number=chapter.chapter_number,
            planned_chapters=chapter.planned_chapters,
            title=chapter.title,
            model=draft.told_by,
            finish_reason=story_pb2.FINISH_REASON_STOP,
        )


def build_graph() -> StoryGraph:
    """Compiles the graph. It holds nothing of a run: state and context come with each call."""
    graph = StateGraph(StoryState, context_schema=StoryContext)
    for name, node in (
        ("generate_content", nodes.generate_content),
        ("safety_check", nodes.safety_check),
        ("enhance_content", nodes.enhance_content),
        ("calculate_metrics", nodes.calculate_metrics),
    ):
        graph.add_node(name, _observed(name, node))  # type: ignore[call-overload]  # it takes Runtime by keyword
    graph.add_edge(START, "generate_content")
    graph.add_edge("generate_content", "safety_check")
    graph.add_conditional_edges("safety_check", _after_review, ["calculate_metrics", "enhance_content", END])
    graph.add_conditional_edges("enhance_content", _after_rewriting, ["safety_check", "calculate_metrics"])
    graph.add_conditional_edges("calculate_metrics", _after_measuring, ["enhance_content", END])
    return graph.compile()


def _after_review(state: StoryState, runtime: Runtime[StoryContext]) -> str:
    if state["review"].approved:
        return "calculate_metrics"
    return "enhance_content" if state["rewrites"] < runtime.context.max_rewrites else END


def _after_rewriting(state: StoryState) -> str:
    """What has passed its review needs no other: the round for the reader's level came to nothing."""
    passed = state.get("passed")
    return "calculate_metrics" if passed is not None and state["draft"] is passed.draft else "safety_check"


def _after_measuring(state: StoryState) -> str:
    return END if "metrics" in state else "enhance_content"


def _observed(name: str, node: Node) -> Node:
    async def run(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
        context = runtime.context
        context.entered[name] += 1
        async with observed(context.emitter, name, context.entered[name], _PROGRESS[name]):
            return await node(state, runtime)

    return run
