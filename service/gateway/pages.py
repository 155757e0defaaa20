"""What is not the services': the reading page, the description of the routes, and the readable page of that."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from service.gateway.documentation import STYLE, documentation
from service.gateway.exchange import Exchange
from service.gateway.refusals import no_route, wrong_method
from service.gateway.render import to_json
from service.gateway.routes import RouteTable

_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'{style}; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
PAGE_POLICY = _POLICY.format(style="")
"""Only what comes from here: no outside host, no script or style within the page."""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_DOCS_POLICY = _POLICY.format(style=f" 'sha256-{_STYLE_HASH}'")

_READ = ("GET", "HEAD")

_DESCRIPTION, _DOCS = "/openapi.json", "/docs"


class Pages:
    """`/` and `/static/…` from a folder, `/openapi.json` and `/docs` from the table of routes."""

    def __init__(self, table: RouteTable, folder: Path) -> None:
        self._table = table
        self._files = StaticFiles(directory=folder, check_dir=False)

    async def answer(self, exchange: Exchange) -> bool:
        """Answers when the path is one of these."""
        path = exchange.scope["path"]
        if path not in ("/", _DESCRIPTION, _DOCS) and not path.startswith("/static/"):
            return False
        exchange.route = "/static" if path.startswith("/static/") else path
        await self._answer(exchange, path)
        return True

    async def _answer(self, exchange: Exchange, path: str) -> None:
        if exchange.method == "OPTIONS":
            await exchange.answer(204, b"", {"allow": ", ".join((*_READ, "OPTIONS"))})
        elif exchange.method not in _READ:
            raise wrong_method((*_READ, "OPTIONS"))
        elif path in (_DESCRIPTION, _DOCS):
            kind, body = self._made[path]
            headers = {"content-type": kind, "cache-control": "no-cache", "content-security-policy": _DOCS_POLICY}
            await exchange.answer(200, body, headers)
        else:
            await self._answer_file(exchange, "index.html" if path == "/" else path.removeprefix("/static/"))

    @cached_property
    def _made(self) -> Mapping[str, tuple[str, bytes]]:
        """What is made when it is first asked for: a start, which is more frequent, would take a good deal longer."""
        from service.gateway.openapi import openapi  # noqa: PLC0415 -- for the same reason

        description = openapi(self._table)
        return {
            _DESCRIPTION: ("application/json", to_json(description)),
            _DOCS: ("text/html; charset=utf-8", documentation(description).encode()),
        }

    async def _answer_file(self, exchange: Exchange, name: str) -> None:
        scope = {**exchange.scope, "path": f"/{name}", "root_path": ""}
        try:
            response = await self._files.get_response(self._files.get_path(scope), scope)
        except HTTPException:
            raise no_route() from None
        # Asked for again each time, and then answered by its ETag in a word: a page never meets scripts of another day.
        response.headers["cache-control"] = "no-cache"
        response.headers["content-security-policy"] = PAGE_POLICY
        await response(scope, exchange.receive, exchange.send)
