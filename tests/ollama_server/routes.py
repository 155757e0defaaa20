"""Answers every request but the telling of a chat, which it leaves to the server."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tests.ollama_server.connection import Connection, HttpRequest
from tests.ollama_server.lines import JSON, TEXT, encode, load_reply
from tests.ollama_server.models import ModelShelf, show
from tests.ollama_server.reply import not_found
from tests.ollama_server.request import BadRequestError, ChatRequest, parse_object

VERSION = "0.12.6"

Teller: TypeAlias = Callable[[Connection, ChatRequest], Awaitable[None]]


class RefusalError(Exception):
    """An error answer: its status and text."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class Routes:
    """The endpoints of Ollama that a client of ours uses."""

    def __init__(self, models: ModelShelf, requests: list[ChatRequest], tell: Teller) -> None:
        self._models = models
        self._requests = requests
        self._tell = tell

    async def handle(self, connection: Connection, request: HttpRequest) -> None:
        """Answer one request."""
        try:
            if (request.method, request.path) == ("POST", "/api/chat"):
                await self._chat(connection, request)
            else:
                status, content_type, body = self._look_up(request)
                connection.respond(status, content_type, body, head=request.method == "HEAD")
        except RefusalError as refusal:
            connection.respond(refusal.status, JSON, encode({"error": str(refusal)}))

    async def _chat(self, connection: Connection, http: HttpRequest) -> None:
        try:
            request = ChatRequest.parse(http.body, http.headers)
        except BadRequestError as error:
            raise RefusalError(400, str(error)) from error
        self._requests.append(request)
        self._refuse_unservable(request)
        if request.messages:
            await self._tell(connection, request)
        else:
            connection.respond(200, JSON, load_reply(request))

    def _refuse_unservable(self, request: ChatRequest) -> None:
        if not request.model:
            raise RefusalError(400, "model is required")
        card = self._models.find(request.model)
        if card is None:
            raise RefusalError(404, not_found(request.model))
        if request.think and "thinking" not in card.capabilities:
            raise RefusalError(400, f'"{request.model}" does not support thinking')

    def _look_up(self, request: HttpRequest) -> tuple[int, str, bytes]:
        method = "GET" if request.method == "HEAD" else request.method
        match (method, request.path):
            case ("GET", "/"):
                return 200, TEXT, b"Ollama is running"
            case ("GET", "/api/version"):
                return 200, JSON, encode({"version": VERSION})
            case ("GET", "/api/tags"):
                return 200, JSON, encode(self._models.tags())
            case ("POST", "/api/show"):
                return 200, JSON, self._show(request)
            case (_, "/" | "/api/version" | "/api/tags" | "/api/show" | "/api/chat"):
                return 405, TEXT, b"405 method not allowed"
        return 404, TEXT, b"404 page not found"

    def _show(self, request: HttpRequest) -> bytes:
        try:
            name = str(parse_object(request.body).get("model") or "")
        except BadRequestError as error:
            raise RefusalError(400, str(error)) from error
        card = self._models.find(name)
        if card is None:
            raise RefusalError(404, not_found(name))
        return encode(show(card))
