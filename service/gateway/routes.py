"""Routes, read from the services' descriptors: google.api.http says where, fabula.gateway.v1 how a stream is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from fabula.gateway.v1 import sse_pb2
from service.gateway.naming import find_field
from service.gateway.template import Template

ENVELOPE = ("run_id", "sequence", "progress_percent")
"""The fields that the response of a stream must have, beside a oneof `event`."""


@dataclass(frozen=True)
class Route:
    """One HTTP method on one path, and the RPC that answers it.

    `resume` is there when the RPC streams: the RPC that goes on where a reader was cut off.
    """

    method: str
    template: Template
    body: str
    rpc: MethodDescriptor
    resume: MethodDescriptor | None

    @cached_property
    def request(self) -> type[Message]:
        """The class of the RPC's requests."""
        return GetMessageClass(self.rpc.input_type)

    @cached_property
    def response(self) -> type[Message]:
        """The class of the RPC's responses."""
        return GetMessageClass(self.rpc.output_type)


class RouteTable:
    """Every route of the services, the plainer templates first."""

    def __init__(self, services: Sequence[ServiceDescriptor]) -> None:
        routes = [route for service in services for rpc in service.methods for route in _routes(rpc, services)]
        self.routes = sorted(routes, key=lambda route: route.template.precedence)

    def match(self, raw_path: str) -> Mapping[str, tuple[Route, Mapping[str, str]]]:
        """The routes of this path by their HTTP method, each with the fields that the path fills."""
        found: dict[str, tuple[Route, Mapping[str, str]]] = {}
        for route in self.routes:
            if route.method not in found and (fields := route.template.match(raw_path)) is not None:
                found[route.method] = route, fields
        return found


def path_of(rpc: MethodDescriptor) -> str:
    """The RPC as gRPC calls it."""
    return f"/{_service_of(rpc).full_name}/{rpc.name}"


def _routes(rpc: MethodDescriptor, services: Sequence[ServiceDescriptor]) -> Iterator[Route]:
    options = rpc.GetOptions()
    if rpc.client_streaming or (rpc.server_streaming and not options.HasExtension(sse_pb2.sse)):
        return
    resume = _resume(rpc, services) if rpc.server_streaming else None
    rule = options.Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        if binding.WhichOneof("pattern") is not None:
            yield _checked(_route(rpc, binding, resume))


def _route(rpc: MethodDescriptor, binding: Any, resume: MethodDescriptor | None) -> Route:
    kind = binding.WhichOneof("pattern")
    custom = binding.custom
    method, path = (custom.kind, custom.path) if kind == "custom" else (kind.upper(), getattr(binding, kind))
    return Route(method, Template(path), binding.body, rpc, resume)


def _checked(route: Route) -> Route:
    bound = [*route.template.fields, *([route.body] if route.body not in ("", "*") else [])]
    for name in bound:
        if find_field(route.rpc.input_type, name) is None:
            raise ValueError(f"{route.rpc.full_name}: google.api.http names {name}, which the request does not have")
    return route


def _resume(rpc: MethodDescriptor, services: Sequence[ServiceDescriptor]) -> MethodDescriptor:
    name = rpc.GetOptions().Extensions[sse_pb2.sse].resume_method
    resume = {each.full_name: each for service in services for each in service.methods}.get(name)
    if resume is None or not _resumes(resume.input_type) or resume.output_type is not rpc.output_type:
        raise ValueError(f"{rpc.full_name}: {name or 'resume_method'} can't resume it")
    if not _is_event(rpc.output_type):
        raise ValueError(f"{rpc.full_name}: {rpc.output_type.full_name} has not the fields of an event")
    return resume


def _resumes(request: Descriptor) -> bool:
    return {"run_id", "after_sequence"} <= set(request.fields_by_name)


def _is_event(response: Descriptor) -> bool:
    return set(ENVELOPE) <= set(response.fields_by_name) and "event" in response.oneofs_by_name


def _service_of(rpc: MethodDescriptor) -> ServiceDescriptor:
    service = rpc.containing_service
    assert service is not None  # noqa: S101 -- every RPC stands in a service; the stubs say Optional
    return service
