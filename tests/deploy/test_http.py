"""What is no stream through a proxy: the page, errors, limits, headers, and what is written of all that."""

from collections.abc import Sequence

import httpx

from service.gateway.edge import MAX_TARGET_BYTES
from service.gateway.exchange import MAX_BODY_BYTES
from tests.conftest import Serve
from tests.deploy.conftest import Fronting
from tests.deploy.echo import echoing
from tests.deploy.proxy import NOWHERE, Behind
from tests.deploy.scripted import playing
from tests.service.gateway.browser import GENERATE, NIGHT, details, reason

HTTP = {"http_address": "127.0.0.1:0"}
JSON = {"content-type": "application/json"}
COMING_BACK = {"Accept": "text/event-stream", "Last-Event-ID": "run-1:3"}


async def test_the_page_and_its_scripts_are_there(fronting: Fronting) -> None:
    async with playing() as played, fronting(played.behind) as front, front.browser() as http:
        page, script = await http.get("/"), await http.get("/static/main.js")
        healthy, described = await http.get("/healthz"), await http.get("/openapi.json")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "max-age=" in page.headers["strict-transport-security"]
    assert "javascript" in script.headers["content-type"]
    assert (script.status_code, described.status_code) == (200, 200)
    assert healthy.status_code != 404


async def test_what_is_nowhere_is_told_by_the_gateway(fronting: Fronting) -> None:
    async with playing() as played, fronting(played.behind) as front, front.browser() as http:
        for path in ("/nothing", "/api/v1/nothing/stream", "/grpcx", "/fabulax"):
            answer = await http.get(path)
            assert (answer.status_code, details(answer)) == (404, [])
            assert "x-request-id" in answer.headers


async def ask_in_words(http: httpx.AsyncClient) -> Sequence[int]:
    """Asks in every way in which an address or a header holds words; answers the statuses."""
    words = {"child_id": "1", "theme": "quokkatheme"}
    headers = {"Referer": f"{http.base_url}/?theme=quokkareferer", "X-Request-ID": "mine"}
    cursor = {"Last-Event-ID": "quokkarun:1", "Accept": "text/event-stream"}
    large = b"quokkabody" * (MAX_BODY_BYTES // 10 + 1)
    answers = [
        await http.get(GENERATE, params=words, headers=headers),
        await http.get(GENERATE, params=words, headers=headers | cursor),
        await http.post("/api/v1/stories", params={"x": "quokkaquery"}, content=large, headers=headers | JSON),
        await http.get("/nothing", params={"x": "quokkaquery" * 3_000}, headers=headers),
    ]
    return [answer.status_code for answer in answers]


async def test_of_an_address_nothing_but_its_path_is_written_down(serve: Serve, fronting: Fronting) -> None:
    async with serve(**HTTP) as served, fronting(served) as front, front.browser() as http:
        assert (await ask_in_words(http))[:3] == [200, 404, 413]
    assert f'GET "{GENERATE}"' in front.proxy.text
    assert "id=mine" in front.proxy.text
    assert "quokka" not in front.proxy.text


async def test_nor_when_the_gateway_is_away(fronting: Fronting) -> None:
    async with playing() as played:
        away = played.behind
    async with fronting(away) as front, front.browser() as http:
        assert (await ask_in_words(http))[:3] == [503, 200, 413]
    assert f'GET "{GENERATE}"' in front.proxy.text
    assert "quokka" not in front.proxy.text


async def test_a_body_may_be_as_large_as_the_gateway_takes_it(fronting: Fronting) -> None:
    async with playing() as played, fronting(played.behind) as front, front.browser() as http:
        full = await http.post(GENERATE, content=b"[" * MAX_BODY_BYTES, headers=JSON)
        larger = await http.post(GENERATE, content=b"[" * (MAX_BODY_BYTES + 1), headers=JSON)
        assert played.service.calls == []
    assert (full.status_code, reason(full)) == (400, "MALFORMED_REQUEST")
    assert (larger.status_code, details(larger)) == (413, [])
    assert larger.json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_an_address_may_be_as_long_as_the_gateway_takes_it(fronting: Fronting) -> None:
    async with playing() as played, fronting(played.behind) as front, front.browser() as http:
        room = MAX_TARGET_BYTES - len(GENERATE) - len("theme=")
        full = await http.get(GENERATE, params={"theme": "x" * room})
        longer = await http.get(GENERATE, params={"theme": "x" * (room + 1)})
        assert len(played.service.calls) == 1
    assert full.status_code == 200
    assert (longer.status_code, reason(longer)) == (414, "MALFORMED_REQUEST")


async def test_a_gateway_that_is_away_is_no_end_for_an_event_source(fronting: Fronting) -> None:
    async with playing() as played:
        away = played.behind
    async with fronting(away) as front, front.browser() as http:
        by_header = await http.get(GENERATE, params=NIGHT, headers=COMING_BACK)
        by_query = await http.get(
            GENERATE, params=NIGHT | {"last_event_id": "run-1:3"}, headers={"Accept": "text/event-stream"}
        )
        begun = await http.get(GENERATE, params=NIGHT, headers={"Accept": "text/event-stream"})
        lines = await http.get(GENERATE, params=NIGHT, headers=COMING_BACK | {"Accept": "application/x-ndjson"})
        single = await http.get("/api/v1/stories")
    for each in (by_header, by_query):
        assert (each.status_code, each.text) == (200, "retry: 1000\n: interrupted\n")
        assert each.headers["content-type"].startswith("text/event-stream")
    for each in (begun, lines, single):
        assert (each.status_code, details(each), each.headers["retry-after"]) == (503, [], "1")
        assert each.json()["error"]["status"] == "UNAVAILABLE"


async def test_the_gateway_gets_what_the_caller_says_and_the_truth_of_where_it_calls_from(fronting: Fronting) -> None:
    said = {"Last-Event-ID": "run-1:3", "X-Request-ID": "mine", "Authorization": "Bearer x", "Request-Timeout": "5"}
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    async with echoing() as echo, fronting(Behind(echo.port, NOWHERE)) as front, front.browser() as http:
        await http.get("/api/v1/x%2Fy/stream?theme=a%20b", headers=said | forged | {"Host": "stories.example"})
    (head,) = echo.heads
    assert head.startswith("get /api/v1/x%2fy/stream?theme=a%20b http/1.1\r\n")
    for name, value in (said | {"Host": "stories.example", "X-Forwarded-Proto": "https"}).items():
        assert f"\r\n{name}: {value}\r\n".lower() in head
    assert head.count("\r\nx-forwarded-for:") == 1
    assert "127.0.0.1" in head.partition("\r\nx-forwarded-for:")[2].partition("\r\n")[0]
