"""What makes a token right, and what is said of one that is not."""

import string
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from service.config import Config
from service.errors import ConfigError, FabulaError, TokenExpired, Unauthenticated
from service.identity import open_authenticator
from service.identity.keys import Key, OneKey, read_key
from service.identity.verifier import LEEWAY_SECONDS, MAX_TOKEN_BYTES, TokenVerifier
from tests.service.identity.weak import weak_rsa
from tests.tokens import AUDIENCE, ISSUER, SECRET, public_pem, signed, token

VERIFIER = TokenVerifier(OneKey(Key("HS256", SECRET)), ISSUER, AUDIENCE)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("read tell", {"read", "tell"}),
        (["read", "tell"], {"read", "tell"}),
        ("", set()),
        (None, set()),
        ([""], set()),
        ({"read": True}, set()),
        ([1, "read"], {"read"}),
    ],
)
async def test_scopes_are_those_of_the_claim(scope: Any, scopes: set[str]) -> None:
    caller = await VERIFIER.authenticate([f"Bearer {token('us', scope=scope)}"])
    assert caller.principal == "us"
    assert caller.scopes == scopes


async def test_the_scheme_is_read_in_any_case() -> None:
    assert (await VERIFIER.authenticate([f"bEARER {token('us')}"])).principal == "us"


async def test_clocks_may_differ_a_little_and_no_more() -> None:
    now = time.time()
    caller = await VERIFIER.authenticate([f"Bearer {token('us', exp=now - LEEWAY_SECONDS + 10)}"])
    assert caller.expires is not None
    assert now < caller.expires < now + LEEWAY_SECONDS
    with pytest.raises(TokenExpired):
        await VERIFIER.authenticate([f"Bearer {token('us', exp=now - LEEWAY_SECONDS - 1)}"])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Basic dXM6cGFzcw=="],
        [f"Bearer {'x' * MAX_TOKEN_BYTES}x"],
        [f"Bearer {token('us')}", f"Bearer {token('them')}"],
    ],
)
async def test_what_is_no_token_is_asked_for_one(values: list[str]) -> None:
    with pytest.raises(Unauthenticated, match="Bearer TOKEN"):
        await VERIFIER.authenticate(values)


@pytest.mark.parametrize("subject", ["", " \n", "x" * 256, "a\x00b", "local"])
async def test_a_subject_that_names_no_account_is_refused(subject: str) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.authenticate([f"Bearer {token(subject)}"])


@pytest.mark.parametrize("name", ["exp", "sub", "aud", "iss"])
async def test_no_claim_may_be_missing(name: str) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.authenticate([f"Bearer {token('us', **{name: None})}"])


@pytest.mark.parametrize("end", [float("inf"), float("nan"), "soon", [], {}])
async def test_an_end_that_is_no_time_is_refused(end: Any) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.authenticate([f"Bearer {token('us', exp=end)}"])


async def test_an_end_beyond_all_time_is_one() -> None:
    caller = await VERIFIER.authenticate([f"Bearer {token('us', exp=10**400)}"])
    assert caller.expires is not None
    assert caller.expires > time.time() + 10**9


@given(st.text(string.printable, max_size=200) | st.text(max_size=50))
async def test_any_text_is_refused_with_an_error_of_ours(text: str) -> None:
    with pytest.raises(FabulaError) as caught:
        await VERIFIER.authenticate([f"Bearer {text}"])
    assert len(text) < 4 or text not in caught.value.message


@given(st.binary(max_size=60), st.integers(0, 2))
async def test_a_token_that_is_changed_anywhere_is_refused(junk: bytes, part: int) -> None:
    pieces = token("us").split(".")
    pieces[part] = junk.hex()
    with pytest.raises(FabulaError):
        await VERIFIER.authenticate([f"Bearer {'.'.join(pieces)}"])


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_key_file_tells_its_algorithm(algorithm: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(public_pem(algorithm))
    verifier = TokenVerifier(OneKey(read_key(tmp_path / "key.pem")), ISSUER, AUDIENCE)
    assert (await verifier.authenticate([f"Bearer {signed(algorithm, 'us')}"])).principal == "us"


async def test_a_key_file_that_holds_no_key_is_told_at_the_start(tmp_path: Path) -> None:
    other = generate_private_key(SECP384R1()).public_key()
    for content in (b"", b"junk", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(ConfigError, match="FABULA_AUTH_KEY_FILE"):
            read_key(tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="No such file"):
        read_key(tmp_path / "none.pem")


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:50051", "fabula.example:50051"])
async def test_without_keys_the_house_opens_to_no_network(address: str) -> None:
    for name in ("grpc_address", "http_address"):
        with pytest.raises(ConfigError, match=f"FABULA_{name.upper()}.*FABULA_AUTH_SECRET"):
            async with open_authenticator(Config(**{name: address})):  # type: ignore[arg-type]
                pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"])
async def test_without_keys_it_opens_to_its_own_machine(address: str) -> None:
    async with open_authenticator(Config(grpc_address=address, http_address="off")) as authenticator:
        assert (await authenticator.authenticate([])).principal == "local"


async def test_a_key_file_of_rsa_that_is_too_short_is_told_at_the_start(tmp_path: Path) -> None:
    weak = weak_rsa().public_key()
    (tmp_path / "key.pem").write_bytes(weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ConfigError, match="at least 2048 bits"):
        read_key(tmp_path / "key.pem")


async def test_a_key_that_can_not_verify_is_no_fault_of_ours_to_a_caller() -> None:
    verifier = TokenVerifier(OneKey(Key("HS256", public_pem("ES256").decode())), ISSUER, AUDIENCE)
    with pytest.raises(Unauthenticated):
        await verifier.authenticate([f"Bearer {token('us')}"])


def test_a_key_does_not_show_itself() -> None:
    assert SECRET not in repr(Key("HS256", SECRET))
