"""Statuses as the service, a proxy or gRPC itself sends them."""

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2


def packed(message: Message) -> any_pb2.Any:
    """The message as a detail of a google.rpc.Status."""
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


def status(code: grpc.StatusCode, reason: str = "", *details: Message, **metadata: str) -> status_pb2.Status:
    """A google.rpc.Status as the service makes it; without a reason, one as gRPC or a proxy makes it."""
    info = [error_details_pb2.ErrorInfo(domain="fabula", reason=reason, metadata=metadata)] if reason else []
    return status_pb2.Status(
        code=code.value[0], message=f"{code.name} {reason}.", details=[packed(each) for each in (*info, *details)]
    )


def retry_in(seconds: float) -> error_details_pb2.RetryInfo:
    """A RetryInfo of so many seconds."""
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(seconds * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


LOST = status(grpc.StatusCode.UNAVAILABLE)
