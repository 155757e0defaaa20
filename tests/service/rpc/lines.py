"""What the service in this process logs, line by line, for a test to wait for."""

import asyncio
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

Line = MutableMapping[str, Any]


class Lines:
    """The lines so far."""

    def __init__(self) -> None:
        self.all: list[Line] = []
        self._more = asyncio.Event()

    def of(self, event: str) -> list[Line]:
        return [line for line in self.all if line["event"] == event]

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds; it is asked after every line."""
        while not condition():
            self._more.clear()
            await self._more.wait()

    def hear(self, _logger: Any, level: str, line: Line) -> Line:
        """A structlog processor."""
        self.all.append(dict(line) | {"level": level})
        self._more.set()
        return line


@contextmanager
def heard() -> Iterator[Lines]:
    """Hears every line within."""
    lines = Lines()
    with capture_logs(processors=[merge_contextvars, lines.hear]):
        yield lines
