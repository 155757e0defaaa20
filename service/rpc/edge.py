"""The edge of the server: what holds for every call, whatever the service.

One interceptor, one frame around each call: its request id, its request parsed and validated, its errors turned into a
status, one log line at its end. Streams pass through without a layer of their own for each message.
"""

import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias, TypeVar, cast

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message
from structlog.contextvars import bound_contextvars

from service.rpc.status import CODES, abort, status_of
from service.rpc.validation import parse

_log = structlog.get_logger("fabula.rpc")

REQUEST_ID_KEY = "x-request-id"
_REQUEST_ID = re.compile(r"[!-~]{1,128}")

Context = grpc.aio.ServicerContext[Any, Any]
# Quoted: grpc's own class takes no parameters at run time.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

_T = TypeVar("_T")


class Edge(grpc.aio.ServerInterceptor):
    """Wraps every method of Fabula's own services; health and reflection pass through."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith("/fabula."):
            return handler
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(_streaming(method, handler))
        return grpc.unary_unary_rpc_method_handler(_unary(method, handler))


def _unary(method: str, handler: Handler) -> Callable[[bytes, Context], Awaitable[bytes]]:
    behavior = cast("Callable[[Message, Context], Awaitable[Any]]", handler.unary_unary)
    deserializer = cast("Callable[[bytes], Message]", handler.request_deserializer)

    async def call(data: bytes, context: Context) -> bytes:
        async def work() -> bytes:
            return _serialize(await behavior(parse(deserializer, data), context))

        return await _framed(method, context, work)

    return call


def _streaming(method: str, handler: Handler) -> Callable[[bytes, Context], Awaitable[None]]:
    behavior = cast("Callable[[Message, Context], AsyncIterator[Any]]", handler.unary_stream)
    deserializer = cast("Callable[[bytes], Message]", handler.request_deserializer)

    async def call(data: bytes, context: Context) -> None:
        async def work() -> None:
            responses = cast("Any", behavior(parse(deserializer, data), context))
            async with aclosing(responses):
                async for response in responses:
                    await context.write(_serialize(response))

        await _framed(method, context, work)

    return call


async def _framed(method: str, context: Context, work: Callable[[], Awaitable[_T]]) -> _T:
    request_id = _request_id(context)
    started, code = time.monotonic(), grpc.StatusCode.CANCELLED
    with bound_contextvars(x_request_id=request_id):
        try:
            await context.send_initial_metadata(((REQUEST_ID_KEY, request_id),))
            result = await work()
            code = grpc.StatusCode.OK
        except Exception as error:  # noqa: BLE001 -- the edge: past here an exception's text would reach the caller
            status = status_of(error)
            code = CODES[status.code]
            await abort(context, status)
        else:
            return result
        finally:
            _log.info("rpc", method=method, code=code.name, seconds=round(time.monotonic() - started, 4))


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex


def _serialize(response: Any) -> bytes:
    # Events of a run come as the bytes that the log holds.
    return response if isinstance(response, bytes) else cast("bytes", response.SerializeToString())
