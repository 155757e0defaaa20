"""Ends the runs that a crash left open."""

from collections.abc import Mapping

import structlog
from google.protobuf.message import DecodeError

from fabula.run.v1 import run_pb2
from service.errors import RunInterrupted, to_run_error
from service.runtime.ending import conclude
from service.runtime.ports import Codec, EventLog
from service.runtime.stores import RunRecord, Store

_log = structlog.get_logger("fabula.runtime")

INTERRUPTED = "The service stopped while the run was under way. Its text is kept; ask again with a new request_id."


async def recover(log: EventLog, store: Store, codecs: Mapping[str, Codec]) -> None:
    """Ends every run that has not ended. For a start, when none is under way."""
    for record in await store.unfinished_runs():
        codec = codecs.get(record.run.workflow)
        if codec is None:
            _log.warning("run_left_open", run_id=record.run.run_id, workflow=record.run.workflow)
        else:
            await _recover(log, store, codec, record)


async def _recover(log: EventLog, store: Store, codec: Codec, record: RunRecord) -> None:
    error = to_run_error(RunInterrupted(INTERRUPTED), record.run.run_id)
    try:
        ended = await conclude(log, store, codec, record.run, error)
    except DecodeError:
        # One damaged record must not keep every other story from being told.
        _log.error("run_left_open", run_id=record.run.run_id, error="DecodeError")
        return
    _log.info("run_recovered", run_id=ended.run_id, state=run_pb2.RunState.Name(ended.state))
