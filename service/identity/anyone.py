"""A service without keys, which only its own machine reaches."""

from collections.abc import Sequence

from fabula.auth.v1 import scope_pb2
from service.runtime.caller import Caller
from service.runtime.spec import LOCAL_PRINCIPAL

_EVERYTHING = frozenset(name.removeprefix("SCOPE_").lower() for name in scope_pb2.Scope.keys()[1:])


class Anyone:
    """Whoever calls is the one local principal, who may do everything. See `Authenticator`."""

    async def authenticate(self, authorization: Sequence[str]) -> Caller:
        del authorization
        return Caller(LOCAL_PRINCIPAL, _EVERYTHING)
