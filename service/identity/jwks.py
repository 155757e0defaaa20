"""The keys of an issuer that publishes them (RFC 7517), fetched when they are asked for, and anew when they change."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import jwt
import structlog
from cryptography.exceptions import UnsupportedAlgorithm

from service.errors import IdentityUnavailable, Unauthenticated
from service.identity.keys import LEAST_RSA_BITS, Key
from service.runtime.tasks import OwnTasks

_log = structlog.get_logger("fabula.identity")

KEPT_SECONDS = 600.0
"""How long the keys are used before they are asked for anew: a key that was withdrawn is soon trusted no longer."""

ANEW_SECONDS = 10.0
"""How soon after a fetch another may begin: tokens of invented keys must not become a flood."""

STALE_SECONDS = 3_600.0
"""How long keys are used while the issuer can't be reached."""

FETCH_SECONDS = 5.0
MAX_BYTES = 256 * 1024
_ALGORITHMS = ("RS256", "ES256", "EdDSA")


class JwksKeys:
    """The keys at a URL. `clock` is monotonic. Whoever opens it closes it.

    One task fetches, and no caller owns it: one that goes away must not take the keys from all the others.
    """

    def __init__(self, url: str, client: httpx.AsyncClient, clock: Any = time.monotonic) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._keys: Mapping[str | None, Key] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._tasks = OwnTasks()

    async def aclose(self) -> None:
        """Ends a fetch that is under way. Nobody may ask for keys any more."""
        self._tasks.cancel()
        await self._tasks.idle(FETCH_SECONDS)

    async def find(self, kid: object, algorithm: object) -> Key:
        """See `Keys`."""
        name = kid if isinstance(kid, str) else None
        key = self._known(name) or await self._found(name)
        if self._age() > KEPT_SECONDS:
            self._renew()  # and nobody waits: the issuer may hang
        if algorithm != key.algorithm:
            raise Unauthenticated(f"Tokens of this key are signed with {key.algorithm}.")
        return key

    def _known(self, name: str | None) -> Key | None:
        if self._age() > STALE_SECONDS:
            return None
        # A sole key without a name is meant by any name: such an issuer has no other.
        return self._keys.get(name) or (self._keys.get(None) if len(self._keys) == 1 else None)

    async def _found(self, name: str | None) -> Key:
        """The key, if the issuer has it by now."""
        self._renew()
        if self._fetching is not None:
            # As a shield: the task outlives a caller who goes away. And its own end by `aclose` is no end of ours.
            await asyncio.wait({self._fetching})
        if key := self._known(name):
            return key
        if self._fetched < self._tried:
            # The issuer may well have the key: only its own word makes a token wrong for good.
            raise IdentityUnavailable("The issuer's keys can't be fetched now. Ask again in a moment.")
        raise Unauthenticated("The token's signature is not of a key that is trusted here.")

    def _age(self) -> float:
        return float(self._clock() - self._fetched)

    def _renew(self) -> None:
        """Begins a fetch, unless one is under way or has just been tried."""
        under_way = self._fetching is not None and not self._fetching.done()
        if under_way or self._clock() - self._tried < ANEW_SECONDS:
            return
        self._tried = self._clock()
        self._fetching = self._tasks.own(self._replace(self._tried))

    async def _replace(self, now: float) -> None:
        try:
            self._keys = _keys_of(await self._fetch())
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
            _log.warning("keys_unavailable", error=type(error).__name__)
            return
        self._fetched = now

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
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError, UnsupportedAlgorithm):
        return None  # one that is odd, or of a kind to come, must not take the others along
    if key.algorithm_name not in _ALGORITHMS:
        return None
    if key.key_type == "RSA" and key.key.key_size < LEAST_RSA_BITS:
        return None
    return Key(key.algorithm_name, key.key)
