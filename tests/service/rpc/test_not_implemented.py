"""What is in the contract and comes later says so, after it has looked at the request."""

import grpc
import pytest
from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from tests.conftest import Serve
from tests.ollama_server import OllamaServer
from tests.service.rpc.test_bad_input import INVALID, RUN, refused

LATER: dict[str, tuple[Message, Message, list[str]]] = {
    f"{RUN}/PauseRun": (run_pb2.PauseRunRequest(run_id="a"), run_pb2.PauseRunRequest(), ["run_id"]),
    f"{RUN}/ContinueRun": (run_pb2.ContinueRunRequest(run_id="a"), run_pb2.ContinueRunRequest(), ["run_id"]),
}


@pytest.mark.parametrize("method", LATER)
async def test_what_comes_later_says_so_after_looking_at_the_request(
    serve: Serve, ollama: OllamaServer, method: str
) -> None:
    valid, invalid, fields = LATER[method]
    answer = await refused(serve, ollama, method, valid)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
    answer = await refused(serve, ollama, method, invalid)
    assert (answer.code, answer.reason) == (INVALID, "VALIDATION_FAILED")
    assert set(answer.violations) == set(fields)
