"""The place in a run up to which a reader has its events: `<run_id>:<sequence>`, the id of its last event."""

import re
from dataclasses import dataclass

from service.gateway.refusals import invalid

QUERY_NAME = "last_event_id"
"""Where readers that can't set a header say it."""

_CURSOR = re.compile(r"(?P<run_id>[A-Za-z0-9_-]{1,64}):(?P<sequence>[0-9]{1,10})")
_MAX_SEQUENCE = 2**31 - 1


@dataclass(frozen=True)
class Cursor:
    """A run, and the sequence of the last event that its reader has."""

    run_id: str
    sequence: int


def parse_cursor(text: str, name: str) -> Cursor:
    """Reads an event's id. Raises Refused."""
    found = _CURSOR.fullmatch(text)
    if found is None or int(found["sequence"]) > _MAX_SEQUENCE:
        raise invalid([(name, "expected the id of an event as it was sent: <run_id>:<sequence>")])
    return Cursor(found["run_id"], int(found["sequence"]))
