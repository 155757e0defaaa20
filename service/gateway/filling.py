"""JSON objects to messages."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from service.gateway.naming import fields_by_name, is_map
from service.gateway.values import Unfit, expected, fill_known, from_json

_MAX_DEPTH = 50
_ENOUGH = 100

Violations = list[tuple[str, str]]


def fill(message: Message, data: Any, prefix: str, violations: Violations) -> None:
    """Fills the message, and notes each field that can't be filled as (path, what is wrong)."""
    if not isinstance(data, Mapping):
        violations.append((prefix.rstrip(".") or "body", "expected an object"))
        return
    seen: set[str] = set()
    for name, value in data.items():
        if len(violations) >= _ENOUGH:
            return
        field = fields_by_name(message.DESCRIPTOR).get(name)
        if field is None:
            violations.append((f"{prefix}{name[:64]}", _unknown(message)))
        elif field.name in seen:
            violations.append((f"{prefix}{field.name}", "is given more than once"))
        elif value is not None:  # null is as absent, says proto3's mapping
            seen.add(field.name)
            _fill_field(message, field, value, prefix, violations)


def refuse_second_of_oneof(message: Message, field: FieldDescriptor) -> None:
    """Raises Unfit when another member of the field's oneof is set already."""
    oneof = field.containing_oneof
    held = message.WhichOneof(oneof.name) if oneof is not None else None
    if held not in (None, field.name):
        raise Unfit(f"can't be given together with {held}")


def _fill_field(message: Message, field: FieldDescriptor, value: Any, prefix: str, violations: Violations) -> None:
    path = f"{prefix}{field.name}"
    if path.count(".") >= _MAX_DEPTH:
        violations.append((path[:64], "is nested too deeply"))
        return
    try:
        refuse_second_of_oneof(message, field)
        if is_map(field):
            _fill_map(message, field, value)
        elif field.is_repeated:
            _extend(message, field, value, path, violations)
        elif field.message_type is not None:
            _fill_inner(getattr(message, field.name), value, path, violations)
        else:
            setattr(message, field.name, from_json(field, value))
    except Unfit as error:
        violations.append((path, str(error)))


def _extend(message: Message, field: FieldDescriptor, value: Any, path: str, violations: Violations) -> None:
    if not isinstance(value, list):
        raise Unfit("expected a list")
    held = getattr(message, field.name)
    for index, each in enumerate(value):
        if len(violations) >= _ENOUGH:
            return
        try:
            if field.message_type is not None:
                _fill_inner(held.add(), each, f"{path}[{index}]", violations)
            else:
                held.append(from_json(field, each))
        except Unfit as error:
            violations.append((f"{path}[{index}]", str(error)))


def _fill_inner(message: Message, value: Any, path: str, violations: Violations) -> None:
    message.SetInParent()
    if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
        fill_known(message, value)
    else:
        fill(message, value, f"{path}.", violations)


def _fill_map(message: Message, field: FieldDescriptor, value: Any) -> None:
    """Fills a map as protobuf's own mapping does. Raises Unfit."""
    if not isinstance(value, Mapping):
        raise Unfit(expected(field))
    fill_known(message, {field.name: value})


def _unknown(message: Message) -> str:
    return f"is not known here; known are: {', '.join(field.name for field in message.DESCRIPTOR.fields)}"
