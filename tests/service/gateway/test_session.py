"""A browser's token comes in a cookie that no script reads and no other site sends; never in an address."""

from typing import Any

import pytest

from tests.harness import serving
from tests.journal import take_journal
from tests.service.gateway.browser import GENERATE, NIGHT, browsing, read, violations
from tests.service.gateway.upstream import fronted

OWN = ["localhost", "LOCALHOST:8000", "[::1]:8000"]
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1cyJ9.c2lnbmF0dXJl"  # noqa: S105 -- nobody's


async def test_the_token_of_a_session_goes_along_with_every_call() -> None:
    async with fronted() as front:
        opened = await front.http.post("/session", json={"token": TOKEN})
        await read(front.http, GENERATE, NIGHT)
        await front.http.get("/api/v1/runs/a")
        closed = await front.http.delete("/session")
        await front.http.get("/api/v1/runs/a")
    told = [metadata.get("authorization") for _, _, metadata in front.service.calls]
    assert (opened.status_code, closed.status_code) == (204, 204)
    assert told == [f"Bearer {TOKEN}", f"Bearer {TOKEN}", None]


async def test_the_cookie_is_for_this_site_alone_and_for_no_script() -> None:
    async with fronted() as front:
        plain = await front.http.post("/session", json={"token": TOKEN})
        secure = await front.http.post("/session", json={"token": TOKEN}, headers={"Origin": "https://stories.example"})
    flags = {each.strip() for each in plain.headers["set-cookie"].split(";")[1:]}
    assert flags == {"Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict"}
    assert secure.headers["set-cookie"].endswith("; Secure")


async def test_a_header_counts_more_than_the_cookie() -> None:
    async with fronted() as front:
        await front.http.post("/session", json={"token": TOKEN})
        await front.http.get("/api/v1/runs/a", headers={"Authorization": "Bearer another"})
    assert front.service.calls[0][2]["authorization"] == "Bearer another"


@pytest.mark.parametrize(
    "body", [{}, [], "x", {"token": ""}, {"token": 1}, {"token": "a b"}, {"token": "a;b"}, {"token": "a" * 3801}]
)
async def test_what_is_no_token_is_not_kept(body: Any) -> None:
    async with fronted() as front:
        refused = await front.http.post("/session", json=body)
    assert refused.status_code == 400
    assert "set-cookie" not in refused.headers
    assert list(violations(refused)) == ["token"]


@pytest.mark.parametrize("cookie", ["fabula_token", "fabula_token=a b", 'fabula_token="', "x=1; fabula_token=", "=;;"])
async def test_a_cookie_that_is_no_token_is_passed_over(cookie: str) -> None:
    async with fronted() as front:
        await front.http.get("/api/v1/runs/a", headers={"Cookie": cookie})
    assert "authorization" not in front.service.calls[0][2]


@pytest.mark.parametrize(
    "other",
    ['x={"a": 1}', "x=a b", "x=é", "path=/", "flag", 'x="', "=", "", "a,b=1", "x[1]=(2)", "fabula_token2=x"],
)
@pytest.mark.parametrize("order", ["{other}; {ours}", "{ours};{other}"])
async def test_a_cookie_of_another_program_does_not_hide_the_token(other: str, order: str) -> None:
    cookie = order.format(other=other, ours=f"fabula_token={TOKEN}")
    async with fronted() as front:
        await front.http.get("/api/v1/runs/a", headers={b"Cookie": cookie.encode()})
    assert front.service.calls[0][2].get("authorization") == f"Bearer {TOKEN}"


async def test_of_two_tokens_the_one_with_the_shortest_path_counts_which_browsers_send_last() -> None:
    async with fronted() as front:
        await front.http.get("/api/v1/runs/a", headers={"Cookie": f"fabula_token=other; fabula_token={TOKEN}"})
    assert front.service.calls[0][2]["authorization"] == f"Bearer {TOKEN}"


async def test_no_other_site_opens_a_session() -> None:
    async with fronted() as front:
        refused = await front.http.post("/session", json={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
        wrong = await front.http.get("/session")
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST, DELETE, OPTIONS")


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "fabula_token"])
async def test_a_token_in_an_address_is_refused_and_never_logged(
    name: str,
) -> None:
    async with fronted() as front:
        refused = await front.http.get(GENERATE, params=NIGHT | {name: TOKEN})
    assert refused.status_code == 400
    assert list(violations(refused)) == [name]
    assert TOKEN not in refused.text
    assert front.service.calls == []
    assert TOKEN not in "".join(take_journal())


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.", "[::1]evil"])
async def test_a_gateway_answers_to_its_own_names_alone(host: str) -> None:
    async with fronted(hosts=["localhost", "[::1]"]) as front:
        refused = await front.http.get("/api/v1/runs/a", headers={"Host": host})
        page = await front.http.get("/", headers={"Host": host})
        right = [(await front.http.get("/api/v1/runs/a", headers={"Host": name})).status_code for name in OWN]
    assert (refused.status_code, page.status_code) == (421, 421)
    assert right == [200, 200, 200]
    assert len(front.service.calls) == 3


async def test_without_keys_the_gateway_answers_to_its_machine_alone() -> None:
    async with serving(http_address="127.0.0.1:0") as served, browsing(served) as http:
        assert (await http.get("/api/v1/children")).status_code == 200
        assert (await http.get("/api/v1/children", headers={"Host": "evil.example"})).status_code == 421
