"""Where a run stands: what its record and the tail of its log say together."""

from fabula.run.v1 import run_pb2
from service.errors import RunNotFound
from service.runtime.ports import LogTail
from service.runtime.run import END_STATES


def is_lost(run: run_pb2.Run, tail: LogTail) -> bool:
    """Whether the run has ended and its log does not say so: its events are erased, or were written to another log."""
    return run.state in END_STATES and not tail.terminal


def with_tail(run: run_pb2.Run, tail: LogTail) -> run_pb2.Run:
    """The run, with its sequences."""
    run.last_sequence = tail.last
    run.oldest_sequence = tail.oldest
    return run


def missing() -> RunNotFound:
    """What a caller is told of a run that is not there, that is somebody else's, or that was erased."""
    return RunNotFound("There is no such run. ListRuns names those that there are.")
