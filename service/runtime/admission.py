"""What the process takes on: streams and runs, of everybody and of each account."""

from service.errors import TooManyStreams
from service.runtime.quota import Quotas
from service.runtime.spec import Limits


class Admission:
    """Counts what is let in. `quotas` counts runs and streams of each account."""

    def __init__(self, limits: Limits) -> None:
        self.quotas = Quotas(limits.account)
        self._limits = limits
        self._streams = 0

    def open_stream(self, principal: str, watchers: int) -> None:
        """Counts a stream that opens, of a run that has so many watchers. Raises TooManyStreams, and counts nothing."""
        if self._streams >= self._limits.max_streams:
            raise TooManyStreams("streams_at_once", self._limits.max_streams, "service")
        if watchers >= self._limits.run_watchers:
            raise TooManyStreams("watchers_of_one_run", self._limits.run_watchers, "service")
        self.quotas.open_stream(principal)
        self._streams += 1

    def close_stream(self, principal: str) -> None:
        """The stream has closed."""
        self._streams -= 1
        self.quotas.close_stream(principal)
