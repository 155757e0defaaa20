"""Any error to the status that its RPC ends with. The errors themselves and their details are in `service.errors`."""

from typing import NoReturn

import grpc
import structlog
from google.rpc import status_pb2

from service.errors import FabulaError, Internal, RunEnded, to_status
from service.logs import places

_log = structlog.get_logger("fabula.rpc")

CODES = {code.value[0]: code for code in grpc.StatusCode}
"""gRPC's status codes by their number, which is google.rpc.Code's as well."""

_DETAILS_KEY = "grpc-status-details-bin"


def status_of(error: Exception) -> status_pb2.Status:
    """The status of an error. One that is not ours becomes INTERNAL, and goes to the log without its message."""
    if isinstance(error, RunEnded):
        return error.status
    if isinstance(error, FabulaError):
        return to_status(error)
    # The type and the places, never the message: it may quote the text of a story.
    _log.error("rpc_fault", error=type(error).__name__, places=places(error))
    return to_status(Internal("A fault of the service. Its log has it under the x-request-id of this call."))


async def abort(context: grpc.aio.ServicerContext[object, object], status: status_pb2.Status) -> NoReturn:
    """Ends the RPC with the status, its details in the trailing metadata. Always raises."""
    await context.abort(
        CODES[status.code], status.message, trailing_metadata=((_DETAILS_KEY, status.SerializeToString()),)
    )
