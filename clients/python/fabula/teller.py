"""Events in plain words, for a reader at a terminal."""

from fabula.child.v1 import child_pb2
from fabula.errors import FabulaError, InvalidRequest, RunFailed, Unavailable
from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import Complete, Content, StoryEvent
from fabula.terminal import Terminal

DEFAULT_ADDRESS = "127.0.0.1:50051"

_NODES = {
    "workflow": "getting ready…",
    "generate_content": "writing…",
    "safety_check": "checking…",
    "enhance_content": "rewriting…",
    "calculate_metrics": "measuring…",
}


class Teller:
    """Shows one run's events on a screen."""

    def __init__(self, screen: Terminal, address: str) -> None:
        self._screen = screen
        self._address = address

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
        for line in ending(complete):
            self._screen.say(line)
        self._screen.say(f"Run {run_id}. Watch it again: {command(self._address, 'watch', run_id)}")


def ending(complete: Complete) -> list[str]:
    """What is worth knowing once a chapter is told, line by line."""
    level = child_pb2.ReadingLevel.Name(complete.vocabulary_level).removeprefix("READING_LEVEL_").lower()
    minutes = "1 minute" if complete.estimated_reading_time == 1 else f"{complete.estimated_reading_time} minutes"
    lines = [
        f"{complete.title}, chapter {complete.chapter_number}",
        f"{minutes} to read, level {level}, told by {complete.model}",
    ]
    if complete.choices:
        lines.append(complete.choice_question or "How does it go on?")
    return lines + [f"  [{choice.id}] {choice.text}" for choice in complete.choices]


def command(address: str, *words: str) -> str:
    """The command line that does that at this address."""
    where = () if address == DEFAULT_ADDRESS else ("--address", address)
    return " ".join(("fabula", *where, *words))


def complaint(error: FabulaError, address: str) -> str:
    """What went wrong and what to do, in one plain line."""
    match error:
        case InvalidRequest() if error.violations:
            return "The request was refused. " + "; ".join(_violation(*each) for each in error.violations)
        case Unavailable() if error.run_id:
            again = command(address, "watch", error.run_id, "--after", str(error.last_sequence))
            return f"The connection to {address} is lost. Go on later with: {again}"
        case Unavailable() if not error.reason:
            return f"No service answers at {address}: start it with `make run`."
        case RunFailed() if error.partial_text_id:
            return f"{error.message} What was told is kept: {command(address, 'watch', error.partial_text_id)}"
    return error.message


def farewell(run_id: str, address: str) -> str:
    """What to do about a run that was left."""
    if not run_id:
        return "Stopped before the run began."
    watch, cancel = command(address, "watch", run_id), command(address, "cancel", run_id)
    return f"Stopped. The run may go on for a while. Watch it: {watch}. Cancel it: {cancel}."


def _violation(field: str, description: str) -> str:
    return description if not field or description.startswith(f"{field}:") else f"{field}: {description}"
