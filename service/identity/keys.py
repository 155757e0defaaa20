"""What tokens are verified with: a shared secret, or the public key of an issuer."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from service.errors import ConfigError, Unauthenticated

LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and the one algorithm that it is for: a token's own word counts for nothing."""

    algorithm: str
    key: Any = field(repr=False)  # may be the secret, which logs must not get


class Keys(Protocol):
    """The keys that are trusted."""

    async def find(self, kid: object, algorithm: object) -> Key:
        """The key for a token whose header says this. Raises Unauthenticated and IdentityUnavailable."""
        ...


class OneKey:
    """The same key for every token."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def find(self, kid: object, algorithm: object) -> Key:
        del kid
        if algorithm != self._key.algorithm:
            raise Unauthenticated(f"Tokens are signed with {self._key.algorithm} here.")
        return self._key


def secret_key(secret: str) -> Key:
    """The key that a shared secret is. Raises ConfigError."""
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.PyJWTError:
        # Without the cause: nothing may quote a secret.
        problem = "expected random text, not a key or certificate: FABULA_AUTH_KEY_FILE takes a public key"
        raise ConfigError([f"FABULA_AUTH_SECRET: {problem}"]) from None
    return Key("HS256", secret)


def read_key(path: Path) -> Key:
    """The public key in a PEM file. Raises ConfigError."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError([f"FABULA_AUTH_KEY_FILE: {path} can't be read: {error.strerror}"]) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError([f"FABULA_AUTH_KEY_FILE: {path} holds no public key in PEM"]) from error
    if isinstance(key, RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return Key("RS256", key)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return Key("ES256", key)
    if isinstance(key, Ed25519PublicKey):
        return Key("EdDSA", key)
    raise ConfigError(
        [f"FABULA_AUTH_KEY_FILE: expected RSA of at least {LEAST_RSA_BITS} bits, P-256 or Ed25519 in {path}"]
    )
