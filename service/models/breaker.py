"""A circuit breaker around a model: one that is down is told from one that is slow, and is left in peace.

It counts failures of the connection, in a row: refused, broken off or silent before anything of the answer had come,
and statuses from 500 on. A server that answers at all, were it with a 404 or with nonsense, is up: that ends the row.
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager

import structlog

from service.errors import FabulaError, ModelTimeout
from service.runtime.model import (
    GuardModel,
    LanguageModel,
    ModelCircuitOpen,
    ModelDown,
    ModelPoolExhausted,
    Prompt,
    Schema,
    TextChunk,
    Verdict,
)

FAILURES = 5
"""In a row, until it opens: two runs with their retries, so that one unlucky run harms no other."""

OPEN_SECONDS = 10.0
"""For which it stays open; then one call is let through, and what becomes of that decides.

One that takes longer is no longer waited for: it may hang, or be paused, for as long as its run may last.
"""

_LEAST_WAIT_SECONDS = 1.0

_log = structlog.get_logger("fabula.models")


class Breaker:
    """Closed, open, or half open: then one call is under way as a probe, and all others go on failing at once."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._probe: float | None = None  # when the one that counts began, which tells it from others

    @contextmanager
    def call(self) -> Iterator[Callable[[], None]]:
        """One call to the model; gives what is to be called once anything of the answer has come.

        Raises ModelCircuitOpen while it is open.
        """
        probe = self._admit()
        try:
            yield self._answered
        except (ModelDown, ModelTimeout):
            self._failed(probe)
            raise
        except ModelPoolExhausted:
            raise  # nobody was asked
        except FabulaError:
            self._answered()
            raise
        finally:
            # A probe that was cancelled has shown nothing: the next call is one.
            if self._is_current(probe):
                self._probe = None

    def _admit(self) -> float | None:
        """When the call began, if it is a probe."""
        if self._opened is None:
            return None
        now = self._clock()
        left = max(self._opened, self._probe or self._opened) + OPEN_SECONDS - now
        if left > 0:
            message = "The model failed several times in a row and is not asked for the moment. Ask again."
            raise ModelCircuitOpen(message, retry_after_seconds=max(left, _LEAST_WAIT_SECONDS))
        self._probe = now
        return now

    def _is_current(self, probe: float | None) -> bool:
        return probe is not None and probe == self._probe

    def _answered(self) -> None:
        if self._opened is not None:
            _log.info("breaker_closed", model=self._name)
        self._failures, self._opened, self._probe = 0, None, None

    def _failed(self, probe: float | None) -> None:
        self._failures += 1
        if self._is_current(probe) or (self._opened is None and self._failures >= FAILURES):
            self._opened = self._clock()
            _log.warning("breaker_opened", model=self._name, failures=self._failures, seconds=OPEN_SECONDS)


class BreakerModel:
    """A language model behind a breaker. See `LanguageModel`."""

    def __init__(self, model: LanguageModel, breaker: Breaker) -> None:
        self.name = model.name
        self._model = model
        self._breaker = breaker

    async def stream(self, prompt: Prompt, schema: Schema) -> AsyncGenerator[TextChunk, None]:
        """See `LanguageModel.stream`."""
        answer = self._model.stream(prompt, schema)
        async with aclosing(answer) as chunks:
            with self._breaker.call() as answered:
                first = await anext(chunks, None)
                answered()
            if first is None:
                return
            yield first
            # What fails from here on is no failure of the connection.
            async for chunk in chunks:
                yield chunk


class BreakerGuard:
    """A guard model behind a breaker. See `GuardModel`."""

    def __init__(self, guard: GuardModel, breaker: Breaker) -> None:
        self.name = guard.name
        self._guard = guard
        self._breaker = breaker

    async def judge(self, asked: str, answer: str) -> Verdict:
        """See `GuardModel.judge`."""
        with self._breaker.call() as answered:
            verdict = await self._guard.judge(asked, answer)
            answered()
        return verdict
