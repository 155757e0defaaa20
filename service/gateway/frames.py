"""Events as Server-Sent Events or as lines of JSON.

Control frames (the retry hint, pings, farewells) are no events: they carry no id, and no empty line ends them, for some
parsers make an event of each empty line.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from fabula.gateway.v1 import sse_pb2
from service.gateway.render import renderer, to_json

SSE = "text/event-stream; charset=utf-8"
NDJSON = "application/x-ndjson; charset=utf-8"

RETRY_MILLISECONDS = 1_000
"""How long a browser waits before it comes back to a stream that broke off."""

Envelope = Callable[[str, Any, int], dict[str, Any]]


class Framer:
    """Makes the frames of one RPC's stream. `media` is its content type, `prelude` what comes before all events."""

    media = SSE
    prelude = f"retry: {RETRY_MILLISECONDS}\n".encode()
    ping = b": ping\n"

    def __init__(self, rpc: MethodDescriptor) -> None:
        options = rpc.GetOptions().Extensions[sse_pb2.sse]
        self._parse = GetMessageClass(rpc.output_type).FromString
        self._name = options.event_name
        self._terminal = frozenset(options.terminal_events)
        self._envelope = _flat if options.envelope == sse_pb2.ENVELOPE_FLAT else _nested
        self._fields = {
            field.name: renderer(field.message_type)
            for field in rpc.output_type.oneofs_by_name["event"].fields
            if field.message_type is not None
        }

    def frame(self, payload: bytes) -> tuple[bytes, bool]:
        """The frame of an event, and whether the event is the run's last one."""
        event: Any = self._parse(payload)
        kind = event.WhichOneof("event")
        if not event.sequence or kind is None:
            return self.ping, False
        data = self._envelope(kind, self._fields[kind](getattr(event, kind)), event.progress_percent)
        return self._written(f"{event.run_id}:{event.sequence}", kind, data), kind in self._terminal

    def farewell(self, reason: str) -> bytes:
        """What a reader is told whose stream ends before the run does: to come back with the id that it has."""
        return self.prelude + f": {reason}\n".encode()

    def _written(self, cursor: str, kind: str, data: dict[str, Any]) -> bytes:
        head = f"id: {cursor}\nevent: {self._name or kind}\ndata: ".encode()
        # No line break is left in JSON, so that the data is one line whatever the text.
        return b"%b%b\n\n" % (head, to_json(data))


class LineFramer(Framer):
    """Makes the same events lines of JSON, each with its id."""

    media = NDJSON
    prelude = b""
    ping = b'{"type":"heartbeat"}\n'

    def farewell(self, reason: str) -> bytes:
        """Nothing: a stream that ends without a terminal event says it all."""
        del reason
        return b""

    def _written(self, cursor: str, kind: str, data: dict[str, Any]) -> bytes:
        del kind
        return to_json({"id": cursor} | data) + b"\n"


def _nested(kind: str, fields: Any, progress: int) -> dict[str, Any]:
    return {"type": kind, "data": fields, "progress": progress}


def _flat(kind: str, fields: Any, progress: int) -> dict[str, Any]:
    return {"type": kind, **fields, "progress": progress}
