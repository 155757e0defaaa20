"""RPCs with one answer: JSON."""

import asyncio

import grpc.aio
from google.protobuf.message import Message

from service.gateway.exchange import Exchange
from service.gateway.render import render
from service.gateway.routes import Route
from service.gateway.statuses import refusal
from service.gateway.upstream import Upstream


async def answer_single(exchange: Exchange, route: Route, request: Message, upstream: Upstream) -> None:
    """Calls the RPC and answers. When the caller goes first, the call is cancelled."""
    data = request.SerializeToString()
    call = upstream.unary(route.rpc, data, exchange.metadata(), exchange.timeout())
    gone = asyncio.create_task(exchange.until_gone())
    gone.add_done_callback(lambda _: call.cancel())
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        raise refusal(error) from None
    except asyncio.CancelledError:
        if not gone.done() or (current := asyncio.current_task()) is None or current.cancelling():
            raise
        return
    finally:
        gone.cancel()
    await exchange.answer_json(200, render(route.response.FromString(response)))
