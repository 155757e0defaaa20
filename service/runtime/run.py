"""The states of a run, and which may follow which."""

import hashlib
import time
import uuid

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fabula.run.v1 import run_pb2

PENDING = run_pb2.RUN_STATE_PENDING
RUNNING = run_pb2.RUN_STATE_RUNNING
PAUSED = run_pb2.RUN_STATE_PAUSED
SUCCEEDED = run_pb2.RUN_STATE_SUCCEEDED
FAILED = run_pb2.RUN_STATE_FAILED
CANCELLED = run_pb2.RUN_STATE_CANCELLED

END_STATES = frozenset({SUCCEEDED, FAILED, CANCELLED})

_NEXT = {
    PENDING: frozenset({RUNNING, FAILED, CANCELLED}),
    RUNNING: frozenset({PAUSED}) | END_STATES,
    PAUSED: frozenset({RUNNING, FAILED, CANCELLED}),
}


class IllegalTransitionError(Exception):
    """A run was to go into a state that may not follow the one it is in: a fault of ours."""


def new_run_id() -> str:
    return uuid.uuid4().hex


def timestamp(time_ns: int) -> Timestamp:
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)


def fingerprint(body: Message) -> bytes:
    """Tells one request body from another; the caller has cleared the request_id."""
    return hashlib.sha256(body.SerializeToString(deterministic=True)).digest()


def transition(
    run: run_pb2.Run, state: "run_pb2.RunState.ValueType", error: run_pb2.RunError | None = None
) -> run_pb2.Run:
    """A copy of the run in its next state, with its times and its error set. Raises IllegalTransitionError."""
    if state not in _NEXT.get(run.state, frozenset()):
        raise IllegalTransitionError(f"{run_pb2.RunState.Name(run.state)} -> {run_pb2.RunState.Name(state)}")
    now = timestamp(time.time_ns())
    changed = run_pb2.Run()
    changed.CopyFrom(run)
    changed.state = state
    changed.update_time.CopyFrom(now)
    if state in END_STATES:
        changed.end_time.CopyFrom(now)
    if error is not None:
        changed.error.CopyFrom(error)
    return changed


def end_state(error: run_pb2.RunError | None) -> "run_pb2.RunState.ValueType":
    """The end state that a terminal event stands for."""
    if error is None:
        return SUCCEEDED
    return CANCELLED if error.code == run_pb2.ERROR_REASON_RUN_CANCELLED else FAILED
