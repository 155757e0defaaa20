"""Which state may follow which, and what a run's message says of it."""

from itertools import product

import pytest

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.runtime.run import (
    CANCELLED,
    END_STATES,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    IllegalTransitionError,
    end_state,
    fingerprint,
    new_run_id,
    timestamp,
    transition,
)

ALLOWED = {
    (PENDING, RUNNING),
    (PENDING, FAILED),
    (PENDING, CANCELLED),
    (RUNNING, PAUSED),
    (RUNNING, SUCCEEDED),
    (RUNNING, FAILED),
    (RUNNING, CANCELLED),
    (PAUSED, RUNNING),
    (PAUSED, FAILED),
    (PAUSED, CANCELLED),
}

PAIRS = list(product(run_pb2.RunState.values(), repeat=2))


def of_state(state: run_pb2.RunState.ValueType) -> run_pb2.Run:
    run = run_pb2.Run(run_id="run", workflow="story", state=state, child_id="1")
    run.create_time.CopyFrom(timestamp(1_000_000_001))
    return run


def named(pair: object) -> str:
    assert isinstance(pair, tuple)
    return "-".join(run_pb2.RunState.Name(state).removeprefix("RUN_STATE_") for state in pair)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair in ALLOWED], ids=named)
def test_an_allowed_transition_gives_a_copy_in_the_next_state(
    pair: tuple[run_pb2.RunState.ValueType, run_pb2.RunState.ValueType],
) -> None:
    before, after = pair
    run = of_state(before)
    changed = transition(run, after)
    assert run == of_state(before)
    assert changed.state == after
    assert changed.create_time == run.create_time
    assert changed.update_time.ToNanoseconds() > run.create_time.ToNanoseconds()
    assert changed.HasField("end_time") == (after in END_STATES)
    assert changed.end_time in (changed.update_time, run_pb2.Run().end_time)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in ALLOWED], ids=named)
def test_every_other_transition_is_refused(
    pair: tuple[run_pb2.RunState.ValueType, run_pb2.RunState.ValueType],
) -> None:
    with pytest.raises(IllegalTransitionError):
        transition(of_state(pair[0]), pair[1])


def test_no_end_state_is_ever_left() -> None:
    assert not [pair for pair in ALLOWED if pair[0] in END_STATES]


def test_a_transition_carries_the_error() -> None:
    error = run_pb2.RunError(message="no", code=run_pb2.ERROR_REASON_INTERNAL)
    assert transition(of_state(RUNNING), FAILED, error).error == error


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, SUCCEEDED),
        (run_pb2.RunError(code=run_pb2.ERROR_REASON_RUN_CANCELLED), CANCELLED),
        (run_pb2.RunError(code=run_pb2.ERROR_REASON_INTERNAL), FAILED),
        (run_pb2.RunError(code=run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED), FAILED),
        (run_pb2.RunError(), FAILED),
    ],
)
def test_a_terminal_event_stands_for_one_end_state(
    error: run_pb2.RunError | None, state: run_pb2.RunState.ValueType
) -> None:
    assert end_state(error) == state


def test_a_timestamp_keeps_every_nanosecond() -> None:
    assert timestamp(1_999_999_999).ToNanoseconds() == 1_999_999_999


def test_a_fingerprint_tells_bodies_apart_and_only_them() -> None:
    night = story_pb2.GenerateStoryRequest(child_id="1", theme="night")
    assert fingerprint(night) == fingerprint(story_pb2.GenerateStoryRequest(theme="night", child_id="1"))
    assert fingerprint(night) != fingerprint(story_pb2.GenerateStoryRequest(child_id="1", theme="nights"))
    assert fingerprint(night) != fingerprint(story_pb2.GenerateStoryRequest(child_id="1", title="night"))


def test_run_ids_are_fit_for_requests_and_differ() -> None:
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(run_id) == 32 and run_id.isalnum() for run_id in ids)
