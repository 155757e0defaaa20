"""A key that is too short to be trusted."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key


@cache
def weak_rsa() -> RSAPrivateKey:
    """1024 bits, as they were usual once."""
    return generate_private_key(65_537, 1024)  # noqa: S505 -- it is to be refused
