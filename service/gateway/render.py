"""Messages to JSON, as browsers like it: snake_case names, enums in their short form, fields with their defaults.

A field without presence is always there, so that answers have one shape; an optional one, a message and a member of a
oneof are there when they are set. The way through a message is worked out once for each kind of message.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf import any_pb2, json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from service.gateway.naming import is_map, short_names

Render = Callable[[Any], Any]

_WIDE = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_REAL = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def to_json(data: Any) -> bytes:
    """JSON in one line, whatever a reader takes for the end of one: some do so with U+0085, U+2028 and U+2029."""
    text = _encode(data)
    if not text.isascii():
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")
    return text.encode()


def render(message: Message) -> Any:
    """The message as plain data."""
    return renderer(message.DESCRIPTOR)(message)


@cache
def renderer(kind: Descriptor) -> Render:
    """What renders messages of this kind."""
    if kind.full_name == any_pb2.Any.DESCRIPTOR.full_name:
        return _any
    if kind.full_name.startswith("google.protobuf."):
        # Timestamps, durations and the like have forms of their own in JSON.
        return lambda message: json_format.MessageToDict(message, preserving_proto_field_name=True)
    steps: list[tuple[str, bool, Render | None]] = []

    def fields(message: Any) -> dict[str, Any]:
        data = {}
        for name, presence, value in steps:
            if presence and not message.HasField(name):
                continue
            held = getattr(message, name)
            data[name] = held if value is None else value(held)
        return data

    # Filled after the closure is made: a message may hold its own kind.
    steps.extend((field.name, field.has_presence, _field(field)) for field in kind.fields)
    return fields


def _field(field: FieldDescriptor) -> Render | None:
    """None when the value is its own JSON."""
    if is_map(field):
        return _map(field)
    value = _value(field)
    if not field.is_repeated:
        return value
    return list if value is None else lambda held: [value(each) for each in held]


def _map(field: FieldDescriptor) -> Render:
    assert field.message_type is not None  # noqa: S101 -- every map has one
    value = _value(field.message_type.fields_by_name["value"]) or _same
    return lambda held: {_key(key): value(held[key]) for key in held}


def _value(field: FieldDescriptor) -> Render | None:
    if field.message_type is not None:
        kind = field.message_type
        return lambda held: renderer(kind)(held)  # noqa: PLW0108 -- looked up late: a message may hold its own kind
    if field.enum_type is not None:
        return _enum(short_names(field.enum_type))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda held: base64.b64encode(held).decode()
    if field.cpp_type in _WIDE:
        return str
    return _real if field.cpp_type in _REAL else None


def _enum(names: Mapping[int, str]) -> Render:
    return lambda number: names.get(number, number)


def _real(value: float) -> float | str:
    # JSON has no words for these; the mapping of proto3 has.
    return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _same(value: Any) -> Any:
    return value


def _any(packed: any_pb2.Any) -> dict[str, Any]:
    head = {"@type": packed.type_url}
    try:
        kind = Default().FindMessageTypeByName(packed.TypeName())
        message = GetMessageClass(kind).FromString(packed.value)
    except (KeyError, DecodeError):
        return head | {"value": base64.b64encode(packed.value).decode()}
    data = render(message)
    return head | (data if not kind.full_name.startswith("google.protobuf.") else {"value": data})
