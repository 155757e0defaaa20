"""How a run ends: one terminal event in the log, then the end state in the store. Also after a crash."""

from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from service.runtime.ports import Codec, EventLog
from service.runtime.run import end_state, transition
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
    ended = transition(run, end_state(error), error)
    ended.last_sequence = writer.last_sequence
    await store.update_run(ended, run.state)
    return ended
