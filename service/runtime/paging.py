"""Page tokens: where a list goes on, sealed with the filters that it was made with."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from service.errors import PageTokenInvalid

DEFAULT_PAGE_SIZE = 50

_POSITION = struct.Struct(">q8s")

T = TypeVar("T")


def cut_page(
    items: Sequence[T], size: int, position: Callable[[T], tuple[int, str]], *filters: object
) -> tuple[Sequence[T], str]:
    """The page and its next_page_token, of a list that was asked for one item more than the page may hold.

    `position` is an item's (create_time in ns, id), by which the list is in order.
    """
    if len(items) <= size:
        return items, ""
    return items[:size], encode_token(*position(items[size - 1]), *filters)


def encode_token(create_time_ns: int, item_id: str, *filters: object) -> str:
    """A token for what comes after this item."""
    return base64.urlsafe_b64encode(_POSITION.pack(create_time_ns, _seal(item_id, filters)) + item_id.encode()).decode()


def decode_token(token: str, *filters: object) -> tuple[int, str] | None:
    """The (create_time in ns, id) that the page starts after; None for the first page. Raises PageTokenInvalid."""
    if not token:
        return None
    try:
        data = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        create_time_ns, seal = _POSITION.unpack_from(data)
        item_id = data[_POSITION.size :].decode("ascii")
    except (binascii.Error, struct.error, UnicodeError):
        raise PageTokenInvalid("The page_token is not one of this list's: pass next_page_token as it came.") from None
    if seal != _seal(item_id, filters):
        raise PageTokenInvalid("The page_token was cut, or made with other filters: keep them from page to page.")
    return create_time_ns, item_id


def _seal(item_id: str, filters: tuple[object, ...]) -> bytes:
    return hashlib.sha256(repr((item_id, filters)).encode()).digest()[:8]
