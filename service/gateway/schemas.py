"""Messages as JSON Schema: what answers look like, and what requests may hold."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from service.gateway.constraints import constraints, required
from service.gateway.naming import is_map, short_names

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/"

_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$"},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
    },
}

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}


class Schemas:
    """Collects the schemas of messages and enums; `components` are those that others refer to.

    A message has one schema as an answer, where fields without presence are always there, and one as a request, where
    the constraints of the protos stand, and only what the service does without is not required. `told` describes
    elements by their full names.
    """

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = told
        self.components: dict[str, Schema] = {}

    def answer(self, kind: Descriptor) -> Schema:
        """A reference to the schema of an answer."""
        return self._reference(kind, kind.full_name, asked=False)

    def request(self, kind: Descriptor) -> Schema:
        """A reference to the schema of a request."""
        return self._reference(kind, f"{kind.full_name}.Input", asked=True)

    def rest(self, kind: Descriptor, taken: Collection[str]) -> Schema:
        """The schema of a request of which these fields are given elsewhere."""
        return self._object(kind, [field for field in kind.fields if field.name not in taken], asked=True)

    def field(self, field: FieldDescriptor, *, asked: bool) -> Schema:
        """The schema of a field's value."""
        return self._kind(field, asked=asked) | self.description(field.full_name)

    def description(self, name: str) -> Schema:
        """What is told of an element; nothing when nothing is."""
        return {"description": self._told[name]} if name in self._told else {}

    def _kind(self, field: FieldDescriptor, *, asked: bool) -> Schema:
        if is_map(field):
            value = next(each for each in _message(field).fields if each.name == "value")
            return {"type": "object", "additionalProperties": self._value(value, asked=asked)}
        rules = constraints(field) if asked else {}
        if not field.is_repeated:
            return self._value(field, asked=asked) | rules
        items = self._value(field, asked=asked) | rules.pop("items", {})
        return {"type": "array", "items": items} | rules

    def _reference(self, kind: Descriptor, name: str, *, asked: bool) -> Schema:
        if kind.full_name in _KNOWN:
            return _KNOWN[kind.full_name]
        if name not in self.components:
            self.components[name] = {}  # a message may hold its own kind
            self.components[name] = self._object(kind, kind.fields, asked=asked)
        return {"$ref": _REFERENCE + name}

    def _object(self, kind: Descriptor, fields: Collection[FieldDescriptor], *, asked: bool) -> Schema:
        properties = {field.name: self.field(field, asked=asked) for field in fields}
        needed = required(kind) if asked else {field.name for field in fields if not field.has_presence}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if always := [name for name in properties if name in needed]:
            schema["required"] = always
        if exclusive := list(_exclusive(kind)):
            schema["not"] = {"anyOf": [{"required": pair} for pair in exclusive]}
        return schema | self.description(kind.full_name)

    def _value(self, field: FieldDescriptor, *, asked: bool) -> Schema:
        if field.message_type is not None:
            return self.request(field.message_type) if asked else self.answer(field.message_type)
        if field.enum_type is not None:
            return self._enumeration(field.enum_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return dict(_SCALARS[field.cpp_type])

    def _enumeration(self, kind: EnumDescriptor) -> Schema:
        if kind.full_name not in self.components:
            values = [kind.values_by_number[number].name for number in short_names(kind)]
            told = [self._told.get(f"{kind.full_name}.{name}", "") for name in values]
            schema: Schema = {"type": "string", "enum": list(short_names(kind).values())}
            self.components[kind.full_name] = (
                schema | ({"x-enum-descriptions": told} if any(told) else {}) | self.description(kind.full_name)
            )
        return {"$ref": _REFERENCE + kind.full_name}


def _exclusive(kind: Descriptor) -> Iterator[list[str]]:
    for oneof in kind.oneofs:
        names = [field.name for field in oneof.fields]
        yield from ([one, other] for index, one in enumerate(names) for other in names[index + 1 :])


def _message(field: FieldDescriptor) -> Any:
    return field.message_type
