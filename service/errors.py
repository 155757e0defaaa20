"""Errors as types. Each carries its gRPC code and its reason; `service.rpc.status` alone turns them into a status.

A message is written for the developer who calls: what was wrong, what was expected, what to do. It never holds text of
a story, of a request or of an exception from below.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from google.rpc import code_pb2, error_details_pb2, status_pb2

from fabula.run.v1 import run_pb2

LONGEST_RETRY_SECONDS = 86_400.0
"""Nobody is told to come back later than that."""

DOMAIN = "fabula"
"""The domain of every google.rpc.ErrorInfo."""


class FabulaError(Exception):
    """Base of every error that may reach a caller.

    `code` is a google.rpc.Code, `reason` a fabula.run.v1.ErrorReason, `retryable` whether the same request may succeed
    later, `metadata` goes into google.rpc.ErrorInfo, `retry_after_seconds` into google.rpc.RetryInfo.
    """

    code: ClassVar[int] = code_pb2.INTERNAL
    reason: ClassVar["run_pb2.ErrorReason.ValueType"] = run_pb2.ERROR_REASON_INTERNAL
    retryable: ClassVar[bool] = False
    retry_after_seconds: float | None = None

    def __init__(self, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})


class InvalidRequest(FabulaError):
    """One or more fields break their constraints; `violations` are (field path, description) pairs."""

    code = code_pb2.INVALID_ARGUMENT
    reason = run_pb2.ERROR_REASON_VALIDATION_FAILED

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        names = ", ".join(dict.fromkeys(field for field, _ in violations))
        super().__init__(f"The request breaks the constraints of: {names}. The details say which and why.")
        self.violations = tuple(violations)


class InputUnfit(InvalidRequest):
    """A text of the request is not fit for a child of this age."""

    reason = run_pb2.ERROR_REASON_INPUT_UNFIT

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        super().__init__(violations)
        names = ", ".join(dict.fromkeys(field for field, _ in violations))
        self.message = f"Not fit for a child of this age: {names}. Please say it in other words."


class MalformedRequest(FabulaError):
    code = code_pb2.INVALID_ARGUMENT
    reason = run_pb2.ERROR_REASON_MALFORMED_REQUEST


class PageTokenInvalid(FabulaError):
    code = code_pb2.INVALID_ARGUMENT
    reason = run_pb2.ERROR_REASON_PAGE_TOKEN_INVALID


class ChildNotFound(FabulaError):
    code = code_pb2.NOT_FOUND
    reason = run_pb2.ERROR_REASON_CHILD_NOT_FOUND


class StoryNotFound(FabulaError):
    code = code_pb2.NOT_FOUND
    reason = run_pb2.ERROR_REASON_STORY_NOT_FOUND


class ChapterNotFound(FabulaError):
    code = code_pb2.NOT_FOUND
    reason = run_pb2.ERROR_REASON_CHAPTER_NOT_FOUND


class StoryEnded(FabulaError):
    code = code_pb2.FAILED_PRECONDITION
    reason = run_pb2.ERROR_REASON_STORY_ENDED


class RunNotFound(FabulaError):
    code = code_pb2.NOT_FOUND
    reason = run_pb2.ERROR_REASON_RUN_NOT_FOUND


class RequestIdReused(FabulaError):
    code = code_pb2.ALREADY_EXISTS
    reason = run_pb2.ERROR_REASON_REQUEST_ID_REUSED


class CursorOutOfRange(FabulaError):
    """The cursor lies beyond the newest event, or before the oldest kept one."""

    code = code_pb2.OUT_OF_RANGE
    reason = run_pb2.ERROR_REASON_CURSOR_OUT_OF_RANGE

    def __init__(self, after: int, oldest: int, last: int) -> None:
        super().__init__(
            f"after_sequence {after} can't be served: it must lie between {max(oldest - 1, 0)} and {last}.",
            {"oldest_sequence": str(oldest), "last_sequence": str(last)},
        )


class RunStateConflict(FabulaError):
    code = code_pb2.FAILED_PRECONDITION
    reason = run_pb2.ERROR_REASON_RUN_STATE_CONFLICT


class NotImplementedYet(FabulaError):
    code = code_pb2.UNIMPLEMENTED
    reason = run_pb2.ERROR_REASON_NOT_IMPLEMENTED


class RunCancelled(FabulaError):
    code = code_pb2.CANCELLED
    reason = run_pb2.ERROR_REASON_RUN_CANCELLED


class RunInterrupted(FabulaError):
    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_RUN_INTERRUPTED
    retryable = True


class RunDeadlineExceeded(FabulaError):
    code = code_pb2.DEADLINE_EXCEEDED
    reason = run_pb2.ERROR_REASON_RUN_DEADLINE_EXCEEDED
    retryable = True


class ContentRejected(FabulaError):
    code = code_pb2.FAILED_PRECONDITION
    reason = run_pb2.ERROR_REASON_CONTENT_REJECTED
    retryable = True


class ReviewUnavailable(FabulaError):
    """The review could not be done: nothing is approved then."""

    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_REVIEW_UNAVAILABLE
    retryable = True


class ModelUnavailable(FabulaError):
    """The model can't answer now; after `retry_after_seconds`, where its server or we know them, it may."""

    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_MODEL_UNAVAILABLE
    retryable = True

    def __init__(
        self, message: str, metadata: Mapping[str, str] | None = None, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, metadata)
        self.retry_after_seconds = retry_after_seconds


