"""What /openapi.json promises holds: schemathesis asks for everything that it describes, and much that it does not."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema_rs
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

from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import StoryEvent
from service.gateway.comments import comments
from service.gateway.documentation import documentation
from service.gateway.frames import LineFramer
from service.gateway.openapi import openapi
from service.gateway.routes import RouteTable
from service.gateway.services import SERVICES
from tests.conftest import Serve
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, browsing, read, violations
from tests.service.gateway.upstream import fronted, numbered
from tests.stories import chapter

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)

EXAMPLES = 15

# One of two fields, which JSON Schema's `required` has no word for.
EITHER = {"theme"}

Described = Mapping[str, Any]


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
        statuses += _play(cast("Any", result).ok())
    assert {200, 400, 404} <= set(statuses)


def _play(operation: Any) -> Counter[int]:
    statuses: Counter[int] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def once(case: Any) -> None:
        statuses[case.call_and_validate(checks=CHECKS).status_code] += 1

    once()
    return statuses


async def test_each_event_of_a_stream_has_the_shape_that_is_described() -> None:
    async with fronted() as front:
        front.service.events = numbered(*every_kind())
        description = (await front.http.get("/openapi.json")).json()
        media = description["paths"][GENERATE]["get"]["responses"]["200"]["content"]
        found = await read(front.http, GENERATE, NIGHT)
        lines = (await front.http.get(GENERATE, params=NIGHT, headers={"Accept": "application/x-ndjson"})).text
    assert len(found.data) == len(front.service.events)
    for data in found.data:
        shape(media["text/event-stream"]["x-event-data"], description).validate(data)
    for line in (*lines.splitlines(), LineFramer.ping.decode()):
        shape(media["application/x-ndjson"]["x-line"], description).validate(json.loads(line))


def every_kind() -> Iterator[StoryEvent]:
    """An event of each kind with nothing in it, so that what is always there is seen."""
    for field in StoryEvent.DESCRIPTOR.oneofs_by_name["event"].fields:
        if field.message_type is not run_pb2.Heartbeat.DESCRIPTOR:
            event = StoryEvent()
            getattr(event, field.name).SetInParent()
            yield event


def shape(schema: Described, description: Described) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**schema, "components": description["components"]})


async def test_a_request_without_what_is_required_is_refused_for_that_alone(serve: Serve) -> None:
    description = openapi(RouteTable(SERVICES))
    asked = 0
    async with serve(http_address="127.0.0.1:0") as served, browsing(served) as http:
        for path, operations in description["paths"].items():
            for method, operation in operations.items():
                if needed := set(required(operation, description)):
                    refused = violations(await http.request(method, path, json={}))
                    assert {name.removeprefix("story.") for name in refused} - EITHER == needed, operation[
                        "operationId"
                    ]
                    asked += 1
    assert asked == 4


def required(operation: Described, description: Described) -> Iterator[str]:
    """What a request must hold beside its path."""
    yield from (each["name"] for each in operation["parameters"] if each["in"] == "query" and each.get("required"))
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        inner = description["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
        assert operation["requestBody"]["required"] == ("required" in inner)
        yield from inner.get("required", ())


def test_everything_of_ours_is_described_in_the_words_of_the_protos() -> None:
    description = openapi(RouteTable(SERVICES))
    operations = [each for path in description["paths"].values() for each in path.values()]
    schemas = {name: each for name, each in description["components"]["schemas"].items() if name.startswith("fabula.")}
    told = [*description["tags"], *operations, *schemas.values()]
    told += [each for operation in operations for each in operation["parameters"]]
    told += [each for schema in schemas.values() for each in schema.get("properties", {}).values()]
    assert all(each.get("description") for each in told)
    for schema in schemas.values():
        if "enum" in schema:
            assert len(schema["enum"]) == len(schema["x-enum-descriptions"])
            assert all(schema["x-enum-descriptions"])
    page = documentation(description)
    assert "Tells one chapter while it is being written." in page
    assert "Sentence by sentence." in page


def test_no_more_than_the_first_paragraph_of_a_comment_is_told() -> None:
    told = comments()
    assert told["fabula.story.v1.StoryService.WatchStory"] == (
        "Follows a run from after_sequence on, whether it is under way or has ended."
    )
    assert told["fabula.run.v1.Release.RELEASE_SENTENCE"] == "Sentence by sentence."
    assert not [name for name, text in told.items() if "buf:" in text]
