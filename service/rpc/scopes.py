"""What a caller must be allowed to do for each RPC: written in the protos, by the option fabula.auth.v1.scope."""

from functools import cache

from google.protobuf import descriptor_pool

from fabula.auth.v1 import scope_pb2


@cache
def scope_of(method: str) -> str:
    """The scope that `/package.Service/Method` needs, as tokens spell it; empty for an RPC that names none."""
    rpc = descriptor_pool.Default().FindMethodByName(method.removeprefix("/").replace("/", "."))
    return scope_name(rpc.GetOptions().Extensions[scope_pb2.scope])


def scope_name(scope: "scope_pb2.Scope.ValueType") -> str:
    """The short name: "read" for SCOPE_READ, and nothing for SCOPE_UNSPECIFIED."""
    return "" if scope == scope_pb2.SCOPE_UNSPECIFIED else scope_pb2.Scope.Name(scope).removeprefix("SCOPE_").lower()
