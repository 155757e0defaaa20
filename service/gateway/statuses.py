"""From how a gRPC call ended to an HTTP answer: the one table, and the body that mirrors google.rpc.Status."""

import math
import re
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from service.gateway.refusals import Refused
from service.gateway.render import render

HTTP_STATUSES = {
    code_pb2.CANCELLED: 499,
    code_pb2.UNKNOWN: 500,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.DEADLINE_EXCEEDED: 504,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.ABORTED: 409,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DATA_LOSS: 500,
    code_pb2.UNAUTHENTICATED: 401,
}
"""As google/rpc/code.proto maps them."""

# gRPC's own words for these hold addresses and the like.
_WORDS = {
    code_pb2.UNAVAILABLE: "The service can't be reached now. Try again soon.",
    code_pb2.DEADLINE_EXCEEDED: "The answer took longer than this call allows.",
    code_pb2.UNIMPLEMENTED: "The service does not have this call.",
    code_pb2.RESOURCE_EXHAUSTED: "The request or the answer is too large.",
    code_pb2.CANCELLED: "The call was cancelled.",
}
_OTHER_WORDS = "A fault between the gateway and the service."
_DETAILS_KEY = "grpc-status-details-bin"
_RETRY_SECONDS = 1


def refusal(error: grpc.aio.AioRpcError) -> Refused:
    """The answer to a call that ended so."""
    status = status_of(error)
    headers = {"Retry-After": str(seconds)} if (seconds := _retry_seconds(status)) else {}
    if (failure := _detail(status, error_details_pb2.QuotaFailure)) is not None:
        headers |= _rate_limit(failure, seconds)
    if status.code == code_pb2.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return Refused(HTTP_STATUSES.get(status.code, 500), status, headers)


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The status that the service gave, or one in words of ours when the call did not get as far."""
    code = error.code().value[0]
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status(code=code, message=_WORDS.get(code, _OTHER_WORDS))


def ended_run(error: grpc.aio.AioRpcError) -> str:
    """The run whose bad end the call repeats; empty when it is the call itself that failed."""
    info = _detail(status_of(error), error_details_pb2.ErrorInfo)
    return "" if info is None else str(info.metadata.get("run_id", ""))


def body_of(status: status_pb2.Status) -> dict[str, Any]:
    """The status as JSON. `code` is google.rpc.Code's number, `status` its name."""
    names = code_pb2.Code.DESCRIPTOR.values_by_number
    name = names[status.code].name if status.code in names else "UNKNOWN"
    details = [render(detail) for detail in status.details]
    return {"error": {"code": status.code, "status": name, "message": status.message, "details": details}}


def _retry_seconds(status: status_pb2.Status) -> int:
    info = _detail(status, error_details_pb2.RetryInfo)
    if info is not None:
        return max(1, math.ceil(float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)))
    return _RETRY_SECONDS if status.code == code_pb2.UNAVAILABLE else 0


def _rate_limit(failure: Any, seconds: int) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has it: what is allowed, what is left of it, and when there is more."""
    told = [each for each in failure.violations if re.fullmatch(r"[a-z_]+", each.quota_id)]
    window = {"runs_per_minute": ";w=60"}
    return (
        {
            "RateLimit-Policy": ", ".join(
                f'"{each.quota_id}";q={each.quota_value}{window.get(each.quota_id, "")}' for each in told
            ),
            "RateLimit": ", ".join(f'"{each.quota_id}";r=0;t={seconds}' for each in told),
        }
        if told
        else {}
    )


def _detail(status: status_pb2.Status, kind: Any) -> Any:
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            try:
                return kind.FromString(detail.value)
            except DecodeError:
                return None
    return None
