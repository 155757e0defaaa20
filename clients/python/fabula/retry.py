"""When to try again, and for how long."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from fabula.errors import Closed, DeadlineExceeded, FabulaError, NotFound, OutcomeUnknown
from fabula.status import from_rpc_error, surely_undone

_Answer = TypeVar("_Answer")
_RANDOM = random.SystemRandom()


@dataclass(frozen=True)
class RetryPolicy:
    """How a client meets an outage: exponential backoff with jitter, a bounded number of attempts.

    `initial_delay` and `max_delay` are seconds, above 0; each wait is between half of the current delay and all of
    it. `multiplier` is at least 1. `attempts` is how often an outage is met with another call, 0 for never; every
    event that is received ends the outage. ValueError for values out of these bounds.
    """

    initial_delay: float = 0.1
    max_delay: float = 5.0
    multiplier: float = 2.0
    attempts: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.initial_delay <= self.max_delay:
            raise ValueError("initial_delay must lie above 0 and not above max_delay")
        if self.multiplier < 1 or self.attempts < 0:
            raise ValueError("multiplier must be at least 1 and attempts at least 0")


DEFAULT_RETRY = RetryPolicy()
"""0.1 s, doubled up to 5 s, 10 attempts an outage: waits of 13 to 26 seconds in all.

Where the service names a time to come back, each wait is longer by that.
"""


class Deadline:
    """`timeout` seconds from the first time that it is asked for; never when that is None."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._moment: float | None = None

    def remaining(self) -> float | None:
        """Seconds until then, at least 0; None for never."""
        if self._timeout is None:
            return None
        now = asyncio.get_running_loop().time()
        if self._moment is None:
            self._moment = now + self._timeout
        return max(self._moment - now, 0.0)


class Backoff:
    """The waits of one outage after another."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self.reset()

    def reset(self) -> None:
        """The outage is over."""
        self._used = 0
        self._delay = self._policy.initial_delay

    async def pause(self, error: FabulaError, deadline: Deadline) -> None:
        """Waits before the next attempt.

        Raises `error` when it is not transient or the attempts are used up, DeadlineExceeded when the deadline comes
        before the next attempt.
        """
        if not error.transient or self._used >= self._policy.attempts:
            raise error
        delay = self._next_delay() + (error.retry_after or 0.0)
        remaining = deadline.remaining()
        if remaining is not None and remaining <= delay:
            message = f"The timeout would pass before the next attempt. The last one failed: {error.message}"
            raise DeadlineExceeded(message, grpc.StatusCode.DEADLINE_EXCEEDED) from error
        await asyncio.sleep(delay)

    def _next_delay(self) -> float:
        delay = self._delay * _RANDOM.uniform(0.5, 1.0)
        self._delay = min(self._delay * self._policy.multiplier, self._policy.max_delay)
        self._used += 1
        return delay


async def repeat(
    attempt: Callable[[float | None], Awaitable[_Answer]], policy: RetryPolicy, deadline: Deadline
) -> _Answer:
    """Calls `attempt(seconds left)` until it is answered; raises what `Backoff.pause` raises."""
    backoff = Backoff(policy)
    while True:
        try:
            return await attempt(deadline.remaining())
        except grpc.aio.AioRpcError as error:
            await backoff.pause(from_rpc_error(error), deadline)
        except asyncio.CancelledError:
            raise_if_closed()
            raise


async def repeat_while_undone(attempt: Callable[[float | None], Awaitable[_Answer]], policy: RetryPolicy) -> _Answer:
    """The same for a call that would do its work twice: made again only while it is known to have done nothing.

    Raises OutcomeUnknown when it may have been done.
    """

    async def once(left: float | None) -> _Answer:
        try:
            return await attempt(left)
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if not failure.transient or surely_undone(failure):
                raise
            message = f"{failure.message} Whether the call was done is not known."
            raise OutcomeUnknown(message, failure.code, failure.reason, failure.details) from error

    return await repeat(once, policy, Deadline(None))


async def repeat_erasure(attempt: Callable[[float | None], Awaitable[Any]], policy: RetryPolicy) -> None:
    """The same for a call that erases: once one of its attempts may have been done, NotFound says that it was."""
    perhaps_done = False

    async def once(left: float | None) -> None:
        nonlocal perhaps_done
        try:
            await attempt(left)
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            # Only the service itself knows what is not there any more, and it gives a reason.
            if perhaps_done and isinstance(failure, NotFound) and failure.reason:
                return
            perhaps_done = perhaps_done or not surely_undone(failure)
            raise

    await repeat(once, policy, Deadline(None))


def raise_if_closed() -> None:
    """Raises Closed unless the current task is being cancelled; for the handlers of a CancelledError.

    gRPC reports a call that this process cancelled as a CancelledError. When nobody cancelled the task, it was the
    stream or the client that somebody closed; taken for a cancel, it would end the task without a word.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        raise Closed from None
