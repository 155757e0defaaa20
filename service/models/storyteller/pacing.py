"""Cutting an answer into tokens, and the schedule by which they are sent."""

import re

_TOKEN = re.compile(r"\\u[0-9a-fA-F]{4}|\\.| ?[^\W_]{1,6}|.", re.DOTALL)
_YIELD_EVERY = 16  # tokens; unpaced or late, the event loop still gets its turn


def tokens_of(text: str) -> list[str]:
    """`text` in pieces of one to seven characters, whose joining is `text` again. JSON escapes stay whole."""
    return _TOKEN.findall(text)


class Pace:
    """When each token is due, at `tokens_per_second` from `start` on (seconds of any one clock); 0 is unpaced."""

    def __init__(self, tokens_per_second: float, start: float) -> None:
        self._interval = 1 / tokens_per_second if tokens_per_second > 0 else 0.0
        self._start = start
        self._sent = 0

    def wait(self, now: float) -> float | None:
        """Counts the next token, and returns the seconds to sleep before it, or None to send it straight away.

        Every token is due by the schedule and not by the one before, so that errors of sleep do not add up.
        """
        self._sent += 1
        delay = self._start + self._sent * self._interval - now
        if self._interval and delay > 0:
            return delay
        return 0.0 if self._sent % _YIELD_EVERY == 0 else None
