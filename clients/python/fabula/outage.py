"""Says why nothing comes, while a stream tries to get its connection back."""

import asyncio
from collections.abc import Callable

from fabula.errors import FabulaError, Overloaded

_PATIENCE_SECONDS = 1.0


class OutageNotice:
    """Tells of an outage that lasts longer than `patience` seconds, and of its end; a short one passes unnoticed.

    `changed` goes into `StoryStream.on_outage`; `close` is called when the stream is left.
    """

    def __init__(self, tell: Callable[[str], None], patience: float = _PATIENCE_SECONDS) -> None:
        self._tell = tell
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, error: FabulaError | None) -> None:
        """An outage began with this error, or ended."""
        if error is not None:
            words = "the service is busy" if isinstance(error, Overloaded) else "connection lost"
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._patience, self._last, f"{words}, trying again…")
        elif self._timer is None:
            self._tell("connected again")
        else:
            self.close()

    def close(self) -> None:
        """Tells nothing more of this outage."""
        if self._timer is not None:
            self._timer.cancel()

    def _last(self, words: str) -> None:
        self._timer = None
        self._tell(words)
