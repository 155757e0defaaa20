"""The comments of the protos, which descriptors have no more at run time: `make generate` keeps them in a file."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

COMMENTED = Path(__file__).parent / "commented.binpb"
"""A FileDescriptorSet of our protos with the places of everything in them, and the comments there."""

Place = tuple[int, ...]


@cache
def comments() -> Mapping[str, str]:
    """The first paragraph on each element, by the element's full name; a value of an enum stands under its enum."""
    files = FileDescriptorSet.FromString(COMMENTED.read_bytes()).file
    return {name: text for file in files for name, text in _of_file(file) if text}


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    told = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
    for place, name in _elements(file, (), file.package):
        yield name, _first_paragraph(told.get(place, ""))


def _elements(holder: Any, place: Place, prefix: str) -> Iterator[tuple[Place, str]]:
    """What the holder declares, with its place: the fields and indices of descriptor.proto that lead there."""
    for field, held in holder.ListFields():
        if _is_declaration(field):
            for index, each in enumerate(held):
                inner, name = (*place, field.number, index), f"{prefix}.{each.name}"
                yield inner, name
                yield from _elements(each, inner, name)


def _is_declaration(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and field.is_repeated and "name" in kind.fields_by_name


def _first_paragraph(comment: str) -> str:
    lines = (line.strip() for line in comment.strip().splitlines())
    return " ".join(takewhile(bool, lines))
