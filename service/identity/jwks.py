"""The keys of an issuer that publishes them (RFC 7517), fetched when they are asked for, and anew when they change."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import jwt
import structlog

from service.errors import IdentityUnavailable, Unauthenticated
from service.identity.keys import LEAST_RSA_BITS, Key

_log = structlog.get_logger("fabula.identity")

KEPT_SECONDS = 600.0
"""How long the keys are used before they are asked for anew: a key that was withdrawn is trusted no longer."""

ANEW_SECONDS = 10.0
"""How soon after a fetch an unknown key is reason for another: tokens of invented keys must not become a flood."""

STALE_SECONDS = 3_600.0
"""How long keys are used while the issuer can't be reached."""

FETCH_SECONDS = 5.0
MAX_BYTES = 256 * 1024
_ALGORITHMS = ("RS256", "ES256", "EdDSA")


class JwksKeys:
    """The keys at a URL. `clock` is monotonic."""

    def __init__(self, url: str, client: httpx.AsyncClient, clock: Any = time.monotonic) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._keys: Mapping[str | None, Key] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: object, algorithm: object) -> Key:
        """See `Keys`."""
        name = kid if isinstance(kid, str) else None
        if self._clock() - self._fetched > KEPT_SECONDS or name not in self._keys:
            await self._renew()
        if self._clock() - self._fetched > STALE_SECONDS:
            raise IdentityUnavailable("The issuer's keys can't be fetched now. Ask again in a moment.")
        key = self._keys.get(name)
        if key is None:
            raise Unauthenticated("The token's signature is not of a key that is trusted here.")
        if algorithm != key.algorithm:
            raise Unauthenticated(f"Tokens of this key are signed with {key.algorithm}.")
        return key

    async def _renew(self) -> None:
        async with self._fetching:
            if self._clock() - self._tried < ANEW_SECONDS:
                return  # somebody has just tried
            self._tried = self._clock()
            try:
                found = _keys_of(await self._fetch())
            except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
                _log.warning("keys_unavailable", error=type(error).__name__)
                return
            self._keys, self._fetched = found, self._tried

    async def _fetch(self) -> Any:
        async with asyncio.timeout(FETCH_SECONDS), self._client.stream("GET", self._url) as answer:
            answer.raise_for_status()
            data = bytearray()
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > MAX_BYTES:
                    raise ValueError("too large")
        return httpx.Response(200, content=bytes(data)).json()


def _keys_of(document: Any) -> Mapping[str | None, Key]:
    """The keys that verify signatures; others are passed over. Raises ValueError for what is no set of keys."""
    found = dict[str | None, Key]()
    for each in _listed(document):
        if isinstance(each, dict) and each.get("use", "sig") == "sig" and (key := _key_of(each)):
            kid = each.get("kid")
            found[kid if isinstance(kid, str) else None] = key
    if len(found) == 1:
        # A token that names no key can mean no other.
        found.setdefault(None, next(iter(found.values())))
    return found


def _listed(document: Any) -> Sequence[Any]:
    keys = document.get("keys") if isinstance(document, dict) else None
    if isinstance(keys, list):
        return keys
    raise ValueError("no set of keys")


def _key_of(document: dict[str, Any]) -> Key | None:
    try:
        key = jwt.PyJWK(document)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if key.algorithm_name not in _ALGORITHMS:
        return None
    if key.key_type == "RSA" and key.key.key_size < LEAST_RSA_BITS:
        return None
    return Key(key.algorithm_name, key.key)
