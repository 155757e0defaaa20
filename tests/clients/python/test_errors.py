"""Every refusal and every failure is raised as its own class."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

import fabula
from fabula import ErrorReason, FabulaClient, RunFailed
from fabula.status import CODES, REASONS
from tests.clients.python.scripted import RUN_ID, Scripted, cut, failed, numbered, step
from tests.clients.python.statuses import retry_in, status

Code = grpc.StatusCode

# The codes of run.proto, said once more: the table of the client must agree with the contract, not with itself.
CONTRACT = {
    "VALIDATION_FAILED": (Code.INVALID_ARGUMENT, fabula.InvalidRequest),
    "MALFORMED_REQUEST": (Code.INVALID_ARGUMENT, fabula.InvalidRequest),
    "PAGE_TOKEN_INVALID": (Code.INVALID_ARGUMENT, fabula.InvalidRequest),
    "INPUT_UNFIT": (Code.INVALID_ARGUMENT, fabula.InputUnfit),
    "CHILD_NOT_FOUND": (Code.NOT_FOUND, fabula.NotFound),
    "STORY_NOT_FOUND": (Code.NOT_FOUND, fabula.NotFound),
    "RUN_NOT_FOUND": (Code.NOT_FOUND, fabula.NotFound),
    "CHAPTER_NOT_FOUND": (Code.NOT_FOUND, fabula.NotFound),
    "REQUEST_ID_REUSED": (Code.ALREADY_EXISTS, fabula.RequestIdReused),
    "CURSOR_OUT_OF_RANGE": (Code.OUT_OF_RANGE, fabula.CursorOutOfRange),
    "RUN_STATE_CONFLICT": (Code.FAILED_PRECONDITION, fabula.RunStateConflict),
    "STORY_ENDED": (Code.FAILED_PRECONDITION, fabula.StoryEnded),
    "NOT_IMPLEMENTED": (Code.UNIMPLEMENTED, fabula.NotImplementedYet),
    "RUN_CANCELLED": (Code.CANCELLED, fabula.RunCancelled),
    "RUN_INTERRUPTED": (Code.UNAVAILABLE, fabula.RunInterrupted),
    "RUN_DEADLINE_EXCEEDED": (Code.DEADLINE_EXCEEDED, fabula.RunDeadlineExceeded),
    "CONTENT_REJECTED": (Code.FAILED_PRECONDITION, fabula.ContentRejected),
    "REVIEW_UNAVAILABLE": (Code.UNAVAILABLE, fabula.ReviewUnavailable),
    "MODEL_UNAVAILABLE": (Code.UNAVAILABLE, fabula.ModelFailed),
    "MODEL_NOT_FOUND": (Code.FAILED_PRECONDITION, fabula.ModelFailed),
    "MODEL_TIMEOUT": (Code.UNAVAILABLE, fabula.ModelFailed),
    "MODEL_OUTPUT_INVALID": (Code.INTERNAL, fabula.ModelFailed),
    "MODEL_OUTPUT_TRUNCATED": (Code.RESOURCE_EXHAUSTED, fabula.ModelFailed),
    "STORE_UNAVAILABLE": (Code.UNAVAILABLE, fabula.Unavailable),
    "TOO_MANY_STREAMS": (Code.RESOURCE_EXHAUSTED, fabula.Overloaded),
    "TOO_MANY_RUNS": (Code.RESOURCE_EXHAUSTED, fabula.Overloaded),
    "RATE_LIMITED": (Code.RESOURCE_EXHAUSTED, fabula.Overloaded),
    "SHUTTING_DOWN": (Code.UNAVAILABLE, fabula.Unavailable),
    "UNAUTHENTICATED": (Code.UNAUTHENTICATED, fabula.Unauthenticated),
    "PERMISSION_DENIED": (Code.PERMISSION_DENIED, fabula.PermissionDenied),
    "TOKEN_EXPIRED": (Code.UNAUTHENTICATED, fabula.TokenExpired),
    "IDENTITY_UNAVAILABLE": (Code.UNAVAILABLE, fabula.Unavailable),
    "INTERNAL": (Code.INTERNAL, fabula.ServiceFault),
}
REPEATED = {"STORE_UNAVAILABLE", "SHUTTING_DOWN", "IDENTITY_UNAVAILABLE"}


def test_the_table_covers_every_reason_of_the_contract() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name, number in ErrorReason.items() if number}
    assert names == set(CONTRACT)
    assert set(REASONS) == set(ErrorReason.values()) - {0}


@pytest.mark.parametrize("reason", CONTRACT)
async def test_a_refused_stream_raises_the_class_of_its_reason(
    client: FabulaClient, service: Scripted, reason: str
) -> None:
    code, expected = CONTRACT[reason]
    service.plays.extend(cut(0, status(code, reason)) for _ in range(9))
    with pytest.raises(expected) as caught:
        await client.tell("a fox").result()
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert str(caught.value) == f"{code.name} {reason}."
    assert isinstance(caught.value.__cause__, grpc.aio.AioRpcError)
    assert len(service.heard) == (5 if reason in REPEATED else 1)


@pytest.mark.parametrize("reason", CONTRACT)
async def test_a_failed_run_raises_a_run_failed_of_its_reason(
    client: FabulaClient, service: Scripted, reason: str
) -> None:
    code, expected = CONTRACT[reason]
    service.events = numbered(step("workflow"), failed(reason, code, partial_text_id=RUN_ID))
    with pytest.raises(expected if issubclass(expected, RunFailed) else RunFailed) as caught:
        await client.tell("a fox").result()
    error = caught.value
    assert isinstance(error, RunFailed)
    assert (error.code, error.reason) == (code, reason)
    assert error.error_reason == ErrorReason.Value(f"ERROR_REASON_{reason}")
    assert (error.run_id, error.partial_text_id, error.retryable) == (RUN_ID, RUN_ID, True)
    assert len(service.heard) == 1


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
async def test_a_status_without_a_reason_raises_the_class_of_its_code(
    client: FabulaClient, service: Scripted, code: grpc.StatusCode
) -> None:
    service.plays.extend(cut(0, status(code)) for _ in range(9))
    with pytest.raises(fabula.FabulaError) as caught:
        await client.tell("a fox").result()
    assert type(caught.value) is CODES.get(code, fabula.FabulaError)
    assert (caught.value.code, caught.value.reason) == (code, "")
    assert len(service.heard) == (5 if code is Code.UNAVAILABLE else 1)


async def test_a_reason_of_a_newer_service_falls_back_to_the_code(client: FabulaClient, service: Scripted) -> None:
    service.plays.append(cut(0, status(Code.NOT_FOUND, "DRAGON_NOT_FOUND")))
    with pytest.raises(fabula.NotFound) as caught:
        await client.tell("a fox").result()
    assert caught.value.reason == "DRAGON_NOT_FOUND"


async def test_a_reason_of_another_domain_is_not_ours(client: FabulaClient, service: Scripted) -> None:
    foreign = error_details_pb2.ErrorInfo(domain="proxy.example", reason="RUN_NOT_FOUND")
    service.plays.append(cut(0, status(Code.FAILED_PRECONDITION, "", foreign)))
    with pytest.raises(fabula.FabulaError) as caught:
        await client.tell("a fox").result()
    assert (type(caught.value), caught.value.reason) == (fabula.FabulaError, "")


async def test_invalid_requests_name_their_fields(client: FabulaClient, service: Scripted) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="age", description="must be 3 to 12")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    service.plays.append(cut(0, status(Code.INVALID_ARGUMENT, "VALIDATION_FAILED", bad)))
    with pytest.raises(fabula.InvalidRequest) as caught:
        await client.tell("a fox", age=99).result()
    assert caught.value.violations == [("age", "must be 3 to 12")]


async def test_an_unfit_input_names_its_field_like_any_invalid_request(client: FabulaClient, service: Scripted) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="nickname", description="is not fit for a child")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    service.refusals.append(status(Code.INVALID_ARGUMENT, "INPUT_UNFIT", bad))
    with pytest.raises(fabula.InvalidRequest) as caught:
        await client.create_child("Fiend", 6)
    assert type(caught.value) is fabula.InputUnfit
    assert caught.value.violations == [("nickname", "is not fit for a child")]


async def test_a_cursor_out_of_range_tells_the_range(client: FabulaClient, service: Scripted) -> None:
    refusal = status(Code.OUT_OF_RANGE, "CURSOR_OUT_OF_RANGE", oldest_sequence="3", last_sequence="8")
    service.plays.append(cut(0, refusal))
    with pytest.raises(fabula.CursorOutOfRange) as caught:
        await client.watch(RUN_ID, 99).result()
    assert (caught.value.oldest_sequence, caught.value.last_sequence) == (3, 8)


async def test_a_failed_create_raises_run_failed(client: FabulaClient, service: Scripted) -> None:
    service.refusals.append(status(Code.FAILED_PRECONDITION, "CONTENT_REJECTED", run_id=RUN_ID))
    with pytest.raises(fabula.ContentRejected) as caught:
        await client.create("a fox")
    assert (caught.value.run_id, caught.value.retryable, caught.value.partial_text_id) == (RUN_ID, False, "")


async def test_overload_tells_when_to_come_back(client: FabulaClient, service: Scripted) -> None:
    busy = status(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", retry_in(0.01))
    service.plays.extend(cut(0, busy) for _ in range(9))
    with pytest.raises(fabula.Overloaded) as caught:
        await client.tell("a fox").result()
    assert caught.value.retry_after == pytest.approx(0.01)
    assert len(service.heard) == 5


async def test_bytes_that_are_no_event_break_the_contract() -> None:
    async def babble(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"\xff\xff\xff"

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"GenerateStory": grpc.unary_stream_rpc_method_handler(babble)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("fabula.story.v1.StoryService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with FabulaClient(f"127.0.0.1:{port}") as client:
        with pytest.raises(fabula.ProtocolError):
            await client.tell("a fox").result()
    await server.stop(None)
