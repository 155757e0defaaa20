"""Tells the reader when a node starts, completes or fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fabula.run.v1 import run_pb2
from service.errors import FabulaError
from service.runtime.ports import Emitter


@asynccontextmanager
async def observed(emitter: Emitter, node: str, iteration: int, progress_percent: int) -> AsyncIterator[None]:
    """Emits `started`, then `completed` or `failed`. A cancelled node emits nothing more: its run is ending."""

    async def emit(status: "run_pb2.NodeStatus.ValueType") -> None:
        await emitter.emit(run_pb2.NodeEvent(node=node, status=status, iteration=iteration), progress_percent)

    await emit(run_pb2.NODE_STATUS_STARTED)
    try:
        yield
    except Exception as error:
        try:
            await emit(run_pb2.NODE_STATUS_FAILED)
        except FabulaError:
            # The log can't be written: that is the error which the run ends with, and the node's may be its echo.
            raise error from None
        raise
    await emit(run_pb2.NODE_STATUS_COMPLETED)
