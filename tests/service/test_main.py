"""What `python -m service` tells the person who starts it."""

from typing import Any

import pytest

from service.__main__ import how_to_ask
from service.config import Config
from tests.tokens import ISSUER, SECRET

USUAL = "127.0.0.1:50051"


@pytest.mark.parametrize(("address", "command"), [(USUAL, "make story"), ("[::1]:7", "make story ADDRESS=[::1]:7")])
def test_without_keys_a_story_is_asked_for_at_once(address: str, command: str) -> None:
    assert how_to_ask(Config(), address)[-1].endswith(f": {command}")


@pytest.mark.parametrize(
    ("keys", "words"), [({"auth_secret": SECRET}, "fabula token ACCOUNT"), ({"auth_jwks_url": "https://a.example"}, "")]
)
def test_with_keys_a_token_comes_first_and_no_command_is_told_that_has_none(keys: dict[str, Any], words: str) -> None:
    told = "\n".join(how_to_ask(Config(auth_issuer=ISSUER, **keys), USUAL))
    assert "make story" not in told
    assert told.endswith(words)
    assert bool(told) == bool(words)
