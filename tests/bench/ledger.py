"""What must hold of a run after a crash: nothing seen is lost, and the run has one end."""

from collections.abc import Iterator, Sequence

import grpc

from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import StoryEvent
from tests.bench.wire import Heard

_OK, _INTERRUPTED = grpc.StatusCode.OK, run_pb2.ERROR_REASON_RUN_INTERRUPTED


def violations(seen: Heard, kept: Heard, rest: Heard) -> Iterator[str]:
    """What is wrong with a run.

    `seen` is what its client had when the service was killed, `kept` the whole run watched after the restart, and
    `rest` the run watched after the last sequence seen.
    """
    yield from _of_the_log(kept)
    yield from _of_what_was_seen(seen, kept)
    yield from _of_the_end(seen, kept)
    if rest.payloads != kept.payloads[len(seen.payloads) :]:
        yield f"WatchStory after {len(seen.payloads)} does not give the rest"
    if rest.code is not kept.code:
        yield f"WatchStory after {len(seen.payloads)} ends with {rest.code}, the whole run with {kept.code}"


def _of_the_log(kept: Heard) -> Iterator[str]:
    sequences = [event.sequence for event in kept.events]
    if sequences != list(range(1, len(sequences) + 1)):
        yield f"the sequences have a gap or a double: {sequences}"
    terminal = [event.sequence for event in kept.events if is_terminal(event)]
    if terminal != sequences[-1:]:
        yield f"the terminal events are {terminal} of {len(sequences)}"


def _of_what_was_seen(seen: Heard, kept: Heard) -> Iterator[str]:
    if len(kept.payloads) < len(seen.payloads):
        yield f"{len(seen.payloads)} events were seen and {len(kept.payloads)} are kept"
    for number, (before, after) in enumerate(zip(seen.payloads, kept.payloads, strict=False), start=1):
        if before != after and not _is_withdrawn(before, after, kept.events[number:]):
            yield f"sequence {number} is not byte for byte what was seen"


def _of_the_end(seen: Heard, kept: Heard) -> Iterator[str]:
    if not kept.payloads:
        return
    end = kept.events[-1]
    if end.HasField("error") and not (seen.payloads and is_terminal(seen.events[-1])):
        if end.error.code != _INTERRUPTED:
            yield f"the run ended with {run_pb2.ErrorReason.Name(end.error.code)}"
        if kept.code is not grpc.StatusCode.UNAVAILABLE:
            yield f"the run was interrupted, and watching it ends with {kept.code}"
    if end.HasField("complete") and kept.code is not _OK:
        yield f"the run succeeded, and watching it ends with {kept.code}"


def _is_withdrawn(before: bytes, after: bytes, later: Sequence[StoryEvent]) -> bool:
    """Whether the change is the one that a retraction makes: text blanked, all else as it was."""
    expected = StoryEvent.FromString(before)
    if not expected.HasField("content") or not any(event.HasField("retraction") for event in later):
        return False
    expected.content.chunk, expected.content.withdrawn = "", True
    return expected == StoryEvent.FromString(after)


def is_terminal(event: StoryEvent) -> bool:
    """Whether it ends its run."""
    return event.HasField("complete") or event.HasField("error")
