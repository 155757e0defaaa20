"""What /openapi.json promises holds: schemathesis asks for everything that it describes, and much that it does not."""

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import Serve
from tests.ollama_server import OllamaServer, Reply
from tests.stories import chapter

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)

# The contract has them, this version of the service does not: they answer 501.
NOT_YET = {"RunService_PauseRun", "RunService_ContinueRun"}

EXAMPLES = 15


@pytest.mark.timeout(300)
async def test_no_answer_is_a_fault_or_outside_its_schema(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(http_address="127.0.0.1:0", max_streams=1_000, max_runs=1_000) as served:
        assert served.app.http is not None
        await asyncio.to_thread(play, served.app.http.url)


def play(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    statuses: Counter[int] = Counter()
    for result in schema.get_all_operations():
        operation: Any = cast("Any", result).ok()
        if operation.definition.raw["operationId"] not in NOT_YET:
            statuses += _play(operation)
    assert {200, 400, 404} <= set(statuses)


def _play(operation: Any) -> Counter[int]:
    statuses: Counter[int] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def once(case: Any) -> None:
        statuses[case.call_and_validate(checks=CHECKS).status_code] += 1

    once()
    return statuses
