"""A service that plays what a test tells it to, with a gateway: what a proxy stands in front of, under control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio

from fabula.run.v1 import run_service_pb2_grpc
from fabula.story.v1 import story_service_pb2_grpc
from fabula.story.v1.story_pb2 import StoryEvent
from service.gateway.app import Gateway
from service.gateway.server import HttpServer
from service.gateway.upstream import Upstream
from tests.deploy.proxy import Behind
from tests.service.gateway.upstream import SERVICES, Scripted, told


@dataclass(frozen=True)
class Playing:
    """The script, and where it is played."""

    service: Scripted
    behind: Behind


@asynccontextmanager
async def playing(**settings: Any) -> AsyncIterator[Playing]:
    """Plays, and serves a gateway with these settings."""
    service, server = Scripted(), grpc.aio.server()
    story_service_pb2_grpc.add_StoryServiceServicer_to_server(service.as_story(), server)
    run_service_pb2_grpc.add_RunServiceServicer_to_server(service.as_run(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with (
            Upstream(f"127.0.0.1:{port}") as upstream,
            HttpServer("127.0.0.1:0", Gateway(SERVICES, upstream, **settings)) as http,
        ):
            yield Playing(service, Behind(http.port, port))
    finally:
        await server.stop(0)


class Turns:
    """A play in which each event waits until its reader has said, by `next`, that it has the one before."""

    def __init__(self, count: int) -> None:
        self._events = told(*(f"Once upon a time there were {number} foxes. " for number in range(1, count)))
        self._turns = asyncio.Semaphore(0)
        self.left = len(self._events)

    async def play(self, request: Any, context: Any) -> AsyncIterator[StoryEvent]:
        """As a script wants it."""
        del request, context
        for event in self._events:
            yield event
            await self._turns.acquire()

    def next(self) -> None:
        """One more event was read."""
        self.left -= 1
        self._turns.release()
