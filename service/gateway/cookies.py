"""The cookie that a browser keeps its token in."""

import re

from starlette.datastructures import Headers

COOKIE = "fabula_token"

TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,3800}")
"""A bearer token (RFC 6750, 2.1) that is short enough for a cookie."""


def token_of(headers: Headers) -> str:
    """The token that the browser keeps; empty when it has none."""
    value = _values(headers.get("cookie", "")).get(COOKIE, "")
    return value if TOKEN.fullmatch(value) else ""


def _values(header: str) -> dict[str, str]:
    # By hand: http.cookies drops them all for one that it dislikes, and that may be another program's on this host.
    # Of two with one name the last counts: browsers send those with the shortest path last (RFC 6265, 5.4), as ours is.
    parts = (each.partition("=") for each in header.split(";"))
    return {name.strip(): value.strip() for name, _, value in parts}
