"""Request bytes to a valid message: the constraints are those written in the protos."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from service.errors import InvalidRequest, MalformedRequest

MAX_NAMED = 20
"""Violations that an answer names at the most: more would not fit into the trailing metadata that clients take."""

_MAX_THOROUGH_BYTES = 16 * 1024
"""Up to here every violation is looked for, beyond only the first: a million of them would take half a minute."""


def parse(deserializer: Callable[[bytes], Message], data: bytes) -> Message:
    """The message of these bytes. Raises MalformedRequest and InvalidRequest."""
    try:
        message = deserializer(data)
    except DecodeError:
        # The library's own text may quote the bytes.
        raise MalformedRequest(
            "The request bytes are not the message that this RPC takes: check its type, and that every string is UTF-8."
        ) from None
    if violations := list(islice(_violations(message, fail_fast=len(data) > _MAX_THOROUGH_BYTES), MAX_NAMED)):
        raise InvalidRequest(violations)
    return message


def _violations(message: Message, *, fail_fast: bool) -> Iterator[tuple[str, str]]:
    for violation in protovalidate.collect_violations(message, fail_fast=fail_fast):
        yield ".".join(_path(violation.proto)), violation.proto.message


def _path(violation: Any) -> Iterator[str]:
    for element in violation.field.elements if violation.field is not None else ():
        index = element.subscript
        yield f"{element.field_name}[{index.value}]" if index is not None else element.field_name
    if violation.rule is None:
        # A rule on the whole message is named after the field that it asks for: "theme.required".
        yield violation.rule_id.partition(".")[0]
