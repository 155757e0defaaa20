"""grpcio-testing drives synchronous servicers, each call in a thread; with this it drives ours, which are not."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from functools import partial
from inspect import isasyncgenfunction
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from service.rpc.status import CODES, status_of
from service.runtime.caller import Caller, calling
from service.runtime.spec import LOCAL_PRINCIPAL

_T = TypeVar("_T")


class LoopThread(AbstractContextManager["LoopThread"]):
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs it there and waits for it here."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


class Synchronous:
    """A servicer for `grpc_testing.server_from_dictionary`, before one of ours; its errors become statuses."""

    def __init__(self, servicer: object, thread: LoopThread) -> None:
        self._servicer = servicer
        self._thread = thread

    def __getattr__(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        method = getattr(self._servicer, name)
        return partial(self._stream if isasyncgenfunction(method) else self._unary, method)

    def _unary(
        self, method: Callable[..., Coroutine[Any, Any, Any]], request: object, context: grpc.ServicerContext
    ) -> Any:
        try:
            return self._thread.run(_called(method(request, context)))
        except Exception as error:  # noqa: BLE001 -- as at the edge of the server
            _end(context, error)

    def _stream(
        self, method: Callable[..., AsyncGenerator[Any, None]], request: object, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        responses = method(request, context)
        try:
            while (response := self._thread.run(_called(anext(responses, None)))) is not None:
                yield response
        except Exception as error:  # noqa: BLE001 -- as at the edge of the server
            _end(context, error)


async def _called(awaitable: Awaitable[_T]) -> _T:
    with calling(Caller(LOCAL_PRINCIPAL, frozenset())):
        return await awaitable


def _end(context: grpc.ServicerContext, error: Exception) -> None:
    status = status_of(error)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.set_code(CODES[status.code])
    context.set_details(status.message)
