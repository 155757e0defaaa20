"""The edge of the server: what holds for every call, whatever the service.

One interceptor, one frame around each call: its request id, its caller told and allowed, its request parsed and
validated, its errors turned into a status, one log line at its end. Streams pass through without a layer of their own
for each message.
"""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias, TypeVar, cast

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message
from structlog.contextvars import bound_contextvars

from service.errors import PermissionDenied, TokenExpired
from service.rpc.scopes import scope_of
from service.rpc.status import CODES, abort, status_of
from service.rpc.validation import parse
from service.runtime.caller import Authenticator, calling

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

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith("/fabula."):
            return handler
        frame = _Frame(method, self._authenticator, lasting=handler.response_streaming)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(_streaming(frame, handler))
        return grpc.unary_unary_rpc_method_handler(_unary(frame, handler))


def _unary(frame: "_Frame", handler: Handler) -> Callable[[bytes, Context], Awaitable[bytes]]:
    behavior = cast("Callable[[Message, Context], Awaitable[Any]]", handler.unary_unary)
    deserializer = cast("Callable[[bytes], Message]", handler.request_deserializer)

    async def call(data: bytes, context: Context) -> bytes:
        async def work() -> bytes:
            return _serialize(await behavior(parse(deserializer, data), context))

        return await frame.around(context, work)

    return call


def _streaming(frame: "_Frame", handler: Handler) -> Callable[[bytes, Context], Awaitable[None]]:
    behavior = cast("Callable[[Message, Context], AsyncIterator[Any]]", handler.unary_stream)
    deserializer = cast("Callable[[bytes], Message]", handler.request_deserializer)

    async def call(data: bytes, context: Context) -> None:
        async def work() -> None:
            responses = cast("Any", behavior(parse(deserializer, data), context))
            async with aclosing(responses):
                async for response in responses:
                    await context.write(_serialize(response))

        await frame.around(context, work)

    return call


class _Frame:
    """What is around each call of one method; one that is lasting ends when its caller's token does."""

    def __init__(self, method: str, authenticator: Authenticator, *, lasting: bool) -> None:
        self._method = method
        self._scope = scope_of(method)
        self._authenticator = authenticator
        self._lasting = lasting

    async def around(self, context: Context, work: Callable[[], Awaitable[_T]]) -> _T:
        """Does the work of a call, and ends the call with a status where it fails."""
        request_id = _request_id(context)
        started, code = time.monotonic(), grpc.StatusCode.CANCELLED
        with bound_contextvars(x_request_id=request_id):
            try:
                await context.send_initial_metadata(((REQUEST_ID_KEY, request_id),))
                result = await self._as_caller(context, work)
                code = grpc.StatusCode.OK
            except Exception as error:  # noqa: BLE001 -- the edge: past here an exception's text would reach the caller
                status = status_of(error)
                code = CODES[status.code]
                await abort(context, status)
            else:
                return result
            finally:
                _log.info("rpc", method=self._method, code=code.name, seconds=round(time.monotonic() - started, 4))

    async def _as_caller(self, context: Context, work: Callable[[], Awaitable[_T]]) -> _T:
        caller = await self._authenticator.authenticate(_values(context, "authorization"))
        if self._scope not in caller.scopes:
            raise PermissionDenied(f"The token needs the scope {self._scope or 'of this RPC, which has none yet'}.")
        with calling(caller):
            return await (_until_expired(caller.expires, work) if self._lasting else work())


async def _until_expired(expires: float | None, work: Callable[[], Awaitable[_T]]) -> _T:
    """Does the work as long as the caller's token holds. Raises TokenExpired."""
    left = asyncio.timeout(None if expires is None else max(expires - time.time(), 0))
    try:
        async with left:
            return await work()
    except TimeoutError:
        if left.expired():
            raise TokenExpired("The token has expired. Come back with a new one, after the last sequence.") from None
        raise


def _request_id(context: Context) -> str:
    usable = (value for value in _values(context, REQUEST_ID_KEY) if _REQUEST_ID.fullmatch(value))
    return next(usable, None) or uuid.uuid4().hex


def _values(context: Context, key: str) -> Sequence[str]:
    metadata = context.invocation_metadata() or ()
    return [value for name, value in metadata if name == key and isinstance(value, str)]


def _serialize(response: Any) -> bytes:
    # Events of a run come as the bytes that the log holds.
    return response if isinstance(response, bytes) else cast("bytes", response.SerializeToString())
