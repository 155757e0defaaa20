"""What it takes to start a run, and what a process takes on."""

import time
from dataclasses import dataclass, field

from fabula.run.v1 import run_pb2
from service.runtime.ports import Codec, Job
from service.runtime.quota import AccountLimits
from service.runtime.run import RUNNING, new_run_id, timestamp
from service.runtime.stores import RunRecord


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process takes on.

    `run_seconds` bounds a run's time without its pauses, `pause_seconds` these together, `linger_seconds` its time
    unwatched. `cancel_seconds` is how long a cancelled job may take to stop before its run is ended without it, and
    `settle_seconds` how long a stopping process tries to commit the ends of its runs.
    """

    max_runs: int = 100
    max_streams: int = 100
    run_watchers: int = 100
    account: AccountLimits = field(default_factory=AccountLimits)
    run_seconds: float = 300
    pause_seconds: float = 300
    linger_seconds: float = 60
    cancel_seconds: float = 2
    settle_seconds: float = 5


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A run to be started.

    `fingerprint` tells its request from another with the same `request_id`. `deadline` is the caller's own bound on
    its end, in the event loop's time; None when there is none.
    """

    codec: Codec
    job: Job
    principal: str
    fingerprint: bytes
    child_id: str
    story_id: str
    model: str
    request_id: str = ""
    prompt_version: str = ""
    cancel_on_disconnect: bool = False
    deadline: float | None = None


def new_record(spec: RunSpec) -> RunRecord:
    """The run as it is stored first: RUNNING, since it begins as soon as it is stored."""
    now = timestamp(time.time_ns())
    run = run_pb2.Run(
        run_id=new_run_id(),
        workflow=spec.codec.workflow,
        state=RUNNING,
        child_id=spec.child_id,
        story_id=spec.story_id,
        request_id=spec.request_id,
        model=spec.model,
        prompt_version=spec.prompt_version,
        create_time=now,
        update_time=now,
    )
    return RunRecord(run, spec.principal, spec.fingerprint)


LOCAL_PRINCIPAL = "local"
"""Whose every run is while callers have no identity of their own."""
