"""Page tokens: where a list goes on, sealed with the filters that it was made with."""

import base64
import binascii
import hashlib
import struct

from service.errors import PageTokenInvalid

DEFAULT_PAGE_SIZE = 50

_POSITION = struct.Struct(">q8s")


def encode_token(create_time_ns: int, run_id: str, *filters: object) -> str:
    """A token for what comes after this run."""
    return base64.urlsafe_b64encode(_POSITION.pack(create_time_ns, _seal(filters)) + run_id.encode()).decode()


def decode_token(token: str, *filters: object) -> tuple[int, str] | None:
    """The (create_time in ns, run_id) that the page starts after; None for the first page. Raises PageTokenInvalid."""
    if not token:
        return None
    try:
        data = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        create_time_ns, seal = _POSITION.unpack_from(data)
        run_id = data[_POSITION.size :].decode("ascii")
    except (binascii.Error, struct.error, UnicodeError):
        raise PageTokenInvalid("The page_token is not one of this list's: pass next_page_token as it came.") from None
    if seal != _seal(filters):
        raise PageTokenInvalid("The page_token was made with other filters: keep them the same from page to page.")
    return create_time_ns, run_id


def _seal(filters: tuple[object, ...]) -> bytes:
    return hashlib.sha256(repr(filters).encode()).digest()[:8]
