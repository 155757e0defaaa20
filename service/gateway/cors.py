"""Which pages of other sites may call: those of an explicit list, and nobody else's."""

import re
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers

from service.gateway.exchange import REQUEST_ID

_ASKED = "authorization, content-type, last-event-id, request-timeout, traceparent, tracestate, x-request-id"
_TOLD = f"retry-after, {REQUEST_ID}"


def host_of(headers: Headers) -> str:
    """The name that the caller called, in lower case and without a port."""
    return re.sub(r":[0-9]*$", "", headers.get("host", "").strip().lower())


class Cors:
    """The list of origins, for example "https://stories.example"."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def headers(self, origin: str | None) -> Mapping[str, str]:
        """What every answer to this origin says."""
        if not self._origins:
            return {}
        if origin not in self._origins:
            return {"vary": "Origin"}
        return {"vary": "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": _TOLD}

    def preflight(self, headers: Headers, methods: str) -> Mapping[str, str]:
        """What the answer to OPTIONS adds."""
        if headers.get("origin") not in self._origins or "access-control-request-method" not in headers:
            return {}
        return {
            "access-control-allow-methods": methods,
            "access-control-allow-headers": _ASKED,
            "access-control-max-age": "600",
        }

    def refuses(self, headers: Headers) -> bool:
        """Whether a browser asks for a page of a site that is not in the list.

        CORS alone would keep the answer from that page, but the run would have begun.
        """
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        return foreign and headers.get("origin") not in self._origins
