"""Single values for a schema: what a well-meaning model would say."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.ollama_server.texts import is_praising, is_worrying, text_for

FORMATS: Mapping[str, str] = {
    "date": "2026-05-01",
    "time": "08:30:00Z",
    "date-time": "2026-05-01T08:30:00Z",
    "uuid": "6f1c2f7e-3b1d-4c58-9a51-0d5b7c1f2a3e",
    "email": "mina@example.org",
    "uri": "https://example.org/fox",
}
LIKELY = ("en", "en-US", "A1", "1", "fox", "the-fox", "FOX", "#88aaff", *FORMATS.values())
"""Tried where a pattern is asked for; to generate from any pattern is more than tests need."""


def choice(values: Sequence[Any], index: int) -> Any:
    """One of the allowed values, harmless if there is one."""
    harmless = [value for value in values if value is not None and not is_worrying(str(value))] or list(values)
    return harmless[index % len(harmless)]


def boolean(name: str) -> bool:
    """All is well: true for `approved`, false for `unsafe`."""
    return not is_worrying(name)


def integer(schema: Mapping[str, Any], name: str) -> int:
    """A whole number within the bounds."""
    step = int(schema.get("multipleOf", 1))
    low = _bound(schema, "minimum", "exclusiveMinimum", +1)
    high = _bound(schema, "maximum", "exclusiveMaximum", -1)
    wanted = _between(name, 3, low, high)
    down = math.floor(wanted / step) * step
    return down if low is None or down >= low else math.ceil(low / step) * step


def number(schema: Mapping[str, Any], name: str) -> float:
    """A number within the bounds."""
    low = _bound(schema, "minimum", "exclusiveMinimum", +0.01)
    high = _bound(schema, "maximum", "exclusiveMaximum", -0.01)
    return float(_between(name, 0.75, low, high))


def string(schema: Mapping[str, Any], name: str, index: int) -> str:
    """A text for the name, as long as asked for."""
    text = FORMATS.get(schema.get("format", "")) or text_for(name, index)
    if "pattern" in schema:
        return _matching(schema["pattern"], text)
    while len(text) < schema.get("minLength", 0):
        text += f" {text_for('', len(text))}"
    return text[: schema.get("maxLength")]


def _matching(pattern: str, text: str) -> str:
    for candidate in (text, *LIKELY):
        if re.search(pattern, candidate):
            return candidate
    raise ValueError(f"no text at hand matches {pattern!r}: script the content of this reply")


def _bound(schema: Mapping[str, Any], inclusive: str, exclusive: str, inward: float) -> float | None:
    if exclusive in schema:
        return float(schema[exclusive]) + inward
    return float(schema[inclusive]) if inclusive in schema else None


def _between(name: str, usual: float, low: float | None, high: float | None) -> float:
    if is_worrying(name):
        return low if low is not None else 0
    if is_praising(name) and high is not None:
        return high
    return min(max(usual, low if low is not None else usual), high if high is not None else usual)
