"""/healthz: whether the gateway reaches a service that serves."""

from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.gateway.exchange import Exchange
from service.gateway.statuses import refusal
from service.gateway.upstream import Upstream

WITHIN_SECONDS = 2.0


async def answer_health(exchange: Exchange, upstream: Upstream) -> None:
    """Answers 200 when the service says that it serves, and 503 otherwise."""
    stub: Any = health_pb2_grpc.HealthStub(upstream.channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise refusal(error) from None
    serves = answer.status == health_pb2.HealthCheckResponse.SERVING
    await exchange.answer_json(200 if serves else 503, {"status": "serving" if serves else "not_serving"})
