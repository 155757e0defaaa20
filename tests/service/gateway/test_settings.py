"""The gateway's settings, and an address that is taken."""

import socket

import pytest
from pydantic import ValidationError

from service.config import Config
from service.errors import ConfigError
from service.gateway.__main__ import serve
from service.gateway.server import reachable
from tests.harness import serving


def test_origins_are_a_list_with_commas() -> None:
    assert Config(cors_origins=" https://a.example, http://localhost:3000,").allowed_origins == [
        "https://a.example",
        "http://localhost:3000",
    ]
    assert Config().allowed_origins == []


@pytest.mark.parametrize("value", ["*", "a.example", "https://a.example/", "https://a.example/x", "null", "https://"])
def test_what_is_no_origin_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="expected origins"):
        Config(cors_origins=value)


@pytest.mark.parametrize("value", ["8000", ":8000", "on", "127.0.0.1:99999"])
def test_what_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match=r"127\.0\.0\.1:8000"):
        Config(http_address=value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:0", "127.0.0.1:5"),
        ("0.0.0.0:0", "127.0.0.1:5"),
        ("[::]:0", "[::1]:5"),
        ("localhost:9", "localhost:5"),
    ],
)
def test_a_bound_address_is_reached_from_here(address: str, expected: str) -> None:
    assert reachable(address, 5) == expected


async def test_without_a_gateway_none_is_opened() -> None:
    async with serving(http_address="off") as served:
        assert served.app.http is None


async def test_an_address_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"FABULA_HTTP_ADDRESS: {address} can't be bound"):
            async with serving(http_address=address):
                pass


async def test_a_gateway_alone_on_a_network_has_to_know_its_names() -> None:
    with pytest.raises(ConfigError, match="FABULA_HTTP_HOSTS"):
        await serve(Config(http_address="0.0.0.0:0", gateway_target="127.0.0.1:1"))
