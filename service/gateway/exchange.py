"""One HTTP request and its answer, without the frames around them: what every handler is given."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from service.gateway.cookies import token_of
from service.gateway.refusals import invalid, malformed
from service.gateway.render import to_json

MAX_BODY_BYTES = 1024 * 1024
MAX_TIMEOUT_SECONDS = 86_400.0
_MAX_FIELDS = 1_000

REQUEST_ID = "x-request-id"
_PASSED_ON = ("authorization", "traceparent", "tracestate")
_TIMEOUTS = ("request-timeout", "x-request-timeout")
_VISIBLE = re.compile(r"[ -~]*")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_JSON = ("application/json", "text/json")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Exchange:
    """A request that came in, and the ways to answer it. `route` is the template that it met, for the log."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.method: str = scope["method"]
        self.raw_path: str = scope["raw_path"].decode("ascii")
        self.headers = Headers(scope=scope)
        self.request_id = request_id
        self.route = ""
        self.send = send
        self.scope = scope
        self.receive = receive

    def query(self) -> Sequence[tuple[str, str]]:
        """Names and values of the query in order. Raises Refused when it is not UTF-8."""
        try:
            text = self.scope["query_string"].decode("ascii")
            return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
        except ValueError:
            raise malformed(f"The query is not UTF-8, or has more than {_MAX_FIELDS} parameters.") from None

    async def body(self) -> Any:
        """The body as JSON; None when there is none. Raises Refused, and ClientDisconnect."""
        data = await self._data()
        if not data.strip():
            return None
        kind, _, parameters = self.headers.get("content-type", "").partition(";")
        charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters)
        if kind.strip().lower() not in _JSON or (charset and charset[1].lower() not in ("utf-8", "utf8")):
            raise malformed("Send the body as application/json in UTF-8.", 415)
        try:
            return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            # The library's text quotes the body.
            raise malformed("The body is not JSON, or names a key twice.") from None

    def metadata(self) -> Sequence[tuple[str, str]]:
        """What the service is told of the caller. Raises Refused."""
        passed = [(name, self.headers[name]) for name in _PASSED_ON if name in self.headers]
        if "authorization" not in self.headers and (token := token_of(self.headers)):
            passed.append(("authorization", f"Bearer {token}"))
        faulty = [name for name, value in passed if not _VISIBLE.fullmatch(value)]
        if faulty:
            raise invalid([(name, "expected visible ASCII characters in this header") for name in faulty])
        return [(REQUEST_ID, self.request_id), *passed]

    def timeout(self) -> float | None:
        """In how many seconds the caller wants its answer; None when it has not said so. Raises Refused."""
        for name in _TIMEOUTS:
            text = self.headers.get(name)
            if text is not None:
                if not _SECONDS.fullmatch(text) or not 0 < float(text) <= MAX_TIMEOUT_SECONDS:
                    raise invalid([(name, f"expected seconds, more than 0 and at most {MAX_TIMEOUT_SECONDS:.0f}")])
                return float(text)
        return None

    async def until_gone(self) -> None:
        """Returns once the caller has gone, or was answered."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def answer_json(self, status: int, data: Any, headers: Mapping[str, str] | None = None) -> None:
        """Answers with JSON."""
        await self.answer(status, to_json(data), {"content-type": "application/json", **(headers or {})})

    async def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answers at once."""
        length = {} if status in (204, 304) else {"content-length": str(len(body))}
        await self.begin(status, {"cache-control": "no-store", **headers, **length})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Begins an answer whose body follows."""
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _data(self) -> bytes:
        data = bytearray()
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            data += message.get("body", b"")
            more = message.get("more_body", False)
            if len(data) > MAX_BODY_BYTES:
                raise malformed(f"The body is larger than {MAX_BODY_BYTES} bytes.", 413)
        return bytes(data)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)
