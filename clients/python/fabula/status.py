"""From what the service answers to typed errors: the one table."""

from collections.abc import Iterator, Mapping
from typing import cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from fabula import errors
from fabula.run.v1 import run_pb2

REASONS: Mapping["run_pb2.ErrorReason.ValueType", type[errors.FabulaError]] = {
    run_pb2.ERROR_REASON_VALIDATION_FAILED: errors.InvalidRequest,
    run_pb2.ERROR_REASON_MALFORMED_REQUEST: errors.InvalidRequest,
    run_pb2.ERROR_REASON_PAGE_TOKEN_INVALID: errors.InvalidRequest,
    run_pb2.ERROR_REASON_INPUT_UNFIT: errors.InputUnfit,
    run_pb2.ERROR_REASON_CHILD_NOT_FOUND: errors.NotFound,
    run_pb2.ERROR_REASON_STORY_NOT_FOUND: errors.NotFound,
    run_pb2.ERROR_REASON_RUN_NOT_FOUND: errors.NotFound,
    run_pb2.ERROR_REASON_REQUEST_ID_REUSED: errors.RequestIdReused,
    run_pb2.ERROR_REASON_CURSOR_OUT_OF_RANGE: errors.CursorOutOfRange,
    run_pb2.ERROR_REASON_RUN_STATE_CONFLICT: errors.RunStateConflict,
    run_pb2.ERROR_REASON_NOT_IMPLEMENTED: errors.NotImplementedYet,
    run_pb2.ERROR_REASON_RUN_CANCELLED: errors.RunCancelled,
    run_pb2.ERROR_REASON_RUN_INTERRUPTED: errors.RunInterrupted,
    run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED: errors.RunDeadlineExceeded,
    run_pb2.ERROR_REASON_CONTENT_REJECTED: errors.ContentRejected,
    run_pb2.ERROR_REASON_REVIEW_UNAVAILABLE: errors.ReviewUnavailable,
    run_pb2.ERROR_REASON_MODEL_UNAVAILABLE: errors.ModelFailed,
    run_pb2.ERROR_REASON_MODEL_NOT_FOUND: errors.ModelFailed,
    run_pb2.ERROR_REASON_MODEL_TIMEOUT: errors.ModelFailed,
    run_pb2.ERROR_REASON_MODEL_OUTPUT_INVALID: errors.ModelFailed,
    run_pb2.ERROR_REASON_MODEL_OUTPUT_TRUNCATED: errors.ModelFailed,
    run_pb2.ERROR_REASON_STORE_UNAVAILABLE: errors.Unavailable,
    run_pb2.ERROR_REASON_TOO_MANY_STREAMS: errors.Overloaded,
    run_pb2.ERROR_REASON_TOO_MANY_RUNS: errors.Overloaded,
    run_pb2.ERROR_REASON_RATE_LIMITED: errors.Overloaded,
    run_pb2.ERROR_REASON_SHUTTING_DOWN: errors.Unavailable,
    run_pb2.ERROR_REASON_UNAUTHENTICATED: errors.Unauthenticated,
    run_pb2.ERROR_REASON_PERMISSION_DENIED: errors.PermissionDenied,
    run_pb2.ERROR_REASON_INTERNAL: errors.ServiceFault,
    run_pb2.ERROR_REASON_CHAPTER_NOT_FOUND: errors.NotFound,
    run_pb2.ERROR_REASON_STORY_ENDED: errors.StoryEnded,
    run_pb2.ERROR_REASON_TOKEN_EXPIRED: errors.TokenExpired,
    run_pb2.ERROR_REASON_IDENTITY_UNAVAILABLE: errors.Unavailable,
}
"""The class of every reason of the service."""

CODES: Mapping[grpc.StatusCode, type[errors.FabulaError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.UNIMPLEMENTED: errors.NotImplementedYet,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.INTERNAL: errors.ServiceFault,
}
"""The class of a status without a reason that this client knows: from a proxy, from gRPC or from a newer service."""

_KINDS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
    error_details_pb2.QuotaFailure,
)

