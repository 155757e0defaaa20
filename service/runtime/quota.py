"""What one account may take of the service: runs a minute, runs and streams at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from service.errors import RateLimited, TooManyRuns, TooManyStreams

_MINUTE = 60.0
_SWEEP_LEAST = 1_024


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """For each account; 0: no limit of its own, so that what holds for the whole service is all."""

    runs_per_minute: int = 0
    runs: int = 0
    streams: int = 0


@dataclass(slots=True)
class _Account:
    tokens: float
    filled: float
    runs: int = 0
    streams: int = 0

    def is_idle(self, limits: AccountLimits) -> bool:
        """Whether nothing would be different if it were not counted."""
        is_full = not limits.runs_per_minute or self.tokens >= limits.runs_per_minute
        return is_full and not self.runs and not self.streams


@dataclass(slots=True)
class Quotas:
    """Counts what accounts have. Forgets those that have nothing and may have everything. `clock` is monotonic."""

    limits: AccountLimits
    clock: Callable[[], float] = time.monotonic
    _accounts: dict[str, _Account] = field(default_factory=dict)
    _sweep_at: int = _SWEEP_LEAST

    def begin_run(self, principal: str, *, repeated: bool = False) -> None:
        """Counts a run that begins. Raises TooManyRuns and RateLimited, and counts nothing then.

        A call that is `repeated` will find the run of another call there, and is never refused.
        """
        account = self._account(principal)
        if not repeated:
            self._check(account)
        account.tokens -= 1
        account.runs += 1

    def end_run(self, principal: str) -> None:
        """The run has ended."""
        self._accounts[principal].runs -= 1
        self._forget(principal)

    def spare_run(self, principal: str) -> None:
        """The run that was to begin was there already, or could not begin."""
        self._accounts[principal].tokens += 1
        self.end_run(principal)

    def open_stream(self, principal: str) -> None:
        """Counts a stream that opens. Raises TooManyStreams, and counts nothing then."""
        account = self._account(principal)
        if 0 < self.limits.streams <= account.streams:
            raise TooManyStreams("streams_at_once", self.limits.streams, "account")
        account.streams += 1

    def close_stream(self, principal: str) -> None:
        """The stream has closed."""
        self._accounts[principal].streams -= 1
        self._forget(principal)

    def _account(self, principal: str) -> _Account:
        now = self.clock()
        account = self._accounts.get(principal)
        if account is None:
            if len(self._accounts) >= self._sweep_at:
                self._sweep()
            # Full at first: a minute's worth may be asked for at once.
            account = self._accounts[principal] = _Account(self.limits.runs_per_minute, now)
        per_second = self.limits.runs_per_minute / _MINUTE
        account.tokens = min(account.tokens + (now - account.filled) * per_second, self.limits.runs_per_minute)
        account.filled = now
        return account

    def _check(self, account: _Account) -> None:
        if 0 < self.limits.runs <= account.runs:
            raise TooManyRuns("runs_at_once", self.limits.runs, "account")
        rate = self.limits.runs_per_minute
        if rate and account.tokens < 1:
            raise RateLimited("runs_per_minute", rate, "account", (1 - account.tokens) * _MINUTE / rate)

    def _forget(self, principal: str) -> None:
        if self._account(principal).is_idle(self.limits):
            del self._accounts[principal]

    def _sweep(self) -> None:
        """Forgets who was still short of something when its last run ended, and is not any more."""
        for principal in list(self._accounts):
            self._forget(principal)
        self._sweep_at = max(2 * len(self._accounts), _SWEEP_LEAST)
