"""Tokens, right and wrong, and the keys that they are signed with."""

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "an example of a secret, of no use elsewhere"  # noqa: S105 -- as it says
ISSUER = "https://issuer.example"
AUDIENCE = "fabula"
EVERYTHING = "read tell children operate"


@cache
def private_key(algorithm: str) -> Any:
    """A key for an algorithm, made once a process, as RSA takes its time."""
    if algorithm == "RS256":
        return generate_rsa(65_537, 2048)
    return generate_private_key(SECP256R1()) if algorithm == "ES256" else Ed25519PrivateKey.generate()


def public_pem(algorithm: str) -> bytes:
    """What the service is given of the key."""
    return bytes(private_key(algorithm).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def claims(account: str, **changes: Any) -> dict[str, Any]:
    """The claims of a token that is right in all; a change of None leaves one out."""
    now = time.time()
    right = {"sub": account, "iss": ISSUER, "aud": AUDIENCE, "exp": now + 600, "iat": now, "scope": EVERYTHING}
    return {name: value for name, value in (right | changes).items() if value is not None}


def token(account: str, **changes: Any) -> str:
    """A token signed with the secret."""
    return jwt.encode(claims(account, **changes), SECRET, algorithm="HS256")


def signed(algorithm: str, account: str, *, kid: str | None = None, **changes: Any) -> str:
    """A token signed with the private key of an algorithm."""
    headers = {"kid": kid} if kid is not None else None
    return jwt.encode(claims(account, **changes), private_key(algorithm), algorithm=algorithm, headers=headers)


def unsigned(account: str) -> str:
    """A token of the algorithm "none"."""
    return jwt.encode(claims(account), "", algorithm="none")


def forged(account: str, secret: bytes) -> str:
    """An HS256 token by hand, with any bytes for a secret: a public key's, say, which libraries refuse to sign with."""
    head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = _encoded(json.dumps(claims(account)).encode())
    signature = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