# Proxies and gRPC itself report a torn connection under these codes too; only their words tell it from a fault.
_TORN_CODES = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
_TORN_WORDS = ("RST_STREAM", "unexpected EOS", "Stream removed")

# What gRPC says of a call that never left this machine. Words that it may change, but then such a call is taken for one
# that was sent, which is the safe mistake.
_UNSENT_WORDS = ("failed to connect to all addresses", "errors resolving")

# By these the service turns a call away before it begins to work on it.
_TURNED_AWAY = frozenset({"SHUTTING_DOWN", "TOO_MANY_STREAMS", "TOO_MANY_RUNS", "RATE_LIMITED", "IDENTITY_UNAVAILABLE"})

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


def from_rpc_error(error: grpc.aio.AioRpcError) -> errors.FabulaError:
    """The typed error of a failed call; `error` becomes its cause."""
    details = _details(_rich_status(error))
    message = error.details() or error.code().name
    reason = _reason(details)
    typed = _class_of(error.code(), reason, message, details)(message, error.code(), reason, details)
    typed.__cause__ = error
    return typed


def from_run_error(error: run_pb2.RunError, run_id: str) -> errors.RunFailed:
    """The typed error of a run's terminal `error` event."""
    reason = run_pb2.ErrorReason.DESCRIPTOR.values_by_number.get(error.code)
    name = reason.name.removeprefix("ERROR_REASON_") if reason is not None else ""
    kind = REASONS.get(error.code, errors.RunFailed)
    code = _STATUS_CODES.get(error.status.code, grpc.StatusCode.UNKNOWN)
    # STORE_UNAVAILABLE or INTERNAL end a run as well as a call; here it is the run that failed.
    failed = kind if issubclass(kind, errors.RunFailed) else errors.RunFailed
    typed = failed(error.message, code, name, _details(error.status))
    typed.run_id = run_id
    typed.error = error
    return typed


def surely_undone(error: errors.FabulaError) -> bool:
    """Whether a call that failed so is known to have changed nothing. False says that it may have been done."""
    if error.reason:
        return error.reason in _TURNED_AWAY
    return error.code is grpc.StatusCode.UNAVAILABLE and error.message.startswith(_UNSENT_WORDS)


def _class_of(
    code: grpc.StatusCode, reason: str, message: str, details: tuple[Message, ...]
) -> type[errors.FabulaError]:
    known = REASONS.get(errors.reason_value(reason))
    if known is not None:
        # STORE_UNAVAILABLE or INTERNAL end a run as well as a call; the service names the run then.
        return errors.RunFailed if _names_a_run(details) and not issubclass(known, errors.RunFailed) else known
    if not details and code in _TORN_CODES and any(words in message for words in _TORN_WORDS):
        return errors.Unavailable
    return CODES.get(code, errors.FabulaError)


def _names_a_run(details: tuple[Message, ...]) -> bool:
    return any(isinstance(each, error_details_pb2.ErrorInfo) and "run_id" in each.metadata for each in details)


def _rich_status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    try:
        # The reader of the synchronous API fits: an AioRpcError answers code, details and metadata without awaiting.
        status = rpc_status.from_call(cast("grpc.Call", error))
    except (ValueError, DecodeError):
        status = None  # not the service's own: a proxy replaced the code or the message
    return cast("status_pb2.Status", status) if status is not None else status_pb2.Status()


def _details(status: status_pb2.Status) -> tuple[Message, ...]:
    return tuple(_unpacked(status))


def _unpacked(status: status_pb2.Status) -> Iterator[Message]:
    for detail in status.details:
        for kind in _KINDS:
            if detail.Is(kind.DESCRIPTOR):
                yield kind.FromString(detail.value)


def _reason(details: tuple[Message, ...]) -> str:
    for detail in details:
        if isinstance(detail, error_details_pb2.ErrorInfo) and detail.domain == errors.DOMAIN:
            return str(detail.reason)
    return ""
