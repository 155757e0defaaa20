"""What holds for every HTTP request: limits, wrong addresses and methods, other sites, the log."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from service.gateway.edge import MAX_TARGET_BYTES
from service.gateway.exchange import MAX_BODY_BYTES
from service.gateway.protocol import MAX_HEAD_BYTES
from tests.harness import WITHIN
from tests.journal import take_journal
from tests.service.gateway.browser import GENERATE, NIGHT, details, reason
from tests.service.gateway.upstream import Fronted, fronted

RUN = "/api/v1/runs/run-1"
SITE = "https://stories.example"


async def raw(front: Fronted, request: bytes) -> bytes:
    """What the gateway answers to these bytes, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", front.server.port)
    async with asyncio.timeout(WITHIN):
        writer.write(request)
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("path", ["/nothing", "/api/v1", "/api/v1/runs/a/b", "/static/../app.py", "/static/none"])
async def test_an_address_that_is_none_is_404(path: str) -> None:
    async with fronted() as front:
        answer = await front.http.get(path)
    assert (answer.status_code, details(answer)) == (404, [])


@pytest.mark.parametrize("path", ["/api/v1/runs/%ff", "/api/v1/runs?child_id=%ff", "/api/v1/runs?%ff=1"])
async def test_what_is_not_utf_8_is_400(path: str) -> None:
    async with fronted() as front:
        answer = await front.http.get(path)
    assert (answer.status_code, reason(answer)) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE"])
async def test_a_wrong_method_is_405_with_those_that_are_right(method: str) -> None:
    async with fronted() as front:
        answer = await front.http.request(method, RUN)
        asked = await front.http.options(RUN)
    assert (answer.status_code, details(answer)) == (405, [])
    assert answer.headers["allow"] == asked.headers["allow"] == "GET, HEAD, OPTIONS"
    assert asked.status_code == 204


async def test_a_head_has_the_headers_of_a_get_and_no_body() -> None:
    async with fronted() as front:
        got, head = await front.http.get(RUN), await front.http.head(RUN)
    assert head.content == b""
    for name in ("content-type", "content-length", "cache-control"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"nothing", "application/json", 400),
        (b'{"theme": "a", "theme": "b"}', "application/json", 400),
        (b'{"chapter_number": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"9" * 10_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{}", "application/json; charset=latin-1", 415),
        (b" " * (MAX_BODY_BYTES + 1), "application/json", 413),
    ],
)
async def test_a_body_that_can_not_be_read_is_refused(body: bytes, kind: str, status: int) -> None:
    async with fronted() as front:
        answer = await front.http.post(GENERATE, content=body, headers={"content-type": kind})
        assert front.service.calls == []
    assert (answer.status_code, reason(answer)) == (status, "MALFORMED_REQUEST")


async def test_a_huge_query_is_414_and_huge_headers_are_431() -> None:
    async with fronted() as front:
        query = await front.http.get(GENERATE, params={"theme": "x" * MAX_TARGET_BYTES})
        many = await front.http.get(GENERATE, params=[("theme", "x")] * 2_000)
        head = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 4 * MAX_HEAD_BYTES
        endless = await raw(front, head)
    assert (query.status_code, reason(query)) == (414, "MALFORMED_REQUEST")
    assert many.status_code in (400, 414)
    assert endless.startswith(b"HTTP/1.1 431 ")
    assert json.loads(endless.partition(b"\r\n\r\n")[2])["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01\x00\r\n\r\n"])
async def test_what_is_no_http_is_400(request_: bytes) -> None:
    async with fronted() as front:
        answer = await raw(front, request_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"error":' in answer


async def test_no_other_site_is_let_in_by_default() -> None:
    async with fronted() as front:
        answer = await front.http.get(RUN, headers={"Origin": SITE})
        preflight = await front.http.options(RUN, headers={"Origin": SITE, "Access-Control-Request-Method": "GET"})
        begun = await front.http.get(GENERATE, params=NIGHT, headers={"Sec-Fetch-Site": "cross-site"})
        assert [name for name, _, _ in front.service.calls] == ["GetRun"]
    for each in (answer, preflight):
        assert not [name for name in each.headers if name.startswith("access-control")]
    assert begun.status_code == 403


async def test_a_site_of_the_list_may_call() -> None:
    foreign = {"Origin": "https://else.example", "Sec-Fetch-Site": "cross-site"}
    ours = {"Origin": SITE, "Sec-Fetch-Site": "cross-site"}
    async with fronted(origins=[SITE]) as front:
        answer = await front.http.get(RUN, headers=ours)
        preflight = await front.http.options(GENERATE, headers=ours | {"Access-Control-Request-Method": "POST"})
        refused = await front.http.get(RUN, headers=foreign)
        stream = await front.http.get(GENERATE, params=NIGHT, headers=ours)
        page = await front.http.get(RUN, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.headers["access-control-allow-origin"] == stream.headers["access-control-allow-origin"] == SITE
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "last-event-id" in preflight.headers["access-control-allow-headers"]
    assert (refused.status_code, page.status_code) == (403, 200)
    assert "access-control-allow-origin" not in refused.headers
    assert refused.headers["vary"] == page.headers["vary"] == "Origin"


async def test_the_log_has_method_route_status_and_seconds_alone() -> None:
    async with fronted() as front:
        take_journal()
        await front.http.get(GENERATE, params={"child_id": "1", "theme": "canarytheme"})
        await front.http.get("/canarypath?x=canaryquery")
        lines = [json.loads(line) for line in take_journal().splitlines()]
    told = [line for line in lines if line["event"] == "http"]
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("GET", GENERATE, 200),
        ("GET", "", 404),
    ]
    assert all(set(line) == {"event", "level", "method", "route", "status", "seconds", "x_request_id"} for line in told)
    assert "canary" not in json.dumps(lines)


async def test_a_fault_of_the_gateway_is_told_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("canarytext")

    async with fronted() as front:
        monkeypatch.setattr("service.gateway.single.render", fail)
        take_journal()
        answer = await front.http.get(RUN)
        assert "canarytext" not in take_journal()
    assert (answer.status_code, reason(answer)) == (500, "INTERNAL")
    assert "canarytext" not in answer.text


async def test_connections_are_kept_and_requests_in_a_row_answered() -> None:
    async with fronted() as front:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=front.http.base_url, limits=limits, trust_env=False) as client:
            statuses = [(await client.get(path)).status_code for path in (RUN, "/no", RUN, "/openapi.json", "/docs")]
    assert statuses == [200, 404, 200, 200, 200]
