"""OpenAPI 3.1 of every route, from the same table that answers them."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from fabula.gateway.v1 import sse_pb2
from service.gateway.cursor import QUERY_NAME
from service.gateway.naming import find_field
from service.gateway.routes import Route, RouteTable
from service.gateway.schemas import Schema, Schemas
from service.gateway.transcoding import query_fields

_ERROR = "Error"
_CURSOR = "^[A-Za-z0-9_-]{1,64}:[0-9]{1,10}$"

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
    "description": "Mirrors google.rpc.Status: code is google.rpc.Code's number, status its name.",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "status": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
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
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(table.routes, key=lambda route: route.template.text):
        paths.setdefault(route.template.text, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fabula",
            "version": "1",
            "description": "Stories for children, told while they are written.",
        },
        "paths": paths,
        "components": {"schemas": {_ERROR: _ERROR_SCHEMA, **schemas.components}},
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    service = route.rpc.full_name.split(".")[-2]
    operation: dict[str, Any] = {
        "operationId": f"{service}_{route.rpc.name}{'' if route.method != 'POST' or not route.resume else '_post'}",
        "tags": [service],
        "summary": route.rpc.name,
        "parameters": list(_parameters(route, schemas)),
        "responses": _answers(route, schemas),
    }
    if route.body:
        operation["requestBody"] = _body(route, schemas)
    return operation


def _parameters(route: Route, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for name in route.template.fields:
        yield {"name": name, "in": "path", "required": True, "schema": _path_schema(route, name, schemas)}
    for name, field in query_fields(route).items():
        yield {"name": name, "in": "query", "schema": schemas.field(field, asked=True)}
    if route.resume is not None:
        schema = {"type": "string", "pattern": _CURSOR}
        yield {"name": "Last-Event-ID", "in": "header", "schema": schema, "description": _RESUMES}
        yield {"name": QUERY_NAME, "in": "query", "schema": schema, "description": _RESUMES}


_RESUMES = "The id of the last event that the reader has: resumes that run after it, and begins none."


def _path_schema(route: Route, name: str, schemas: Schemas) -> Schema:
    field = find_field(route.rpc.input_type, name)
    assert field is not None  # noqa: S101 -- the table has checked it
    return schemas.field(field, asked=True)


def _body(route: Route, schemas: Schemas) -> dict[str, Any]:
    kind = route.rpc.input_type
    if route.body != "*":
        field = find_field(kind, route.body)
        assert isinstance(field, FieldDescriptor)  # noqa: S101 -- the table has checked it
        return {"required": True, "content": {"application/json": {"schema": schemas.field(field, asked=True)}}}
    return {"required": False, "content": {"application/json": {"schema": schemas.request(kind)}}}


def _answers(route: Route, schemas: Schemas) -> Mapping[str, Any]:
    errors: dict[str, Any] = {status: _error(words) for status, words in _ERRORS.items()}
    if route.resume is None:
        content = {"application/json": {"schema": schemas.answer(route.rpc.output_type)}}
        return {"200": {"description": "The answer.", "content": content}, **errors}
    event = _event(route, schemas)
    streams: dict[str, Any] = {
        "text/event-stream": {"schema": {"type": "string"}, "x-event-data": event},
        "application/x-ndjson": {"schema": {"type": "string"}, "x-line": event},
    }
    done = {"description": "The reader has every event of this run."}
    return {"200": {"description": "The events of the run.", "content": streams}, "204": done, **errors}


def _event(route: Route, schemas: Schemas) -> Schema:
    """The data of one event, whatever its kind."""
    options = route.rpc.GetOptions().Extensions[sse_pb2.sse]
    progress = {"type": "integer", "minimum": 0, "maximum": 100}
    kinds: list[Schema] = []
    for field in route.rpc.output_type.oneofs_by_name["event"].fields:
        data = schemas.field(field, asked=False)
        head: Schema = {"type": {"const": field.name}, "progress": progress}
        nested = head | {"data": data}
        if options.envelope == sse_pb2.ENVELOPE_FLAT:
            own = {"type": "object", "properties": head, "required": ["type", "progress"]}
            kinds.append({"allOf": [own, data]})
        else:
            kinds.append({"type": "object", "properties": nested, "required": list(nested)})
    return {"oneOf": kinds}


def _error(words: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{_ERROR}"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}
