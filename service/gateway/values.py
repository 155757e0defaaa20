"""Values of requests: text of a path or a query, and values of JSON, to what a field of that type holds."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from service.gateway.naming import numbers_by_name, short_names

_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_BOOLS = {"true": True, "1": True, "false": False, "0": False}

_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}

_REAL = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


class Unfit(Exception):
    """A value that the field can't hold. Its text says what was expected, and nothing of the value."""


def from_text(field: FieldDescriptor, text: str) -> Any:
    """The value of a path or a query. Raises Unfit."""
    if field.cpp_type in _BOUNDS:
        return _integer(field, text)
    return _FROM_TEXT[field.cpp_type](field, text)


def from_json(field: FieldDescriptor, value: Any) -> Any:
    """The value of a scalar field in JSON: numbers may be written as text, too. Raises Unfit."""
    if isinstance(value, str):
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            raise Unfit("expected true or false")
        return from_text(field, value)
    if isinstance(value, bool):
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return value
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer() and field.cpp_type in _BOUNDS):
        if field.cpp_type not in (FieldDescriptor.CPPTYPE_BOOL, FieldDescriptor.CPPTYPE_STRING):
            return from_text(field, str(int(value)))
    elif isinstance(value, float) and field.cpp_type in _REAL and math.isfinite(value):
        return value
    raise Unfit(expected(field))


def fill_known(message: Message, value: Any) -> None:
    """Fills one of protobuf's own messages from its form in JSON, a timestamp for example. Raises Unfit."""
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, ValueError, TypeError, AttributeError):
        # The library's text quotes the value.
        raise Unfit(f"expected {message.DESCRIPTOR.full_name} in its form in JSON") from None


def expected(field: FieldDescriptor) -> str:
    """What a field of this type takes, in words."""
    if field.enum_type is not None:
        return f"expected one of: {', '.join(short_names(field.enum_type).values())}"
    if field.cpp_type in _BOUNDS:
        least, most = _BOUNDS[field.cpp_type]
        return f"expected a whole number from {least} to {most}"
    return _EXPECTED[field.cpp_type]


def _integer(field: FieldDescriptor, text: str) -> int:
    least, most = _BOUNDS[field.cpp_type]
    if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
        raise Unfit(expected(field))
    return int(text)


def _real(field: FieldDescriptor, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise Unfit(expected(field))
    return value


def _bool(field: FieldDescriptor, text: str) -> bool:
    try:
        return _BOOLS[text.lower()]
    except KeyError:
        raise Unfit(expected(field)) from None


def _string(field: FieldDescriptor, text: str) -> str | bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Unfit("expected text without half of a surrogate pair") from None
    return _bytes(data) if field.type == FieldDescriptor.TYPE_BYTES else text


def _bytes(data: bytes) -> bytes:
    try:
        return base64.b64decode(data.translate(_URL_SAFE) + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error:
        raise Unfit("expected base64") from None


def _enum(field: FieldDescriptor, text: str) -> int:
    kind = field.enum_type
    assert isinstance(kind, EnumDescriptor)  # noqa: S101 -- called for enums alone
    try:
        return numbers_by_name(kind)[text.lower()]
    except KeyError:
        raise Unfit(expected(field)) from None


def _message(field: FieldDescriptor, text: str) -> Any:
    del text
    raise Unfit(f"expected its fields, as {field.name}.…")


_URL_SAFE = bytes.maketrans(b"-_", b"+/")

_FROM_TEXT: dict[int, Callable[[FieldDescriptor, str], Any]] = {
    FieldDescriptor.CPPTYPE_BOOL: _bool,
    FieldDescriptor.CPPTYPE_DOUBLE: _real,
    FieldDescriptor.CPPTYPE_FLOAT: _real,
    FieldDescriptor.CPPTYPE_STRING: _string,
    FieldDescriptor.CPPTYPE_ENUM: _enum,
    FieldDescriptor.CPPTYPE_MESSAGE: _message,
}

_EXPECTED = {
    FieldDescriptor.CPPTYPE_BOOL: "expected true or false",
    FieldDescriptor.CPPTYPE_DOUBLE: "expected a number",
    FieldDescriptor.CPPTYPE_FLOAT: "expected a number",
    FieldDescriptor.CPPTYPE_STRING: "expected text",
    FieldDescriptor.CPPTYPE_MESSAGE: "expected an object",
}
