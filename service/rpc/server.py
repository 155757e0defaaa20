"""Assembles the gRPC server: services, health, reflection, the edge, and what keeps connections honest."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.errors import ConfigError
from service.rpc.edge import Edge
from service.runtime.caller import Authenticator

MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""gRPC refuses larger requests without details. It is far above every constraint so that those answer, with details."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service to be served: its full name, and the generated function that adds its servicer, already bound."""

    name: str
    add: Callable[[grpc.aio.Server], None]


class RpcServer(AbstractAsyncContextManager["RpcServer"]):
    """The gRPC server on one address. Entering it binds and serves; `stop` ends it gracefully."""

    def __init__(
        self,
        address: str,
        services: Sequence[Service],
        authenticator: Authenticator,
        keepalive_seconds: float,
        timeout: float,
    ) -> None:
        self._address = address
        self._services = services
        self._server = grpc.aio.server(
            interceptors=[Edge(authenticator)], options=server_options(keepalive_seconds, timeout)
        )
        self._health = health.aio.HealthServicer()
        self.port = 0

    async def __aenter__(self) -> Self:
        for service in self._services:
            service.add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [service.name for service in self._services]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise ConfigError(
                [f"FABULA_GRPC_ADDRESS: {self._address} can't be bound: is it in use? Take another port, or 0 for any"]
            ) from error
        await self._server.start()
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(0)

    async def stop(self, grace_seconds: float) -> None:
        """Refuses new calls at once, lets those under way end within the grace, and cuts the rest."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


def server_options(keepalive_seconds: float, timeout_seconds: float) -> list[tuple[str, Any]]:
    """The channel arguments of the server."""
    keepalive, timeout = int(keepalive_seconds * 1000), int(timeout_seconds * 1000)
    return [
        ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
        # A frozen client is noticed within keepalive + timeout. Without ping_timeout, keepalive alone takes minutes.
        ("grpc.keepalive_time_ms", keepalive),
        ("grpc.keepalive_timeout_ms", timeout),
        ("grpc.http2.ping_timeout_ms", timeout),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Clients may ping as often as every five seconds before they are told too_many_pings.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        # Otherwise HTTP/2 buffers megabytes for a reader that has stopped.
        ("grpc.http2.bdp_probe", 0),
        # Two processes on one port would each answer for half of the runs.
        ("grpc.so_reuseport", 0),
    ]
