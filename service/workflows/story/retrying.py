"""Asks a model that failed again, and at last another one, as long as no reader has noticed anything."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import structlog

from service.errors import (
    FabulaError,
    ModelNotFound,
    ModelOutputInvalid,
    ModelOutputTruncated,
    ModelTimeout,
    ModelUnavailable,
)
from service.runtime.model import LanguageModel, ModelCircuitOpen, ModelMisconfigured

MODEL_FAILURES = (ModelNotFound, ModelOutputInvalid, ModelOutputTruncated, ModelTimeout, ModelUnavailable)
"""The ways in which a model may fail."""

LONGEST_PAUSE = 10.0
"""Seconds that a reader is made to wait between two attempts. A server that asks for more is not asked again."""

_LASTING = (ModelNotFound, ModelOutputTruncated, ModelCircuitOpen, ModelMisconfigured)
"""What asking again at once would not change: it needs someone's hand, more tokens or more time."""

_T = TypeVar("_T")
_CHANCE = random.SystemRandom()

_log = structlog.get_logger("fabula.story")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a model that failed is asked again, and after which pauses: doubling, up to half of each by chance.

    Chance keeps the runs that a server failed at once from coming back at once.
    """

    most: int
    first_seconds: float

    def pause(self, failed: int, error: FabulaError) -> float | None:
        """Seconds until the model may be asked again after its failure number `failed`; None when it is not to be."""
        asked_for = error.retry_after_seconds or 0.0
        if failed > self.most or isinstance(error, _LASTING) or asked_for > LONGEST_PAUSE:
            return None
        longest = min(self.first_seconds * 2 ** (failed - 1), LONGEST_PAUSE)
        return asked_for + _CHANCE.uniform(longest / 2, longest)


NO_RETRIES = Retries(0, 0.0)


async def retried(
    attempt: Callable[[], Awaitable[_T]],
    retries: Retries,
    may_repeat: Callable[[FabulaError], bool],
) -> _T:
    """What the attempt gives in the end. Raises its last failure.

    `may_repeat` is asked after each failure. A cancel ends attempt and pause alike.
    """
    for failed in count(1):
        try:
            return await attempt()
        except MODEL_FAILURES as error:
            pause = retries.pause(failed, error) if may_repeat(error) else None
            if pause is None:
                raise
            _log.warning("model_retry", reason=type(error).__name__, attempt=failed + 1, seconds=round(pause, 3))
        await asyncio.sleep(pause)
    raise AssertionError


class Teller:
    """The model that tells one run: the first of these that can. One that failed for good is not asked again in it.

    `left` gives the seconds that the run still has. A model that was silent for long is not asked again when there
    would be no time for as much by each that is left: the fallback model, too, must have its turn.
    """

    def __init__(self, models: Sequence[LanguageModel], retries: Retries, left: Callable[[], float]) -> None:
        self._models = list(models)
        self._retries = retries
        self._left = left
        self._had = left()
        self._again = retries.most

    async def ask(self, attempt: Callable[[LanguageModel], Awaitable[_T]], unheard: Callable[[], bool]) -> _T:
        """What the attempt gives with a model that can. Raises the last failure of the last model asked.

        Each attempt begins from nothing. There is none after a failure once `unheard` says that a reader has heard
        anything of it.
        """
        while True:
            try:
                return await retried(
                    lambda: self._attempt(attempt), self._retries, lambda _: unheard() and self._may_ask_again()
                )
            except MODEL_FAILURES as error:
                if len(self._models) == 1 or not unheard():
                    raise
                failed = self._models.pop(0)
                self._again = self._retries.most
                _log.warning(
                    "model_fallback", failed=failed.name, model=self._models[0].name, reason=type(error).__name__
                )

    async def _attempt(self, attempt: Callable[[LanguageModel], Awaitable[_T]]) -> _T:
        self._had = self._left()
        return await attempt(self._models[0])

    def _may_ask_again(self) -> bool:
        """So often in the whole run: a chapter of many rounds must not become a flood of calls."""
        if self._again <= 0 or not self._has_time():
            return False
        self._again -= 1
        return True

    def _has_time(self) -> bool:
        """Whether an attempt as long as the last one would leave that much to each model that may still be asked."""
        left = self._left()
        return (self._had - left) * len(self._models) < left
