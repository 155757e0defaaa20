"""Calls as bytes, and refusals taken apart: what a caller in any language sees of an error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"

_INTERNALS = re.compile(r"Traceback|\w(Error|Exception)\b|\.py\b|/\w+/|line \d+|<class|object at 0x")


@dataclass(frozen=True)
class Refusal:
    """How a call ended badly. `violations` maps the fields that BadRequest names to their descriptions."""

    code: grpc.StatusCode
    message: str
    status: status_pb2.Status | None
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    retry_seconds: float | None = None
    everything: str = ""

    def tells_internals(self) -> bool:
        """Whether any part of it has a class, a path or a place in our code."""
        return bool(_INTERNALS.search(self.everything))


def tells_internals(text: str) -> bool:
    return bool(_INTERNALS.search(text))


def unary(channel: grpc.aio.Channel, method: str) -> Any:
    """A multicallable that sends and returns bytes."""
    return channel.unary_unary(f"/{method}")


def stream(channel: grpc.aio.Channel, method: str) -> Any:
    """A multicallable that sends bytes and streams bytes."""
    return channel.unary_stream(f"/{method}")


async def refusal(channel: grpc.aio.Channel, method: str, request: Message | bytes, **options: Any) -> Refusal:
    """Makes the call, whose first word must be its refusal."""
    data = request if isinstance(request, bytes) else request.SerializeToString()
    streams = method.endswith(("/GenerateStory", "/WatchStory"))
    try:
        if streams:
            async for answer in stream(channel, method)(data, **options):
                raise AssertionError(answer)
        else:
            raise AssertionError(await unary(channel, method)(data, **options))
    except grpc.aio.AioRpcError as error:
        return taken_apart(error)
    raise AssertionError("the call was answered")


def taken_apart(error: grpc.aio.AioRpcError) -> Refusal:
    """Also checks that status, message and details agree."""
    message = error.details() or ""
    trailing = dict(error.trailing_metadata() or ())
    raw = trailing.get(DETAILS_KEY)
    everything = f"{message} {trailing} {dict(error.initial_metadata() or ())}"
    if raw is None:
        return Refusal(error.code(), message, None, everything=everything)
    assert isinstance(raw, bytes)
    status = status_pb2.Status.FromString(raw)
    assert (status.code, status.message) == (error.code().value[0], message)
    details = {type(detail).__name__: detail for detail in _details(status)}
    info = details["ErrorInfo"]
    assert info.domain == "fabula"
    retry = details.get("RetryInfo")
    bad_request = details.get("BadRequest", error_details_pb2.BadRequest())
    return Refusal(
        error.code(),
        message,
        status,
        info.reason,
        dict(info.metadata),
        {each.field: each.description for each in bad_request.field_violations},
        retry and retry.retry_delay.ToTimedelta().total_seconds(),
        everything + "".join(str(detail) for detail in details.values()),
    )


def _details(status: status_pb2.Status) -> Iterator[Any]:
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        detail = getattr(error_details_pb2, name)()
        assert packed.Unpack(detail)
        yield detail
