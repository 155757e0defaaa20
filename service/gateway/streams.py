"""RPCs that stream: Server-Sent Events that a reader resumes where it was cut off.

What comes before the first event is an HTTP answer: a status for an error, 204 for a run whose reader has every event.
What comes later ends the answer, so that the browser comes back with the id of its last event.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from service.gateway.cursor import QUERY_NAME, Cursor, parse_cursor
from service.gateway.exchange import Exchange
from service.gateway.frames import Framer, LineFramer
from service.gateway.refusals import invalid
from service.gateway.relay import HEADERS, Relay
from service.gateway.routes import Route
from service.gateway.upstream import Upstream

HEADERS_WITHIN_SECONDS = 1.0
"""How long a resumed stream may be silent before its headers are sent: a run under way need not have news."""


class Streams:
    """The streams of a gateway. Those under way end with a farewell when it stops."""

    def __init__(self, upstream: Upstream, ping_seconds: float) -> None:
        self._upstream = upstream
        self._ping_seconds = ping_seconds
        self._relays: set[Relay] = set()

    async def begin(self, exchange: Exchange, route: Route, request: Message) -> None:
        """Answers with the events of the route's RPC."""
        headers_within = HEADERS_WITHIN_SECONDS if route.rpc is route.resume else None
        relay = Relay(exchange, self._call(exchange, route.rpc, request), _framer(exchange, route), self._ping_seconds)
        await self._run(relay, headers_within)

    async def resume(self, exchange: Exchange, route: Route, cursor: Cursor, path: Mapping[str, str]) -> None:
        """Answers with the events after the cursor. No run begins, whatever the address. Raises Refused."""
        rpc = cast("MethodDescriptor", route.resume)
        call = self._call(exchange, rpc, _resuming(rpc, cursor, path))
        patient = "text/event-stream" in exchange.headers.get("accept", "")
        relay = Relay(exchange, call, _framer(exchange, route), self._ping_seconds, patient=patient)
        await self._run(relay, HEADERS_WITHIN_SECONDS)

    async def answer_head(self, exchange: Exchange, route: Route) -> None:
        """Answers with the headers alone, and calls nothing: HEAD is safe, and a run is not."""
        await exchange.begin(200, {"content-type": _framer(exchange, route).media, **HEADERS})
        await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})

    def interrupt(self) -> None:
        """Ends the streams under way."""
        for relay in self._relays:
            relay.interrupt()

    def _call(self, exchange: Exchange, rpc: MethodDescriptor, request: Message) -> Any:
        return self._upstream.stream(rpc, request.SerializeToString(), exchange.metadata(), exchange.timeout())

    async def _run(self, relay: Relay, headers_within: float | None) -> None:
        self._relays.add(relay)
        try:
            await relay.run(headers_within)
        finally:
            self._relays.discard(relay)


def cursor_of(exchange: Exchange, query: Sequence[tuple[str, str]]) -> Cursor | None:
    """Where the reader was cut off; None for one that begins. Raises Refused."""
    # The header first: an EventSource that comes back has it from its last event, and the address from its first call.
    if text := exchange.headers.get("last-event-id"):
        return parse_cursor(text, "Last-Event-ID")
    texts = [text for name, text in query if name == QUERY_NAME and text]
    return parse_cursor(texts[-1], QUERY_NAME) if texts else None


def _resuming(rpc: MethodDescriptor, cursor: Cursor, path: Mapping[str, str]) -> Message:
    if path.get("run_id", cursor.run_id) != cursor.run_id:
        raise invalid([("Last-Event-ID", "is the id of an event of another run than the address names")])
    request: Any = GetMessageClass(rpc.input_type)()
    request.run_id, request.after_sequence = cursor.run_id, cursor.sequence
    return cast("Message", request)


def _framer(exchange: Exchange, route: Route) -> Framer:
    lines = "application/x-ndjson" in exchange.headers.get("accept", "")
    return _framer_of(LineFramer if lines else Framer, route.rpc)


@cache
def _framer_of(kind: type[Framer], rpc: MethodDescriptor) -> Framer:
    return kind(rpc)
