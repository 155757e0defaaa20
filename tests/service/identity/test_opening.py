"""What is told of keys at the start, and how an issuer's are reached."""

import pytest
from pydantic import ValidationError

from service.config import Config
from service.errors import ConfigError
from service.identity import open_authenticator
from tests.service.identity.issuer import Issuer, jwk
from tests.tokens import ISSUER, public_pem, signed


def config_of(url: str) -> Config:
    return Config(auth_jwks_url=url, auth_issuer=ISSUER)


@pytest.mark.parametrize(
    "secret", [public_pem("ES256").decode(), "ssh-ed25519 " + "A" * 68, '{"kty": "oct", "k": "c2VjcmV0IHNlY3JldA"}']
)
async def test_a_secret_that_is_a_key_of_another_kind_is_told_and_not_quoted(secret: str) -> None:
    with pytest.raises(ConfigError, match="FABULA_AUTH_SECRET: ") as caught:
        async with open_authenticator(Config(auth_secret=secret, auth_issuer=ISSUER)):  # type: ignore[arg-type]
            pass
    assert secret not in str(caught.value.problems)


async def test_a_proxy_has_no_part_in_an_issuer_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with Issuer(jwk("EdDSA", "a")) as issuer, open_authenticator(config_of(issuer.url)) as authenticator:
        assert (await authenticator.authenticate([f"Bearer {signed('EdDSA', 'us', kid='a')}"])).principal == "us"


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/keys",
        "https://issuer.example/tenant/discovery/v2.0/keys?p=b2c_1_sign_in",
        "http://127.0.0.1:8080/keys?p=1",
    ],
)
def test_keys_are_at_a_url_that_may_have_a_query(url: str) -> None:
    assert config_of(url).auth_jwks_url == url


@pytest.mark.parametrize(
    "url",
    [
        "issuer.example/keys",
        "ftp://issuer.example",
        "https://",
        "https://[::1",
        "https://issuer.example/keys#SECRET",
        "https://issuer.example/my keys",
        "https://us:SECRET@issuer.example/keys",
        "https://issuer.example:port/keys",
    ],
)
def test_a_url_of_keys_that_is_none_is_answered_with_an_example_and_never_quoted(url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://issuer\.example/\.well-known/jwks\.json") as caught:
        config_of(url)
    assert "SECRET" not in str(caught.value)


def test_keys_do_not_come_over_a_network_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="expected https"):
        config_of("http://issuer.example/keys")
