"""HTTP/1.1 with a bound on what comes before a body, and with our words for what is no HTTP."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.gateway.refusals import malformed
from service.gateway.render import to_json
from service.gateway.statuses import body_of

MAX_HEAD_BYTES = 64 * 1024
"""Of the request line and the headers."""

LAST_WORDS_SECONDS = 1.0
"""How long a caller may read why it is refused."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose parser would take headers without end."""

    _head_bytes = 0
    _in_head = _refused = False

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, f"The headers are larger than {MAX_HEAD_BYTES} bytes.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "This is not an HTTP request that can be read.")

    def _refuse(self, http_status: int, message: str) -> None:
        if self.transport.is_closing():
            return
        self._refused = True
        body = to_json(body_of(malformed(message).status))
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[http_status] + head + body)
        self.transport.write_eof()
        # Closed at once, what the caller still sends would reset the connection before it reads the answer.
        self.loop.call_later(LAST_WORDS_SECONDS, self.transport.close)
