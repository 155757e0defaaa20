"""What the gateway itself refuses, as google.rpc.Status with the HTTP status that goes with it."""

from collections.abc import Mapping, Sequence

from google.rpc import code_pb2, status_pb2

from service.errors import InvalidRequest, MalformedRequest, to_status

MAX_NAMED = 20
"""Violations that an answer names at the most."""


class Refused(Exception):
    """The answer to a request that reaches no service, or that a service refused."""

    def __init__(self, http_status: int, status: status_pb2.Status, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status.message)
        self.http_status = http_status
        self.status = status
        self.headers = dict(headers or {})


def invalid(violations: Sequence[tuple[str, str]]) -> Refused:
    """400: parameters or fields of the body can't be taken; the message says which and why, as the details do."""
    error = InvalidRequest(violations[:MAX_NAMED])
    error.message = "; ".join(f"{name}: {description}" for name, description in error.violations)
    return Refused(400, to_status(error))


def malformed(message: str, http_status: int = 400) -> Refused:
    """400 or its like: the request can't be read."""
    return Refused(http_status, to_status(MalformedRequest(message)))


def no_route() -> Refused:
    """404: nothing is here."""
    message = "There is nothing at this address: /docs lists what there is."
    return Refused(404, status_pb2.Status(code=code_pb2.NOT_FOUND, message=message))


def wrong_method(allowed: Sequence[str]) -> Refused:
    """405: something is here, but not for this method."""
    allow = ", ".join(allowed)
    status = status_pb2.Status(code=code_pb2.UNIMPLEMENTED, message=f"This address takes {allow}.")
    return Refused(405, status, {"Allow": allow})


def wrong_host() -> Refused:
    """421: the gateway is called by a name that is not its own."""
    message = "The gateway is not called by this name: FABULA_HTTP_HOSTS lists those that it answers to."
    return Refused(421, status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message=message))


def foreign_site() -> Refused:
    """403: a page of another site asks, and it is not one that may."""
    message = "This site may not call the gateway: FABULA_CORS_ORIGINS lists those that may."
    return Refused(403, status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message=message))
