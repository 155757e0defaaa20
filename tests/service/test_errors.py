"""Errors keep what the contract promises: a code and a reason each, and the details of google.rpc."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from fabula.run.v1 import run_pb2
from service import errors
from service.errors import (
    ConfigError,
    CursorOutOfRange,
    Exhausted,
    FabulaError,
    InvalidRequest,
    RunEnded,
    RunNotFound,
    reason_name,
    to_run_error,
    to_status,
)

CONTRACT = Path(__file__).parents[2] / "protos" / "fabula" / "run" / "v1" / "run.proto"


def promised_codes() -> dict[str, int]:
    """The code of every reason, from the comments of the contract: `// CODE_NAME: ...` before the value."""
    codes, code = {}, ""
    for line in CONTRACT.read_text(encoding="utf-8").partition("enum ErrorReason {")[2].splitlines():
        if begun := re.match(r"  // ([A-Z_]+): ", line):
            code = begun[1]
        elif code and (value := re.match(r"  (ERROR_REASON_\w+) = \d+;", line)):
            codes[value[1]], code = code_pb2.Code.Value(code), ""
    return codes


def subclasses(kind: type[FabulaError]) -> Iterator[type[FabulaError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


KINDS = [kind for kind in subclasses(FabulaError) if kind.__module__ == errors.__name__]
OWN = [kind for kind in KINDS if kind not in (RunEnded, Exhausted)]
"""Those with a reason of their own: RunEnded brings the status of the run that it speaks of, Exhausted is a family."""


def instance(kind: type[FabulaError]) -> FabulaError:
    if issubclass(kind, InvalidRequest):
        return kind([("theme", "must be shorter")])
    if kind is CursorOutOfRange:
        return CursorOutOfRange(9, 2, 7)
    if issubclass(kind, Exhausted):
        return kind("runs_at_once", 2, "account")
    return kind("What was wrong.", {"run_id": "r1"})


def details(status: status_pb2.Status) -> dict[str, list[Message]]:
    """The details of a status by their type."""
    found: dict[str, list[Message]] = {}
    for any_message in status.details:
        kind = any_message.TypeName().rpartition(".")[2]
        message: Message = getattr(error_details_pb2, kind)()
        assert any_message.Unpack(message)
        found.setdefault(kind, []).append(message)
    return found


def test_the_contract_promises_a_code_for_every_reason() -> None:
    assert set(promised_codes()) == set(run_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}


@pytest.mark.parametrize("kind", OWN)
def test_every_error_has_the_code_that_the_contract_promises_for_its_reason(kind: type[FabulaError]) -> None:
    assert kind.code == promised_codes()[run_pb2.ErrorReason.Name(kind.reason)]


def test_no_two_errors_share_a_reason() -> None:
    reasons = [kind.reason for kind in OWN]
    assert len(set(reasons)) == len(reasons)
    assert run_pb2.ERROR_REASON_UNSPECIFIED not in reasons


@pytest.mark.parametrize("kind", OWN)
def test_a_status_names_the_domain_and_the_reason_without_its_prefix(kind: type[FabulaError]) -> None:
    error = instance(kind)
    status = to_status(error)
    (info,) = details(status)["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (status.code, status.message) == (kind.code, error.message)
    assert info.domain == "fabula"
    assert f"ERROR_REASON_{info.reason}" == run_pb2.ErrorReason.Name(kind.reason)
    assert dict(info.metadata) == error.metadata


@pytest.mark.parametrize("kind", OWN)
def test_retry_info_is_there_exactly_where_a_time_is_given(kind: type[FabulaError]) -> None:
    error = instance(kind)
    found = details(to_status(error)).get("RetryInfo", [])
    delays = [retry.retry_delay.ToTimedelta().total_seconds() for retry in found]  # type: ignore[attr-defined]
    assert delays == ([] if error.retry_after_seconds is None else [error.retry_after_seconds])
    assert kind.retryable or not delays


def test_a_fraction_of_a_second_is_kept_in_retry_info() -> None:
    class Soon(FabulaError):
        retry_after_seconds = 0.25

    (retry,) = details(to_status(Soon("Soon.")))["RetryInfo"]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToMilliseconds() == 250


def test_an_invalid_request_has_a_row_for_every_violation_and_names_each_field_once() -> None:
    violations = [("theme", "must be shorter"), ("theme", "must be text"), ("page_size", "must be positive")]
    error = InvalidRequest(violations)
    (bad_request,) = details(to_status(error))["BadRequest"]
    assert isinstance(bad_request, error_details_pb2.BadRequest)
    assert [(row.field, row.description) for row in bad_request.field_violations] == violations
    assert "theme, page_size." in error.message


@pytest.mark.parametrize("kind", [kind for kind in OWN if not issubclass(kind, InvalidRequest)])
def test_only_an_invalid_request_has_rows(kind: type[FabulaError]) -> None:
    assert "BadRequest" not in details(to_status(instance(kind)))


@pytest.mark.parametrize(
    ("after", "oldest", "last", "between"),
    [(9, 2, 7, "between 1 and 7"), (1, 0, 0, "between 0 and 0"), (0, 3, 9, "between 2 and 9")],
)
def test_a_cursor_out_of_range_is_answered_with_the_range(after: int, oldest: int, last: int, between: str) -> None:
    error = CursorOutOfRange(after, oldest, last)
    assert f"after_sequence {after} " in error.message
    assert between in error.message
    assert error.metadata == {"oldest_sequence": str(oldest), "last_sequence": str(last)}


@pytest.mark.parametrize("kind", OWN)
def test_a_run_ends_with_the_status_that_a_call_would_and_its_name(kind: type[FabulaError]) -> None:
    error = instance(kind)
    ended = to_run_error(error, "r7")
    assert (ended.message, ended.code, ended.retryable) == (error.message, kind.reason, kind.retryable)
    assert ended.status == to_status(error)
    (info,) = details(ended.status)["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.metadata["run_id"] == "r7"


def test_an_error_is_written_as_its_message() -> None:
    error = RunNotFound("There is no such run.")
    assert str(error) == error.message == "There is no such run."
    assert reason_name(error.reason) == "RUN_NOT_FOUND"
    assert error.metadata == {}


def test_the_metadata_of_an_error_is_its_own() -> None:
    metadata = {"run_id": "r1"}
    error = RunNotFound("There is no such run.", metadata)
    metadata["run_id"] = "r2"
    assert error.metadata == {"run_id": "r1"}


def test_a_run_that_ended_badly_carries_its_status_and_message() -> None:
    status = to_status(RunNotFound("Gone."))
    error = RunEnded(status)
    assert error.status is status
    assert str(error) == "Gone."


def test_a_config_error_keeps_its_problems_apart_and_joins_them_as_text() -> None:
    error = ConfigError(["A is wrong", "B is wrong"])
    assert error.problems == ("A is wrong", "B is wrong")
    assert str(error) == "A is wrong; B is wrong"
