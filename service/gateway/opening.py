"""A gateway of its configuration, in front of a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.config import Config
from service.gateway.app import Gateway
from service.gateway.server import HttpServer
from service.gateway.services import SERVICES
from service.gateway.upstream import Upstream


@asynccontextmanager
async def open_gateway(config: Config, target: str) -> AsyncIterator[HttpServer]:
    """Serves HTTP on the configured address, in front of the service at this gRPC target. Raises ConfigError."""
    async with Upstream(target) as upstream:
        gateway = Gateway(
            SERVICES,
            upstream,
            hosts=config.allowed_hosts,
            origins=config.allowed_origins,
            ping_seconds=config.heartbeat_seconds,
        )
        async with HttpServer(config.http_address, gateway) as server:
            yield server
