"""Errors as types. `fabula.status` alone makes them from what the service answers.

`FabulaError` is the base of all. Match on the class first, on `reason` where a class covers several.
"""

from collections.abc import Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from fabula.run.v1 import run_pb2

DOMAIN = "fabula"
"""The domain of the service's google.rpc.ErrorInfo."""

_REASONS = dict(run_pb2.ErrorReason.items())

_Detail = TypeVar("_Detail", bound=Message)


def reason_value(name: str) -> "run_pb2.ErrorReason.ValueType":
    """The enum's value of a reason without its prefix; ERROR_REASON_UNSPECIFIED when this client does not know it."""
    return _REASONS.get(f"ERROR_REASON_{name}", run_pb2.ERROR_REASON_UNSPECIFIED)


class FabulaError(Exception):
    """A call was refused or failed.

    `message` is one sentence for the developer, `code` the gRPC code, `reason` the name of a
    fabula.run.v1.ErrorReason without its prefix ("RUN_NOT_FOUND"; empty when the answer did not come from the
    service itself), `details` the google.rpc messages that came along.
    """

    def __init__(self, message: str, code: grpc.StatusCode, reason: str = "", details: Sequence[Message] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.details = tuple(details)

    @property
    def transient(self) -> bool:
        """Whether the very same call may succeed a little later; streams repeat such calls by themselves."""
        return False

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asks to wait before the next attempt; None when it asks for none."""
        info = self.detail(RetryInfo)
        if info is None:
            return None
        return max(float(info.retry_delay.ToTimedelta().total_seconds()), 0.0)

    @property
    def metadata(self) -> dict[str, str]:
        """What the service adds to the reason, for example `oldest_sequence`; empty when it adds nothing."""
        info = self.detail(ErrorInfo)
        return dict(info.metadata) if info is not None and info.domain == DOMAIN else {}

    def detail(self, kind: type[_Detail]) -> _Detail | None:
        """The first detail of that google.rpc type, or None."""
        return next((detail for detail in self.details if isinstance(detail, kind)), None)


class InvalidRequest(FabulaError):
    """The request breaks its constraints: VALIDATION_FAILED, MALFORMED_REQUEST, PAGE_TOKEN_INVALID."""

    @property
    def violations(self) -> list[tuple[str, str]]:
        """(field path, description) of each broken constraint; empty when no single field is to blame."""
        bad = self.detail(BadRequest)
        return [(each.field, each.description) for each in bad.field_violations] if bad is not None else []


class InputUnfit(InvalidRequest):
    """A text of the request is unfit for the child."""


class NotFound(FabulaError):
    """No such child, story, chapter or run, or not the caller's."""


class RequestIdReused(FabulaError):
    """The request_id was used with another body."""


class CursorOutOfRange(FabulaError):
    """The run can't be watched after that sequence."""

    @property
    def oldest_sequence(self) -> int:
        """The oldest sequence that can still be watched; 0 when unknown."""
        return int(self.metadata.get("oldest_sequence", 0))

    @property
    def last_sequence(self) -> int:
        """The newest committed sequence; 0 when unknown."""
        return int(self.metadata.get("last_sequence", 0))


class RunStateConflict(FabulaError):
    """The run's state does not allow this."""


class StoryEnded(FabulaError):
    """The chapter that was to be continued is the last one of its tale."""


class NotImplementedYet(FabulaError):
    """In the contract, but not in this version of the service."""


class Unauthenticated(FabulaError):
    """The credentials are missing or not valid."""


class TokenExpired(Unauthenticated):
    """The token has expired: come back with a new one. A run goes on meanwhile, and is watched from the cursor."""


class PermissionDenied(FabulaError):
    """The credentials are valid and do not allow this."""


class Overloaded(FabulaError):
    """Too many streams, runs or requests. `retry_after` says when to come back, if the service knows."""

    @property
    def transient(self) -> bool:
        """True when the service says when to come back."""
        return self.retry_after is not None


class Unavailable(FabulaError):
    """The service can't be reached or is stopping, and the attempts of the RetryPolicy are used up.

    `client.watch(run_id, last_sequence)` goes on from here later. `run_id` is empty and `last_sequence` 0 when no
    event had come; then the same call with the same request_id is safe.
    """

    def __init__(self, message: str, code: grpc.StatusCode, reason: str = "", details: Sequence[Message] = ()) -> None:
        super().__init__(message, code, reason, details)
        self.run_id = ""
        self.last_sequence = 0

    @property
    def transient(self) -> bool:
        """Always true."""
        return True


class OutcomeUnknown(FabulaError):
    """The call broke off and may have been done all the same; made again it would do its work twice.

    Not an Unavailable, so that nobody repeats it together with those.
    """


class DeadlineExceeded(FabulaError):
    """The `timeout` of the call has passed."""


class ServiceFault(FabulaError):
    """A fault of the service itself; its log has it."""


class ProtocolError(FabulaError):
    """What the service sent breaks the contract, for example a sequence twice."""

    def __init__(self, message: str) -> None:
        super().__init__(message, grpc.StatusCode.INTERNAL)


class Closed(FabulaError):
    """The stream or its client was closed before the run's end was read. The run itself may go on."""

    def __init__(self, message: str = "The stream or its client is closed.") -> None:
        super().__init__(message, grpc.StatusCode.CANCELLED)


class RunFailed(FabulaError):
    """The run ended with an `error` event, or CreateStory with the status of one."""

    def __init__(self, message: str, code: grpc.StatusCode, reason: str = "", details: Sequence[Message] = ()) -> None:
        super().__init__(message, code, reason, details)
        self.run_id = self.metadata.get("run_id", "")
        self.error: run_pb2.RunError | None = None

    @property
    def error_reason(self) -> "run_pb2.ErrorReason.ValueType":
        """The reason as the enum's value; ERROR_REASON_UNSPECIFIED when this client does not know it."""
        if self.error is not None:
            return self.error.code
        return reason_value(self.reason)

    @property
    def retryable(self) -> bool:
        """Whether the same request with another request_id may succeed later."""
        return self.error.retryable if self.error is not None else self.metadata.get("retryable") == "true"

    @property
    def partial_text_id(self) -> str:
        """The run whose released text is kept and can be watched; empty when no text stands, or when no event told."""
        return self.error.partial_text_id if self.error is not None else ""


class RunCancelled(RunFailed):
    """A caller cancelled the run, or nobody watched it any more."""


class RunInterrupted(RunFailed):
    """The service stopped while the run was under way."""


class RunDeadlineExceeded(RunFailed):
    """The run took longer than the caller or the service allows."""


class ContentRejected(RunFailed):
    """No revision of the text passed the review."""


class ReviewUnavailable(RunFailed):
    """The review could not be done, so nothing was approved."""


class ModelFailed(RunFailed):
    """The model server is missing, silent, without that model, or gave an unusable answer; `reason` tells which."""
