"""How a run ends: one terminal event in the log, then the end state in the store. Also after a crash."""

from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from service.runtime.ports import Codec, EventLog
from service.runtime.run import PAUSED, PENDING, RUNNING, SUCCEEDED, end_state, transition
from service.runtime.stores import Store
from service.runtime.writer import RunWriter, reopen


async def conclude(
    log: EventLog, store: Store, codec: Codec, run: run_pb2.Run, body: Message, writer: RunWriter | None = None
) -> run_pb2.Run:
    """Ends the run with `body`, unless its log has a terminal event already; then that one counts.

    The log comes first: a crash between the two leaves a terminal event and an open state, and the next start calls
    this again. Raises StoreUnavailable, and LogConflictError when another process writes the run.
    """
    payload: bytes | None = None
    if writer is None or writer.failed:
        writer, payload = await reopen(log, codec, run.run_id)
    if payload is None:
        payload = await writer.finish(body)
    error = codec.error(payload)
    state = end_state(error)
    # Stored as paused though it went on: the store failed in between, and the log is what counts.
    run = transition(run, RUNNING) if run.state == PAUSED and state == SUCCEEDED else run
    ended = transition(run, state, error)
    ended.last_sequence = writer.last_sequence
    await restate(store, ended)
    return ended


async def restate(store: Store, run: run_pb2.Run) -> bool:
    """Stores the run, which has not ended there; False when it has.

    Whether it is stored as RUNNING or PAUSED may be unknown: a change whose answer was lost may have been made.
    """
    for state in (RUNNING, PAUSED, PENDING):
        if await store.update_run(run, state):
            return True
    return False
