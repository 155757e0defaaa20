"""Events in plain words, for a reader at a terminal."""

import shlex
from collections.abc import Sequence

from fabula.errors import FabulaError, InvalidRequest, OutcomeUnknown, RunFailed, Unauthenticated, Unavailable
from fabula.listing import level_name
from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import Chapter, Complete, Content, StoryEvent
from fabula.terminal import Terminal, one_line

DEFAULT_ADDRESS = "127.0.0.1:50051"
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

    def __init__(self, screen: Terminal, address: str, reader: Sequence[str] = ()) -> None:
        self._screen = screen
        self._address = address
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
        for line in summary(complete) + going_on(complete, complete.story_id, self._address, self._reader):
            self._screen.say(line)
        self._screen.say(f"Run {run_id}. Watch it again: {command(self._address, 'watch', run_id)}")


def summary(complete: Complete) -> list[str]:
    """What is worth knowing of a chapter that was told, line by line."""
    minutes = "1 minute" if complete.estimated_reading_time == 1 else f"{complete.estimated_reading_time} minutes"
    of = f" of {complete.planned_chapters}" if complete.planned_chapters else ""
    return [
        f"{complete.title}, chapter {complete.chapter_number}{of}",
        f"{minutes} to read, level {level_name(complete.vocabulary_level)}, told by {complete.model}",
    ]


def going_on(chapter: Complete | Chapter, story_id: str, address: str, reader: Sequence[str]) -> list[str]:
    """How the tale may go on from this chapter, with the commands for it, line by line."""
    if not chapter.choices:
        return ["The end."]
    # The chapter is named, as the newest one may be on another branch by then.
    begin = ("tell", "--story-id", story_id, "--chapter-id", chapter.chapter_id, *reader)
    return [
        chapter.choice_question or "How does it go on?",
        *(f"  [{choice.id}] {choice.text}" for choice in chapter.choices),
        f"Go on with a choice: {command(address, *begin, '--choice-id', chapter.choices[0].id)}",
        f'Or in your own words: {command(address, *begin)} --turn "..."',
    ]


def command(address: str, *words: str) -> str:
    """The command line that does that at this address."""
    where = () if address == DEFAULT_ADDRESS else ("--address", address)
    return shlex.join(one_line(word) for word in ("fabula", *where, *words))


def complaint(error: FabulaError, address: str) -> str:
    """What went wrong and what to do, in one plain line."""
    match error:
        case InvalidRequest() if error.violations:
            return "The request was refused. " + "; ".join(_violation(*each) for each in error.violations)
        case OutcomeUnknown():
            return f"{error.message} See: {command(address, 'children')}"
        case Unavailable() if error.run_id:
            again = command(address, "watch", error.run_id, "--after", str(error.last_sequence))
            return f"The connection to {address} is lost. Go on later with: {again}"
        case Unavailable() if not error.reason:
            return f"No service answers at {address}: start it with `make run`."
        case RunFailed() if error.partial_text_id:
            return f"{error.message} What was told is kept: {command(address, 'watch', error.partial_text_id)}"
    hint = " This program takes its token from FABULA_TOKEN." if isinstance(error, Unauthenticated) else ""
    return f"{error.message}{hint}"


def farewell(run_id: str, address: str) -> str:
    """What to do about a run that was left."""
    if not run_id:
        return "Stopped before the run began."
    watch, cancel = command(address, "watch", run_id), command(address, "cancel", run_id)
    return f"Stopped. The run may go on for a while. Watch it: {watch}. Cancel it: {cancel}."


def _violation(field: str, description: str) -> str:
    return description if not field or description.startswith(f"{field}:") else f"{field}: {description}"
