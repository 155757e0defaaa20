"""The graph: generate_content → safety_check → (enhance_content → safety_check)* → calculate_metrics."""

from collections.abc import Awaitable, Callable
from typing import cast

from google.protobuf.message import Message
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from fabula.story.v1 import story_pb2
from service.errors import ContentRejected
from service.runtime.model import LanguageModel
from service.runtime.ports import Emitter, Job
from service.safety.screen import Screen
from service.workflows.story import nodes
from service.workflows.story.narrator import Narrator
from service.workflows.story.nodes import MEASURED, REVIEWED, StoryContext, StoryState
from service.workflows.story.observed import observed
from service.workflows.story.task import StoryTask

Node = Callable[[StoryState, Runtime[StoryContext]], Awaitable[StoryState]]
StoryGraph = CompiledStateGraph[StoryState, StoryContext, StoryState, StoryState]

_PROGRESS = {
    "generate_content": nodes.WRITING,
    "safety_check": nodes.WRITTEN,
    "enhance_content": REVIEWED,
    "calculate_metrics": nodes.REWRITTEN,
}


class StoryWorkflow:
    """Makes the job of a run: the graph, compiled once, over the injected model and screen."""

    def __init__(self, model: LanguageModel, screen: Screen, max_rewrites: int) -> None:
        self.model_name = model.name
        self._model = model
        self._screen = screen
        self._max_rewrites = max_rewrites
        self._graph = build_graph()

    def job(self, task: StoryTask) -> Job:
        """The work of one run of this task."""

        async def work(emitter: Emitter) -> Message:
            return await self._tell(task, emitter)

        return work

    async def _tell(self, task: StoryTask, emitter: Emitter) -> story_pb2.Complete:
        narrator = Narrator(emitter, self._screen, task.release)
        context = StoryContext(task, self._model, self._screen, emitter, narrator, self._max_rewrites)
        async with observed(emitter, "workflow", 1, 0):
            state = cast("StoryState", await self._graph.ainvoke({}, context=context, config={"recursion_limit": 100}))
            if not state["review"].approved:
                await narrator.retract(story_pb2.RETRACTION_REASON_SAFETY, MEASURED)
                raise ContentRejected("No revision of the text passed the review. Ask again, or for something else.")
        return self._complete(task, state)

    def _complete(self, task: StoryTask, state: StoryState) -> story_pb2.Complete:
        draft, metrics, review = state["draft"], state["metrics"], state["review"]
        return story_pb2.Complete(
            success=True,
            story_content=draft.story_content,
            choices=[story_pb2.Choice(id=str(number), text=text) for number, text in enumerate(draft.choices, 1)],
            choice_question=draft.choice_question,
            educational_elements=draft.educational_elements,
            estimated_reading_time=metrics.reading_minutes,
            safety_score=review.score,
            content_approved=review.approved,
            vocabulary_level=metrics.level,
            story_id=task.story_id,
            chapter_number=task.chapter_number,
            # A title of the request is a text that no review has seen.
            title=draft.title if not task.title or self._screen.find(task.title) else task.title,
            model=self.model_name,
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
    graph.add_edge("enhance_content", "safety_check")
    graph.add_edge("calculate_metrics", END)
    return graph.compile()


def _after_review(state: StoryState, runtime: Runtime[StoryContext]) -> str:
    if state["review"].approved:
        return "calculate_metrics"
    return "enhance_content" if state["rewrites"] < runtime.context.max_rewrites else END


def _observed(name: str, node: Node) -> Node:
    async def run(state: StoryState, runtime: Runtime[StoryContext]) -> StoryState:
        context = runtime.context
        context.entered[name] += 1
        async with observed(context.emitter, name, context.entered[name], _PROGRESS[name]):
            return await node(state, runtime)

    return run
