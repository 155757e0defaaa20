"""Keys that an issuer publishes: fetched when asked for, kept, changed with the issuer's; never a flood of fetches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from service.errors import IdentityUnavailable, Unauthenticated
from service.identity import jwks
from service.identity.jwks import ANEW_SECONDS, KEPT_SECONDS, MAX_BYTES, STALE_SECONDS, JwksKeys
from service.identity.verifier import TokenVerifier
from tests.service.identity.issuer import Issuer, jwk
from tests.tokens import AUDIENCE, ISSUER, signed


class Clock:
    """Time that passes when the test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def trusting(issuer: Issuer, clock: Clock | None = None) -> AsyncIterator[TokenVerifier]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield TokenVerifier(JwksKeys(issuer.url, client, clock or Clock()), ISSUER, AUDIENCE)


async def principal(verifier: TokenVerifier, token: str) -> str:
    return (await verifier.authenticate([f"Bearer {token}"])).principal


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_of_a_published_key_is_trusted(algorithm: str) -> None:
    async with Issuer(jwk(algorithm, "a"), jwk("ES256", "b")) as issuer, trusting(issuer) as verifier:
        for _ in range(3):
            assert await principal(verifier, signed(algorithm, "us", kid="a")) == "us"
    assert issuer.asked == 1


async def test_calls_at_once_fetch_once() -> None:
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        token = signed("EdDSA", "us", kid="a")
        assert await asyncio.gather(*[principal(verifier, token) for _ in range(20)]) == ["us"] * 20
    assert issuer.asked == 1


async def test_a_new_key_is_found_and_an_old_one_is_trusted_no_longer() -> None:
    clock = Clock()
    async with Issuer(jwk("EdDSA", "old")) as issuer, trusting(issuer, clock) as verifier:
        await principal(verifier, signed("EdDSA", "us", kid="old"))
        issuer.keys = [jwk("ES256", "new")]
        clock.now += ANEW_SECONDS
        assert await principal(verifier, signed("ES256", "us", kid="new")) == "us"
        with pytest.raises(Unauthenticated):
            await principal(verifier, signed("EdDSA", "us", kid="old"))


async def test_a_key_that_was_withdrawn_is_forgotten_in_time() -> None:
    clock = Clock()
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer, clock) as verifier:
        await principal(verifier, signed("EdDSA", "us", kid="a"))
        issuer.keys = []
        clock.now += KEPT_SECONDS + 1
        with pytest.raises(Unauthenticated):
            await principal(verifier, signed("EdDSA", "us", kid="a"))


async def test_tokens_of_invented_keys_are_no_flood() -> None:
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        for number in range(50):
            with pytest.raises(Unauthenticated):
                await principal(verifier, signed("EdDSA", "us", kid=str(number)))
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"keys": 1}',
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
        b"\xff",
        b'{"keys": [1, {}, null]}',
    ],
)
async def test_what_is_no_set_of_keys_trusts_nobody(body: bytes) -> None:
    async with Issuer() as issuer, trusting(issuer) as verifier:
        issuer.body = body
        with pytest.raises((IdentityUnavailable, Unauthenticated)):
            await principal(verifier, signed("EdDSA", "us", kid="a"))


async def test_an_issuer_that_fails_is_retryable_and_known_keys_last_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.05)
    token = signed("EdDSA", "us", kid="a")
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer, clock) as verifier:
        issuer.hangs = True
        with pytest.raises(IdentityUnavailable):
            await principal(verifier, token)
        issuer.hangs = False
        clock.now += ANEW_SECONDS
        await principal(verifier, token)
        issuer.status = 500
        clock.now += KEPT_SECONDS + 1
        assert await principal(verifier, token) == "us"
        clock.now += STALE_SECONDS
        with pytest.raises(IdentityUnavailable):
            await principal(verifier, token)


@pytest.mark.parametrize("changes", [{"use": "enc"}, {"kty": "oct", "k": "c2VjcmV0"}, {"crv": "P-999"}])
async def test_keys_for_other_things_verify_nothing(changes: dict[str, Any]) -> None:
    async with Issuer(jwk("EdDSA", "a", **changes)) as issuer, trusting(issuer) as verifier:
        with pytest.raises(Unauthenticated):
            await principal(verifier, signed("EdDSA", "us", kid="a"))


async def test_a_key_is_good_for_its_own_algorithm_alone() -> None:
    async with Issuer(jwk("RS256", "a")) as issuer, trusting(issuer) as verifier:
        with pytest.raises(Unauthenticated, match="RS256"):
            await principal(verifier, signed("EdDSA", "us", kid="a"))
