"""Who calls: the principal that owns what the call makes and sees, and what it may do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """`scopes` are names as a token spells them; `expires` is Unix time in seconds, None for what does not expire."""

    principal: str
    scopes: frozenset[str]
    expires: float | None = None


class Authenticator(Protocol):
    """Tells callers apart."""

    async def authenticate(self, authorization: Sequence[str]) -> Caller:
        """The caller with these values of `authorization`.

        Raises Unauthenticated, TokenExpired, and IdentityUnavailable when it can't be told now.
        """
        ...


_caller: ContextVar[Caller] = ContextVar("caller")


def current_principal() -> str:
    """The principal of the call that is being served."""
    return _caller.get().principal


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """What runs within serves a call of this caller."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
