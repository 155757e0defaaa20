"""OpenAPI 3.1 of every route, from the same table that answers them."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, ServiceDescriptor

from fabula.gateway.v1 import sse_pb2
from fabula.run.v1 import run_pb2
from service.gateway.comments import comments
from service.gateway.constraints import required
from service.gateway.cursor import QUERY_NAME
from service.gateway.naming import find_field
from service.gateway.routes import Route, RouteTable
from service.gateway.schemas import Schema, Schemas
from service.gateway.transcoding import query_fields

_ERROR = "Error"

_CURSOR: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}:[0-9]{1,10}$"}
_RESUMES = _CURSOR | {
    "description": "The id of the last event that the reader has: resumes that run after it, and begins none."
}
_PROGRESS: Schema = {"type": "integer", "minimum": 0, "maximum": 100}
_ID: Schema = {"type": "object", "properties": {"id": _CURSOR}, "required": ["id"]}
_PING: Schema = {
    "type": "object",
    "description": "Nothing happened for a while.",
    "properties": {"type": {"const": "heartbeat"}},
    "required": ["type"],
    "additionalProperties": False,
}

_HEARTBEAT = run_pb2.Heartbeat.DESCRIPTOR
"""Its sequence is always 0: it becomes a comment, and is no event here."""

_ERRORS = {
    "400": "The request can't be taken: the details name each field.",
    "401": "No valid credentials.",
    "403": "Not allowed.",
    "404": "There is no such thing.",
    "409": "It conflicts with what is there.",
    "429": "Too much at once: Retry-After says when to come back.",
    "default": "A fault, or a service that can't be reached.",
}

_ERROR_SCHEMA: Schema = {
    "type": "object",
    "description": "Why a request was refused or failed, as google.rpc.Status says it.",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer", "description": "The number of a google.rpc.Code."},
                "status": {"type": "string", "description": "Its name, for example `NOT_FOUND`."},
                "message": {"type": "string", "description": "For the developer who calls."},
                "details": {
                    "type": "array",
                    "description": "google.rpc.ErrorInfo has the reason, one of fabula.run.v1.ErrorReason in capitals; "
                    "google.rpc.BadRequest has each faulty field, google.rpc.RetryInfo when to come back.",
                    "items": {"type": "object", "properties": {"@type": {"type": "string"}}, "required": ["@type"]},
                },
            },
            "required": ["code", "status", "message", "details"],
        }
    },
    "required": ["error"],
}


def openapi(table: RouteTable) -> dict[str, Any]:
    """The description as plain data."""
    schemas = Schemas(comments())
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(table.routes, key=lambda route: route.template.text):
        paths.setdefault(route.template.text, {})[route.method.lower()] = _operation(route, schemas)
    services = {_service(route).name: _service(route).full_name for route in table.routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fabula",
            "version": "1",
            "description": "Stories for children, told while they are written.",
        },
        "tags": [{"name": name} | schemas.description(full_name) for name, full_name in services.items()],
        "paths": paths,
        "components": {"schemas": {_ERROR: _ERROR_SCHEMA, **schemas.components}},
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    service = _service(route).name
    description = schemas.description(route.rpc.full_name)
    operation: dict[str, Any] = {
        "operationId": f"{service}_{route.rpc.name}{'' if route.method != 'POST' or not route.resume else '_post'}",
        "tags": [service],
        "summary": _first_sentence(description["description"]) if description else route.rpc.name,
        **description,
        "parameters": list(_parameters(route, schemas)),
        "responses": _answers(route, schemas),
    }
    if route.body:
        operation["requestBody"] = _body(route, schemas)
    return operation


def _parameters(route: Route, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for name in route.template.fields:
        field = find_field(route.rpc.input_type, name)
        assert field is not None  # noqa: S101 -- the table has checked it
        yield _parameter(name, "path", schemas.field(field, asked=True)) | {"required": True}
    needed = required(route.rpc.input_type)
    for name, field in query_fields(route).items():
        yield _parameter(name, "query", schemas.field(field, asked=True)) | (
            {"required": True} if name in needed else {}
        )
    if route.resume is not None:
        yield _parameter("Last-Event-ID", "header", _RESUMES)
        yield _parameter(QUERY_NAME, "query", _RESUMES)


def _parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    described = {key: value for key, value in schema.items() if key == "description"}
    return {"name": name, "in": place, **described, "schema": {k: v for k, v in schema.items() if k not in described}}


def _body(route: Route, schemas: Schemas) -> dict[str, Any]:
    kind = route.rpc.input_type
    if route.body != "*":
        field = find_field(kind, route.body)
        assert isinstance(field, FieldDescriptor)  # noqa: S101 -- the table has checked it
        return {"required": True, "content": {"application/json": {"schema": schemas.field(field, asked=True)}}}
    taken = route.template.fields
    schema = schemas.rest(kind, taken) if taken else schemas.request(kind)
    needed = set(required(kind)) - set(taken)
    return {"required": bool(needed), "content": {"application/json": {"schema": schema}}}


def _answers(route: Route, schemas: Schemas) -> Mapping[str, Any]:
    errors: dict[str, Any] = {status: _error(words) for status, words in _ERRORS.items()}
    if route.resume is None:
        content = {"application/json": {"schema": schemas.answer(route.rpc.output_type)}}
        return {"200": {"description": "The answer.", "content": content}, **errors}
    event = {"oneOf": list(_events(route, schemas))}
    streams: dict[str, Any] = {
        "text/event-stream": {"schema": {"type": "string"}, "x-event-data": event},
        "application/x-ndjson": {"schema": {"type": "string"}, "x-line": {"oneOf": [{"allOf": [_ID, event]}, _PING]}},
    }
    done = {"description": "The reader has every event of this run."}
    return {"200": {"description": "The events of the run.", "content": streams}, "204": done, **errors}


def _events(route: Route, schemas: Schemas) -> Iterator[Schema]:
    """The data of each kind of event."""
    options = route.rpc.GetOptions().Extensions[sse_pb2.sse]
    for field in route.rpc.output_type.oneofs_by_name["event"].fields:
        if field.message_type is None or field.message_type is _HEARTBEAT:
            continue
        told, data = schemas.description(field.full_name), schemas.answer(field.message_type)
        head: Schema = {"type": {"const": field.name}, "progress": _PROGRESS}
        nested = head | {"data": data}
        if options.envelope == sse_pb2.ENVELOPE_FLAT:
            own = {"type": "object", "properties": head, "required": list(head)}
            yield {"allOf": [own, data]} | told
        else:
            yield {"type": "object", "properties": nested, "required": list(nested)} | told


def _service(route: Route) -> ServiceDescriptor:
    service = route.rpc.containing_service
    assert service is not None  # noqa: S101 -- every RPC stands in a service; the stubs say Optional
    return service


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".")


def _error(words: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{_ERROR}"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}
