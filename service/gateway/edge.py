"""What holds for every HTTP request: its id, its limits, its line in the log, its errors as JSON.

The line tells of method, route, status and seconds alone: the address of a request holds the theme of a story.
"""

import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from structlog.contextvars import bound_contextvars

from service.errors import Internal, to_status
from service.gateway.cors import Cors
from service.gateway.exchange import REQUEST_ID, Exchange, Receive, Scope, Send
from service.gateway.refusals import Refused, malformed
from service.gateway.statuses import body_of
from service.logs import places

_log = structlog.get_logger("fabula.gateway")

MAX_TARGET_BYTES = 16 * 1024
"""Of path and query together."""

_GONE = 499
"""The status in the log of a request whose caller went before the answer."""

_REQUEST_ID = re.compile(r"[!-~]{1,128}")

SECURITY = {
    # Themes stand in addresses: no other site is told where its visitor comes from.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Handler = Callable[[Exchange], Awaitable[None]]


class Edge:
    """The ASGI application around a handler."""

    def __init__(self, handler: Handler, cors: Cors) -> None:
        self._handler = handler
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        exchange = _Framed(scope, receive, send, self._cors)
        started = time.monotonic()
        with bound_contextvars(x_request_id=exchange.request_id):
            try:
                await self._answer(exchange)
            except ClientDisconnect:
                pass
            finally:
                _log.info(
                    "http",
                    method=exchange.method,
                    route=exchange.route,
                    status=exchange.status or _GONE,
                    seconds=round(time.monotonic() - started, 4),
                )

    async def _answer(self, exchange: "_Framed") -> None:
        try:
            _check_target(exchange)
            await self._handler(exchange)
        except Refused as error:
            await exchange.refuse(error)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 -- the edge: past here an exception's text would reach the caller
            # The type and the places, never the message: it may quote the text of a story.
            _log.error("http_fault", error=type(error).__name__, places=places(error))
            fault = Internal("A fault of the gateway. Its log has it under the x-request-id of this call.")
            await exchange.refuse(Refused(500, to_status(fault)))


class _Framed(Exchange):
    """An exchange whose answer gets the headers that every answer has."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, cors: Cors) -> None:
        self.status = 0
        self._send = send
        super().__init__(scope, receive, self._framed, "")
        given = self.headers.get(REQUEST_ID, "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self._always = {REQUEST_ID: self.request_id, **SECURITY, **cors.headers(self.headers.get("origin"))}

    async def refuse(self, error: Refused) -> None:
        """Answers with the error. An answer that has begun is cut off instead, which no reader takes for its end."""
        if self.status:
            raise error
        await self.answer_json(error.http_status, body_of(error.status), error.headers)

    async def _framed(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *_encoded(self._always)]
        await self._send(message)


def _check_target(exchange: Exchange) -> None:
    if len(exchange.raw_path) + len(exchange.scope["query_string"]) > MAX_TARGET_BYTES:
        raise malformed(f"The address is longer than {MAX_TARGET_BYTES} bytes: send it as a JSON body.", 414)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
