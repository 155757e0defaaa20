"""HTTP requests to messages, by the transcoding rules of google.api.http.

The path fills the fields that the template names; the body fills all others (`body: "*"`), one field, or none; the
query fills what is left. Names are taken in snake_case and lowerCamel. What is not known is refused: a misspelt name
would otherwise be a wish that nobody hears.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from service.gateway.filling import fill, refuse_second_of_oneof
from service.gateway.naming import fields_by_name, find_field, is_map
from service.gateway.refusals import invalid
from service.gateway.routes import Route
from service.gateway.values import Unfit, from_text

_DEPTH = 4
_MAX_LISTED = 60

Violations = list[tuple[str, str]]


def transcode(route: Route, path: Mapping[str, str], query: Sequence[tuple[str, str]], body: Any) -> Message:
    """The request of the route's RPC. `body` is parsed JSON, None without one. Raises Refused with all faults."""
    message = route.request()
    violations: Violations = []
    _fill_from_body(route, message, body, violations)
    _fill_from_query(route, message, query, violations)
    for name, text in path.items():
        _fill_from_path(message, name, text, violations)
    if violations:
        raise invalid(violations)
    return message


def query_fields(route: Route) -> Mapping[str, FieldDescriptor]:
    """The fields that the query may fill, by their dotted snake_case names."""
    if route.body == "*":
        return {}
    taken = {route.body, *route.template.fields}
    leaves = islice(_leaves(route.rpc.input_type, "", _DEPTH), 1_000)
    return {name: field for name, field in leaves if name not in taken and name.split(".")[0] != route.body}


def _fill_from_body(route: Route, message: Message, body: Any, violations: Violations) -> None:
    if not route.body or body is None:
        return
    if route.body == "*":
        fill(message, body, "", violations)
    else:
        field = cast("FieldDescriptor", find_field(route.rpc.input_type, route.body))
        fill(message, {field.name: body}, "", violations)


def _fill_from_query(route: Route, message: Message, query: Sequence[tuple[str, str]], violations: Violations) -> None:
    known = query_fields(route)
    for name, texts in _grouped(query).items():
        field = find_field(route.rpc.input_type, name)
        plain = _plain(route.rpc.input_type, name)
        if field is None or plain not in known:
            violations.append((name[:64], _unknown(known)))
        elif len(texts) > 1 and not field.is_repeated:
            violations.append((plain, "is given more than once"))
        else:
            _assign(message, plain, texts, violations)


def _fill_from_path(message: Message, name: str, text: str, violations: Violations) -> None:
    owner, field = _resolve(message, name)
    held = getattr(owner, field.name)
    _assign(message, name, [text], violations)
    if held and held != getattr(owner, field.name):
        violations.append((name, "differs from the one in the path"))


def _assign(message: Message, path: str, texts: Sequence[str], violations: Violations) -> None:
    owner, field = _resolve(message, path)
    try:
        refuse_second_of_oneof(owner, field)
        values = [from_text(field, text) for text in texts]
    except Unfit as error:
        violations.append((path, str(error)))
        return
    if field.is_repeated:
        getattr(owner, field.name).extend(values)
    else:
        setattr(owner, field.name, values[0])


def _resolve(message: Message, path: str) -> tuple[Message, FieldDescriptor]:
    *parents, last = path.split(".")
    for name in parents:
        message = getattr(message, fields_by_name(message.DESCRIPTOR)[name].name)
    return message, fields_by_name(message.DESCRIPTOR)[last]


def _grouped(query: Sequence[tuple[str, str]]) -> Mapping[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, text in query:
        grouped.setdefault(name, []).append(text)
    return grouped


def _plain(kind: Descriptor, path: str) -> str:
    """The dotted name in snake_case, of one that is known."""
    names, inner = [], kind
    for name in path.split("."):
        field = fields_by_name(inner).get(name)
        if field is None:
            return path
        names.append(field.name)
        inner = field.message_type or kind
    return ".".join(names)


def _leaves(kind: Descriptor, prefix: str, depth: int) -> Iterator[tuple[str, FieldDescriptor]]:
    for field in kind.fields:
        if field.message_type is None:
            yield f"{prefix}{field.name}", field
        elif depth and not field.is_repeated and not is_map(field):
            yield from _leaves(field.message_type, f"{prefix}{field.name}.", depth - 1)


def _unknown(known: Mapping[str, FieldDescriptor]) -> str:
    if not known:
        return "is not known here: this address takes no query parameters"
    return f"is not known here; known are: {', '.join(list(known)[:_MAX_LISTED])}"
