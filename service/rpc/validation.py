"""Request bytes to a valid message: the constraints are those written in the protos."""

from collections.abc import Callable, Iterator
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from service.errors import InvalidRequest, MalformedRequest


def parse(deserializer: Callable[[bytes], Message], data: bytes) -> Message:
    """The message of these bytes. Raises MalformedRequest and InvalidRequest."""
    try:
        message = deserializer(data)
    except DecodeError:
        # The library's own text may quote the bytes.
        raise MalformedRequest(
            "The request bytes are not the message that this RPC takes: check its type, and that every string is UTF-8."
        ) from None
    if violations := list(_violations(message)):
        raise InvalidRequest(violations)
    return message


def _violations(message: Message) -> Iterator[tuple[str, str]]:
    for violation in protovalidate.collect_violations(message):
        found = violation.proto
        # A rule on the whole message is named after the field that it asks for: "theme.required".
        yield _path(found) or found.rule_id.partition(".")[0], found.message


def _path(violation: Any) -> str:
    if violation.field is None:
        return ""
    names = []
    for element in violation.field.elements:
        index = element.subscript
        names.append(f"{element.field_name}[{index.value}]" if index is not None else element.field_name)
    return ".".join(names)
