"""The gateway's side of gRPC: one channel, calls as bytes."""

from collections.abc import Sequence
from typing import Any

import grpc.aio
from google.protobuf.descriptor import MethodDescriptor

from service.gateway.routes import path_of

_MAX_ANSWER_BYTES = 64 * 1024 * 1024

_OPTIONS: Sequence[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Without this one a frozen service is noticed after a minute or never, whatever the two above say.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Otherwise HTTP/2 buffers megabytes for a browser that has stopped reading.
    ("grpc.http2.bdp_probe", 0),
    # A call that gRPC repeats by itself could start a second run.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # HTTP_PROXY is meant for the world outside.
    ("grpc.enable_http_proxy", 0),
]


class Upstream:
    """Calls of the services behind the gateway. An async context manager."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.aio.insecure_channel(target, options=_OPTIONS)

    async def __aenter__(self) -> "Upstream":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()

    def unary(
        self, rpc: MethodDescriptor, request: bytes, metadata: Sequence[tuple[str, str]], timeout: float | None
    ) -> Any:
        """A call of one answer; awaiting it gives the answer's bytes."""
        call: Any = self.channel.unary_unary(path_of(rpc))
        return call(request, metadata=metadata, timeout=timeout)

    def stream(
        self, rpc: MethodDescriptor, request: bytes, metadata: Sequence[tuple[str, str]], timeout: float | None
    ) -> Any:
        """A call that streams; iterating it gives the bytes of each answer."""
        call: Any = self.channel.unary_stream(path_of(rpc))
        return call(request, metadata=metadata, timeout=timeout)
