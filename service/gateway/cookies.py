"""The cookie that a browser keeps its token in."""

import re
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

COOKIE = "fabula_token"

TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,3800}")
"""A bearer token (RFC 6750, 2.1) that is short enough for a cookie."""


def token_of(headers: Headers) -> str:
    """The token that the browser keeps; empty when it has none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None and TOKEN.fullmatch(morsel.value) else ""
