"""`fabula token` makes tokens that a service takes, and the program sends the one in FABULA_TOKEN."""

import jwt
import pytest

from tests.clients.python.program import run
from tests.harness import serving
from tests.tokens import ISSUER, SECRET


async def test_a_token_of_the_program_opens_the_service_that_has_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FABULA_AUTH_SECRET", SECRET)
    monkeypatch.setenv("FABULA_AUTH_ISSUER", ISSUER)
    code, token, _ = await run("token", "us", "--scope", "read", "--minutes", "1")
    claims = jwt.decode(token.strip(), SECRET, algorithms=["HS256"], audience="fabula", issuer=ISSUER)
    assert (code, claims["sub"], claims["scope"], claims["exp"] - claims["iat"]) == (0, "us", "read", 60)
    async with serving(auth_secret=SECRET, auth_issuer=ISSUER) as served:
        without = await run("--address", served.address, "children")
        monkeypatch.setenv("FABULA_TOKEN", token.strip())
        allowed = await run("--address", served.address, "children")
        refused = await run("--address", served.address, "add-child", "Kim", "--age", "7")
    assert without[0] == 1
    assert "FABULA_TOKEN" in without[2]
    assert allowed[:2] == (0, "")
    assert refused[0] == 1
    assert "scope children" in refused[2]


async def test_without_a_secret_it_says_what_is_missing() -> None:
    code, out, err = await run("token", "us")
    assert (code, out) == (1, "")
    assert "FABULA_AUTH_SECRET and FABULA_AUTH_ISSUER" in err


@pytest.mark.parametrize("wrong", [["token"], ["token", "us", "--scope", "all"], ["token", "us", "--minutes", "x"]])
async def test_wrong_usage_is_told(wrong: list[str]) -> None:
    assert (await run(*wrong))[0] == 2
