"""Bearer tokens (RFC 6750) that are JWTs (RFC 7519), verified as RFC 8725 advises: the algorithm comes from the key."""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from service.errors import TokenExpired, Unauthenticated
from service.identity.keys import Keys
from service.runtime.caller import Caller
from service.runtime.spec import LOCAL_PRINCIPAL

LEEWAY_SECONDS = 30
"""By how much clocks may differ."""

MAX_TOKEN_BYTES = 8 * 1024
_MAX_PRINCIPAL = 255
_FAR = 2**53  # a time beyond which nobody counts
_REQUIRED = ("exp", "sub", "aud", "iss")

_MISSING = "Send a token in the metadata: authorization: Bearer TOKEN."
_FAULTS: Mapping[type[Exception], str] = {
    jwt.InvalidAudienceError: "The token is for another audience.",
    jwt.InvalidIssuerError: "The token is of another issuer.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.MissingRequiredClaimError: f"The token lacks one of the claims {', '.join(_REQUIRED)}.",
    jwt.InvalidSignatureError: "The token's signature is not of a key that is trusted here.",
}


class TokenVerifier:
    """An Authenticator by tokens. See `Authenticator`."""

    def __init__(self, keys: Keys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def authenticate(self, authorization: Sequence[str]) -> Caller:
        token = _bearer(authorization)
        claims = await self._verified(token)
        subject = claims["sub"]
        if subject == LOCAL_PRINCIPAL:
            # What was made while there were no keys would be this account's.
            raise Unauthenticated(f'The token\'s sub must not be "{LOCAL_PRINCIPAL}": choose another name.')
        if not subject or len(subject) > _MAX_PRINCIPAL or not subject.isprintable():
            raise Unauthenticated(f"The token's sub must be 1 to {_MAX_PRINCIPAL} printable characters.")
        return Caller(subject, _scopes(claims), float(min(int(claims["exp"]), _FAR)) + LEEWAY_SECONDS)

    async def _verified(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = await self._keys.find(header.get("kid"), header.get("alg"))
            return jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(_REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("The token has expired. Come back with a new one.") from None
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            # The library's text may quote the token.
            raise Unauthenticated(_FAULTS.get(type(error), "The token is not a JWT that can be verified.")) from None


def _bearer(authorization: Sequence[str]) -> str:
    if len(authorization) != 1:
        raise Unauthenticated(_MISSING)
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or len(token) > MAX_TOKEN_BYTES:
        raise Unauthenticated(_MISSING)
    return token.strip()


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Of the `scope` claim, names with spaces between (RFC 8693), or a list of names, as some issuers have it."""
    scope = claims.get("scope", "")
    names = scope.split() if isinstance(scope, str) else scope
    return (
        frozenset(name for name in names if name and isinstance(name, str)) if isinstance(names, list) else frozenset()
    )
