"""The gateway as an ASGI application: the routes of the services, the page, and what describes them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from google.protobuf.descriptor import ServiceDescriptor

from service.gateway.cors import Cors, host_of
from service.gateway.cursor import QUERY_NAME
from service.gateway.edge import Edge
from service.gateway.exchange import Exchange
from service.gateway.health import answer_health
from service.gateway.pages import Pages
from service.gateway.refusals import foreign_site, malformed, no_route, wrong_host, wrong_method
from service.gateway.routes import Route, RouteTable
from service.gateway.session import PATH, answer_session
from service.gateway.single import answer_single
from service.gateway.streams import Streams, cursor_of
from service.gateway.transcoding import transcode
from service.gateway.upstream import Upstream

PAGE = Path(__file__).parent / "page"
"""The reading page."""

Found = Mapping[str, tuple[Route, Mapping[str, str]]]


class Gateway:
    """Answers every request. `app` is the ASGI application."""

    def __init__(
        self,
        services: Sequence[ServiceDescriptor],
        upstream: Upstream,
        *,
        hosts: Collection[str] = (),
        origins: Sequence[str] = (),
        ping_seconds: float = 15,
        page: Path = PAGE,
    ) -> None:
        self._table = RouteTable(services)
        self._upstream = upstream
        self._hosts = frozenset(hosts)
        self._cors = Cors(origins)
        self._streams = Streams(upstream, ping_seconds)
        self._pages = Pages(self._table, page)
        self.app = Edge(self._answer, self._cors)

    def interrupt(self) -> None:
        """Ends the streams under way with a farewell."""
        self._streams.interrupt()

    async def _answer(self, exchange: Exchange) -> None:
        if exchange.raw_path == "/healthz" and exchange.method in ("GET", "HEAD"):
            exchange.route = "/healthz"
            await answer_health(exchange, self._upstream)
        elif self._hosts and host_of(exchange.headers) not in self._hosts:
            raise wrong_host()
        elif exchange.raw_path == PATH:
            self._check_site(exchange)
            await answer_session(exchange)
        elif found := self._match(exchange):
            await self._answer_api(exchange, found)
        elif not await self._pages.answer(exchange):
            raise no_route()

    def _match(self, exchange: Exchange) -> Found:
        try:
            return self._table.match(exchange.raw_path)
        except UnicodeDecodeError:
            raise malformed("The path is not UTF-8.") from None

    async def _answer_api(self, exchange: Exchange, found: Found) -> None:
        exchange.route = next(iter(found.values()))[0].template.text
        allowed = [*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"]
        if exchange.method == "OPTIONS":
            methods = ", ".join(allowed)
            await exchange.answer(204, b"", {"allow": methods, **self._cors.preflight(exchange.headers, methods)})
            return
        method = "GET" if exchange.method == "HEAD" else exchange.method
        if method not in found:
            raise wrong_method(allowed)
        self._check_site(exchange)
        await self._call(exchange, *found[method])

    def _check_site(self, exchange: Exchange) -> None:
        if self._cors.refuses(exchange.headers):
            raise foreign_site()

    async def _call(self, exchange: Exchange, route: Route, path: Mapping[str, str]) -> None:
        exchange.route = route.template.text
        query = exchange.query()
        if route.resume is not None:
            await self._stream(exchange, route, path, query)
            return
        request = transcode(route, path, query, await exchange.body() if route.body else None)
        await answer_single(exchange, route, request, self._upstream)

    async def _stream(
        self, exchange: Exchange, route: Route, path: Mapping[str, str], query: Sequence[tuple[str, str]]
    ) -> None:
        cursor = cursor_of(exchange, query)
        body = await exchange.body() if route.body else None
        begun = [(name, text) for name, text in query if name != QUERY_NAME]
        request = transcode(route, path, begun, body) if cursor is None else None
        if exchange.method == "HEAD":
            await self._streams.answer_head(exchange, route)
        elif cursor is not None:
            await self._streams.resume(exchange, route, cursor, path)
        elif request is not None:
            await self._streams.begin(exchange, route, request)
