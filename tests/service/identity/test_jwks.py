"""Keys that an issuer publishes: fetched when asked for, kept, changed with the issuer's; never a flood of fetches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from service.errors import IdentityUnavailable, Unauthenticated
from service.identity import jwks
from service.identity.jwks import ANEW_SECONDS, KEPT_SECONDS, MAX_BYTES, STALE_SECONDS, JwksKeys
from service.identity.verifier import TokenVerifier
from tests.service.identity.issuer import Issuer, jwk
from tests.service.identity.weak import weak_rsa
from tests.tokens import AUDIENCE, ISSUER, claims, private_key, signed


class Clock:
    """Time that passes when the test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def trusting(issuer: Issuer, clock: Clock | None = None) -> AsyncIterator[TokenVerifier]:
    async with (
        httpx.AsyncClient(trust_env=False, timeout=3_600) as client,
        aclosing(JwksKeys(issuer.url, client, clock or Clock())) as keys,
    ):
        yield TokenVerifier(keys, ISSUER, AUDIENCE)


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
        await principal(verifier, signed("EdDSA", "us", kid="a"))  # has the keys fetched, and does not wait
        for kid in ("unknown", "a"):  # the first waits for that fetch
            with pytest.raises(Unauthenticated):
                await principal(verifier, signed("EdDSA", "us", kid=kid))
    assert issuer.asked == 2


async def test_a_caller_that_goes_away_does_not_take_the_keys_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 60)
    token = signed("EdDSA", "us", kid="a")
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        issuer.answering.clear()
        first = asyncio.create_task(principal(verifier, token))
        await issuer.until_asked(1)
        first.cancel()
        await asyncio.wait({first})
        issuer.answering.set()
        assert first.cancelled()
        assert await principal(verifier, token) == "us"
    assert issuer.asked == 1


async def test_closing_ends_a_fetch_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 3_600)
    async with (
        Issuer(jwk("EdDSA", "a")) as issuer,
        httpx.AsyncClient(trust_env=False, timeout=3_600) as client,
        asyncio.timeout(10),
    ):
        issuer.answering.clear()
        keys = JwksKeys(issuer.url, client)
        call = asyncio.create_task(keys.find("a", "EdDSA"))
        await issuer.until_asked(1)
        await keys.aclose()
        with pytest.raises(IdentityUnavailable):
            await call


async def test_while_the_issuer_hangs_known_keys_are_good_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 3_600)
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer, clock) as verifier:
        await principal(verifier, signed("EdDSA", "us", kid="a"))
        issuer.answering.clear()
        clock.now += KEPT_SECONDS + 1
        async with asyncio.timeout(10):
            for _ in range(3):
                assert await principal(verifier, signed("EdDSA", "us", kid="a")) == "us"
            await issuer.until_asked(2)
        issuer.keys = [jwk("ES256", "new")]
        issuer.answering.set()
        assert await principal(verifier, signed("ES256", "us", kid="new")) == "us"
    assert issuer.asked == 2


async def test_an_unknown_key_is_wrong_only_by_the_word_of_the_issuer() -> None:
    clock = Clock()
    unknown = signed("EdDSA", "us", kid="unknown")
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer, clock) as verifier:
        await principal(verifier, signed("EdDSA", "us", kid="a"))
        issuer.status = 500
        clock.now += ANEW_SECONDS
        for _ in range(2):  # it fails, then can't be tried again yet
            with pytest.raises(IdentityUnavailable):
                await principal(verifier, unknown)
        assert await principal(verifier, signed("EdDSA", "us", kid="a")) == "us"
        issuer.status = 200
        clock.now += ANEW_SECONDS
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await principal(verifier, unknown)
    assert issuer.asked == 3


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
        issuer.answering.clear()
        with pytest.raises(IdentityUnavailable):
            await principal(verifier, token)
        issuer.answering.set()
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


@pytest.mark.parametrize("odd", [{"kty": "oct", "kid": "z"}, jwk("EdDSA", "z", alg="none"), jwk("RS256", "z", n=1)])
async def test_an_odd_key_does_not_take_the_others_along(odd: dict[str, Any]) -> None:
    async with Issuer(odd, jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        assert await principal(verifier, signed("EdDSA", "us", kid="a")) == "us"
        with pytest.raises(Unauthenticated):
            await principal(verifier, signed("EdDSA", "us", kid="z"))


async def test_a_key_that_the_library_can_not_read_does_not_take_the_others_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = jwt.PyJWK

    def reading(document: dict[str, Any]) -> jwt.PyJWK:
        if document["kid"] == "z":
            raise UnsupportedAlgorithm("as OpenSSL may be built without a curve")
        return read(document)

    monkeypatch.setattr(jwt, "PyJWK", reading)
    async with Issuer(jwk("ES256", "z"), jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        assert await principal(verifier, signed("EdDSA", "us", kid="a")) == "us"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_an_rsa_key_that_is_too_short_verifies_nothing() -> None:
    weak = weak_rsa()
    document = jwt.get_algorithm_by_name("RS256").to_jwk(weak.public_key(), as_dict=True)
    token = jwt.encode(claims("us"), weak, algorithm="RS256", headers={"kid": "weak"})
    async with Issuer(document | {"kid": "weak"}, jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        assert await principal(verifier, signed("EdDSA", "us", kid="a")) == "us"
        with pytest.raises(Unauthenticated):
            await principal(verifier, token)


async def test_a_sole_key_without_a_name_is_meant_by_any_name() -> None:
    nameless = jwk("EdDSA", "")
    del nameless["kid"]
    async with Issuer(nameless) as issuer, trusting(issuer) as verifier:
        for kid in ("a", None):
            assert await principal(verifier, signed("EdDSA", "us", kid=kid)) == "us"
        forged = jwt.encode(claims("us"), private_key("ES256"), algorithm="ES256", headers={"kid": "a"})
        with pytest.raises(Unauthenticated):
            await principal(verifier, forged)


async def test_a_sole_key_with_a_name_is_meant_by_that_alone_or_by_none() -> None:
    async with Issuer(jwk("EdDSA", "a")) as issuer, trusting(issuer) as verifier:
        assert await principal(verifier, signed("EdDSA", "us")) == "us"
        with pytest.raises(Unauthenticated):
            await principal(verifier, signed("EdDSA", "us", kid="b"))
