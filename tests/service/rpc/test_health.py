"""grpc.health.v1: serving while it serves, not serving as soon as it stops."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.harness import WITHIN, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ["", "fabula.story.v1.StoryService", "fabula.run.v1.RunService", "fabula.child.v1.ChildService"]


def health(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


async def test_every_service_and_the_whole_are_serving() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        stub = health(served.channel)
        for name in NAMES:
            assert (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status == SERVING


async def test_a_service_that_does_not_exist_is_not_found() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await health(served.channel).Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND


async def test_watchers_learn_at_once_that_the_service_stops() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        stub = health(served.channel)
        watches = [aiter(stub.Watch(health_pb2.HealthCheckRequest(service=name))) for name in NAMES]
        assert [(await anext(watch)).status for watch in watches] == [SERVING] * len(NAMES)
        stopping = asyncio.create_task(served.app.stop(3_600))
        assert [(await anext(watch)).status for watch in watches] == [NOT_SERVING] * len(NAMES)
        await served.channel.close()
        await stopping
