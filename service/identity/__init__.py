"""Who calls: by tokens, once the keys that they are verified with are configured."""

import ipaddress
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx

from service.config import NO_GATEWAY, Config
from service.errors import ConfigError
from service.identity.anyone import Anyone
from service.identity.jwks import JwksKeys
from service.identity.keys import Key, Keys, OneKey, read_key
from service.identity.verifier import TokenVerifier
from service.runtime.caller import Authenticator


@asynccontextmanager
async def open_authenticator(config: Config) -> AsyncIterator[Authenticator]:
    """Yields what tells callers apart. Raises ConfigError, also when the house would stand open to a network."""
    if not config.has_keys:
        if problems := list(_open_doors(config)):
            raise ConfigError(problems)
        yield Anyone()
        return
    async with httpx.AsyncClient(follow_redirects=False) as client:
        yield TokenVerifier(_keys(config, client), config.auth_issuer, config.auth_audience)


def _keys(config: Config, client: httpx.AsyncClient) -> Keys:
    if config.auth_secret is not None:
        return OneKey(Key("HS256", config.auth_secret.get_secret_value()))
    if config.auth_key_file is not None:
        return OneKey(read_key(config.auth_key_file))
    return JwksKeys(config.auth_jwks_url, client)


def _open_doors(config: Config) -> Iterator[str]:
    doors = {"FABULA_GRPC_ADDRESS": config.grpc_address, "FABULA_HTTP_ADDRESS": config.http_address}
    for name, address in doors.items():
        if address != NO_GATEWAY and not is_loopback(address):
            yield (
                f"{name}: {address} would be open to whoever reaches it: configure the keys of tokens "
                "(FABULA_AUTH_SECRET, FABULA_AUTH_KEY_FILE or FABULA_AUTH_JWKS_URL), or take 127.0.0.1"
            )


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches HOST:PORT."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
