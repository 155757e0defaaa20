"""`fabula token`: a token for development, of the secret that the service on this machine verifies with."""

import argparse
import os
import time
from collections.abc import Sequence

from fabula.auth.v1 import scope_pb2

SCOPES: Sequence[str] = [name.removeprefix("SCOPE_").lower() for name in scope_pb2.Scope.keys()[1:]]

_SECRET, _ISSUER, _AUDIENCE = "FABULA_AUTH_SECRET", "FABULA_AUTH_ISSUER", "FABULA_AUTH_AUDIENCE"


async def token(options: argparse.Namespace) -> None:
    """Prints a token. SystemExit with what is missing."""
    try:
        import jwt  # noqa: PLC0415 -- callers of a service need no library that signs
    except ModuleNotFoundError:
        raise SystemExit("fabula token signs with PyJWT: pip install 'fabula-client[token]'.") from None
    missing = [name for name in (_SECRET, _ISSUER) if not os.environ.get(name)]
    if missing:
        raise SystemExit(f"Set {' and '.join(missing)} as the service has them.")
    now = int(time.time())
    claims = {
        "sub": options.account,
        "iss": os.environ[_ISSUER],
        "aud": os.environ.get(_AUDIENCE) or "fabula",
        "scope": " ".join(options.scopes or SCOPES),
        "iat": now,
        "exp": now + 60 * options.minutes,
    }
    print(jwt.encode(claims, os.environ[_SECRET], algorithm="HS256"))  # noqa: T201 -- what the command is for
