"""The constraints of the protos (buf.validate) in the words of JSON Schema, as far as it has words for them."""

from collections.abc import Collection
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

Schema = dict[str, Any]

_STRINGS = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
_NUMBERS = {"gte": "minimum", "lte": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_LISTS = {"min_items": "minItems", "max_items": "maxItems"}


def constraints(field: FieldDescriptor) -> Schema:
    """What the field's rules add to its schema; those of a list's items stand under `items`."""
    options = field.GetOptions()
    if not options.HasExtension(validate_pb2.field):
        return {}
    rules = options.Extensions[validate_pb2.field]
    schema = _of_value(rules)
    if rules.HasField("repeated"):
        schema = _named(rules.repeated, _LISTS) | {"items": _of_value(rules.repeated.items)}
    # An empty text is as one that is not given.
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE and "pattern" in schema:
        schema["pattern"] = f"^$|{schema['pattern']}"
    return schema


def required(kind: Descriptor) -> Collection[str]:
    """The fields without which the service refuses a message: those that break their rules in an empty one."""
    violations = protovalidate.collect_violations(GetMessageClass(kind)())
    paths = [each.proto.field.elements for each in violations if each.proto.field is not None]
    return {path[0].field_name for path in paths if len(path) == 1}


def _of_value(rules: Any) -> Schema:
    if rules.HasField("string"):
        return _named(rules.string, _STRINGS)
    return _named(rules.int32, _NUMBERS) if rules.HasField("int32") else {}


def _named(rules: Any, names: dict[str, str]) -> Schema:
    return {word: getattr(rules, name) for name, word in names.items() if rules.HasField(name)}
