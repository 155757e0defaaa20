"""Events in plain words, for a reader at a terminal."""

import shlex
from collections.abc import Sequence

from fabula.errors import FabulaError, InvalidRequest, OutcomeUnknown, RunFailed, Unauthenticated, Unavailable
from fabula.listing import level_name
from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import Chapter, Complete, Content, StoryEvent
from fabula.target import Target
from fabula.terminal import Terminal, one_line

DEFAULT_CHILD = "1"

_NODES = {
    "workflow": "getting ready…",
    "generate_content": "writing…",
    "safety_check": "checking…",
    "enhance_content": "rewriting…",
    "calculate_metrics": "measuring…",
}


class Teller:
    """Shows one run's events on a screen. `reader` are the arguments with which the same reader goes on."""

    def __init__(self, screen: Terminal, target: Target, reader: Sequence[str] = ()) -> None:
        self._screen = screen
        self._target = target
        self._reader = reader

    def show(self, event: StoryEvent) -> None:
        """Shows the next event. An `error` event shows nothing: the exception that follows tells it."""
        match event.WhichOneof("event"):
            case "node_event":
                self._step(event.node_event, event.progress_percent)
            case "content":
                self._text(event.content)
            case "retraction":
                self._screen.say("(rewriting a passage…)")
            case "complete":
                self._ending(event.complete, event.run_id)

    def _step(self, step: run_pb2.NodeEvent, percent: int) -> None:
        if step.status == run_pb2.NODE_STATUS_STARTED:
            words = _NODES.get(step.node, f"{step.node.replace('_', ' ')}…")
            self._screen.status(f"{percent:3d}%  {words}")

    def _text(self, content: Content) -> None:
        self._screen.story(content.chunk)
        if content.is_complete:
            self._screen.end_line()

    def _ending(self, complete: Complete, run_id: str) -> None:
        self._screen.say("")
        for line in summary(complete) + going_on(complete, complete.story_id, self._target, self._reader):
            self._screen.say(line)
        self._screen.say(f"Run {run_id}. Watch it again: {command(self._target, 'watch', run_id)}")


def summary(complete: Complete) -> list[str]:
    """What is worth knowing of a chapter that was told, line by line."""
    minutes = "1 minute" if complete.estimated_reading_time == 1 else f"{complete.estimated_reading_time} minutes"
    of = f" of {complete.planned_chapters}" if complete.planned_chapters else ""
    return [
        f"{complete.title}, chapter {complete.chapter_number}{of}",
        f"{minutes} to read, level {level_name(complete.vocabulary_level)}, told by {complete.model}",
    ]


def going_on(chapter: Complete | Chapter, story_id: str, target: Target, reader: Sequence[str]) -> list[str]:
    """How the tale may go on from this chapter, with the commands for it, line by line."""
    if not chapter.choices:
        return ["The end."]
    # The chapter is named, as the newest one may be on another branch by then.
    begin = ("tell", "--story-id", story_id, "--chapter-id", chapter.chapter_id, *reader)
    return [
        chapter.choice_question or "How does it go on?",
        *(f"  [{choice.id}] {choice.text}" for choice in chapter.choices),
        f"Go on with a choice: {command(target, *begin, '--choice-id', chapter.choices[0].id)}",
        f'Or in your own words: {command(target, *begin)} --turn "..."',
    ]


def command(target: Target, *words: str) -> str:
    """The command line that does that at this service."""
    return shlex.join(one_line(word) for word in ("fabula", *target.arguments, *words))


def complaint(error: FabulaError, target: Target) -> str:
    """What went wrong and what to do, in one plain line."""
    match error:
        case InvalidRequest() if error.violations:
            return "The request was refused. " + "; ".join(_violation(*each) for each in error.violations)
        case OutcomeUnknown():
            return f"{error.message} See: {command(target, 'children')}"
        case Unavailable() if error.run_id:
            again = command(target, "watch", error.run_id, "--after", str(error.last_sequence))
            return f"The connection to {target.address} is lost. Go on later with: {again}"
        case Unavailable() if not error.reason:
            return _unreached(target)
        case RunFailed() if error.partial_text_id:
            return f"{error.message} What was told is kept: {command(target, 'watch', error.partial_text_id)}"
    hint = " This program takes its token from FABULA_TOKEN." if isinstance(error, Unauthenticated) else ""
    return f"{error.message}{hint}"


def farewell(run_id: str, target: Target) -> str:
    """What to do about a run that was left."""
    if not run_id:
        return "Stopped before the run began."
    watch, cancel = command(target, "watch", run_id), command(target, "cancel", run_id)
    return f"Stopped. The run may go on for a while. Watch it: {watch}. Cancel it: {cancel}."


def _unreached(target: Target) -> str:
    if target.tls:  # gRPC tells an untrusted certificate from a closed port in its log alone
        return f"No service answers at {target.address} by TLS, or its certificate is not trusted: see --ca."
    return f"No service answers at {target.address}: start it with `make run`."


def _violation(field: str, description: str) -> str:
    return description if not field or description.startswith(f"{field}:") else f"{field}: {description}"
