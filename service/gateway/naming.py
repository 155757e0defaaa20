"""Names as HTTP sees them: fields in snake_case or lowerCamel, enum values in their short lower-case form."""

import re
from collections.abc import Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

_WORD_EDGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@cache
def fields_by_name(kind: Descriptor) -> Mapping[str, FieldDescriptor]:
    """The fields of a message by each name that is taken: `child_id` and `childId`."""
    return {name: field for field in kind.fields for name in (field.json_name, field.name)}


def find_field(kind: Descriptor, path: str) -> FieldDescriptor | None:
    """The field of this dotted name, for example "story.theme"; None when there is none."""
    field: FieldDescriptor | None = None
    inner: Descriptor | None = kind
    for name in path.split("."):
        field = fields_by_name(inner).get(name) if inner is not None else None
        if field is None:
            return None
        inner = None if field.is_repeated else field.message_type
    return field


@cache
def short_names(kind: EnumDescriptor) -> Mapping[int, str]:
    """The values of an enum without its prefix and in lower case: NODE_STATUS_STARTED is "started"."""
    prefix = f"{_WORD_EDGE.sub('_', kind.name).upper()}_"
    names: dict[int, str] = {}
    for value in kind.values:
        names.setdefault(value.number, value.name.removeprefix(prefix).lower())
    return names


@cache
def numbers_by_name(kind: EnumDescriptor) -> Mapping[str, int]:
    """The numbers of an enum by each text that is taken for them, in lower case: short name, full name and number."""
    short = short_names(kind)
    return {
        text: value.number
        for value in kind.values
        for text in (str(value.number), value.name.lower(), short[value.number])
    }


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry
