"""Who calls: by tokens, once the keys that they are verified with are configured."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlsplit

import httpx

from service.addresses import is_loopback, is_loopback_host
from service.config import NO_GATEWAY, Config
from service.errors import ConfigError
from service.identity.anyone import Anyone
from service.identity.jwks import JwksKeys
from service.identity.keys import Keys, OneKey, read_key, secret_key
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
    async with _open_keys(config) as keys:
        yield TokenVerifier(keys, config.auth_issuer, config.auth_audience)


@asynccontextmanager
async def _open_keys(config: Config) -> AsyncIterator[Keys]:
    if config.auth_secret is not None:
        yield OneKey(secret_key(config.auth_secret.get_secret_value()))
    elif config.auth_key_file is not None:
        yield OneKey(read_key(config.auth_key_file))
    else:
        async with _client(config.auth_jwks_url) as client, aclosing(JwksKeys(config.auth_jwks_url, client)) as keys:
            yield keys


def _client(url: str) -> httpx.AsyncClient:
    # A proxy of the environment has another loopback than ours.
    return httpx.AsyncClient(follow_redirects=False, trust_env=not is_loopback_host(str(urlsplit(url).hostname)))


def _open_doors(config: Config) -> Iterator[str]:
    doors = {"FABULA_GRPC_ADDRESS": config.grpc_address, "FABULA_HTTP_ADDRESS": config.http_address}
    for name, address in doors.items():
        if address != NO_GATEWAY and not is_loopback(address):
            yield (
                f"{name}: {address} would be open to whoever reaches it: configure the keys of tokens "
                "(FABULA_AUTH_SECRET, FABULA_AUTH_KEY_FILE or FABULA_AUTH_JWKS_URL), or take 127.0.0.1"
            )