class ModelNotFound(FabulaError):
    code = code_pb2.FAILED_PRECONDITION
    reason = run_pb2.ERROR_REASON_MODEL_NOT_FOUND


class ModelTimeout(FabulaError):
    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_MODEL_TIMEOUT
    retryable = True


class ModelOutputInvalid(FabulaError):
    code = code_pb2.INTERNAL
    reason = run_pb2.ERROR_REASON_MODEL_OUTPUT_INVALID
    retryable = True


class ModelOutputTruncated(FabulaError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = run_pb2.ERROR_REASON_MODEL_OUTPUT_TRUNCATED
    retryable = True


class StoreUnavailable(FabulaError):
    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_STORE_UNAVAILABLE
    retryable = True
    retry_after_seconds = 1.0


class Exhausted(FabulaError):
    """More than is allowed; `quota` names what, of which `limit` is what `subject` (account, service) may have."""

    code = code_pb2.RESOURCE_EXHAUSTED
    retryable = True

    def __init__(self, quota: str, limit: int, subject: str, retry_after_seconds: float = 1.0) -> None:
        whose = "this account" if subject == "account" else "the service"
        super().__init__(f"{limit} {quota.replace('_', ' ')} are all that {whose} may have. Ask later.")
        self.quota = quota
        self.limit = limit
        self.subject = subject
        self.retry_after_seconds = retry_after_seconds


class TooManyStreams(Exhausted):
    reason = run_pb2.ERROR_REASON_TOO_MANY_STREAMS


class TooManyRuns(Exhausted):
    reason = run_pb2.ERROR_REASON_TOO_MANY_RUNS


class RateLimited(Exhausted):
    reason = run_pb2.ERROR_REASON_RATE_LIMITED


class ShuttingDown(FabulaError):
    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_SHUTTING_DOWN
    retryable = True
    retry_after_seconds = 1.0


class Unauthenticated(FabulaError):
    """No token, or none that can be trusted."""

    code = code_pb2.UNAUTHENTICATED
    reason = run_pb2.ERROR_REASON_UNAUTHENTICATED


class TokenExpired(FabulaError):
    code = code_pb2.UNAUTHENTICATED
    reason = run_pb2.ERROR_REASON_TOKEN_EXPIRED


class PermissionDenied(FabulaError):
    code = code_pb2.PERMISSION_DENIED
    reason = run_pb2.ERROR_REASON_PERMISSION_DENIED


class IdentityUnavailable(FabulaError):
    code = code_pb2.UNAVAILABLE
    reason = run_pb2.ERROR_REASON_IDENTITY_UNAVAILABLE
    retryable = True
    retry_after_seconds = 1.0


class Internal(FabulaError):
    """A fault of ours: the log has it, the caller gets the x-request-id to name it by."""


class ConfigError(Exception):
    """The configuration can't be served; `problems` are all of them, each one plain sentence."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def reason_name(reason: "run_pb2.ErrorReason.ValueType") -> str:
    """The reason as google.rpc.ErrorInfo carries it: without the enum's prefix."""
    return run_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def to_status(error: FabulaError) -> status_pb2.Status:
    """The error as google.rpc.Status: ErrorInfo always, BadRequest, QuotaFailure and RetryInfo where they apply."""
    status = status_pb2.Status(code=error.code, message=error.message)
    info = error_details_pb2.ErrorInfo(reason=reason_name(error.reason), domain=DOMAIN, metadata=error.metadata)
    status.details.add().Pack(info)
    if isinstance(error, InvalidRequest):
        bad_request = error_details_pb2.BadRequest()
        for field, description in error.violations:
            bad_request.field_violations.add(field=field, description=description)
        status.details.add().Pack(bad_request)
    if error.retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(_bounded(error.retry_after_seconds) * 1_000_000_000))
        status.details.add().Pack(retry)
    if isinstance(error, Exhausted):
        failure = error_details_pb2.QuotaFailure()
        failure.violations.add(
            subject=error.subject, description=error.message, quota_id=error.quota, quota_value=error.limit
        )
        status.details.add().Pack(failure)
    return status


def _bounded(seconds: float) -> float:
    # Some come from a server that may say anything, and whatever it says, a run must have its end.
    return min(max(seconds, 0.0), LONGEST_RETRY_SECONDS) if math.isfinite(seconds) else LONGEST_RETRY_SECONDS


def to_run_error(error: FabulaError, run_id: str) -> run_pb2.RunError:
    """The error as the terminal event of this run carries it. ErrorInfo says what a call that saw no event needs."""
    error.metadata |= {"run_id": run_id, "retryable": "true" if error.retryable else "false"}
    return run_pb2.RunError(
        message=error.message, code=error.reason, retryable=error.retryable, status=to_status(error)
    )


class RunEnded(FabulaError):
    """A run ended badly and its terminal event has been sent: the RPC ends with the status of that event."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status
