"""When a model that failed is asked again."""

import pytest

from service.errors import (
    FabulaError,
    ModelNotFound,
    ModelOutputInvalid,
    ModelOutputTruncated,
    ModelTimeout,
    ModelUnavailable,
    StoreUnavailable,
)
from service.runtime.model import ModelCircuitOpen, ModelDown, ModelMisconfigured
from service.workflows.story.retrying import LONGEST_PAUSE, NO_RETRIES, Retries, Teller, retried
from tests.service.workflows.story.test_writing import Speaker

DOWN = ModelDown("It is down.")
RETRIES = Retries(20, 0.5)


@pytest.mark.parametrize(("failed", "longest"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 10), (20, 10)])
def test_pauses_double_up_to_a_bound_and_half_of_each_is_chance(failed: int, longest: float) -> None:
    pauses = [RETRIES.pause(failed, DOWN) or 0 for _ in range(200)]
    assert longest / 2 <= min(pauses) < max(pauses) <= longest
    assert len(set(pauses)) > 100


def test_there_are_no_more_retries_than_configured() -> None:
    assert [Retries(2, 0.5).pause(failed, DOWN) is None for failed in (1, 2, 3)] == [False, False, True]
    assert NO_RETRIES.pause(1, DOWN) is None


@pytest.mark.parametrize("error", [DOWN, ModelUnavailable("x"), ModelTimeout("x"), ModelOutputInvalid("x")])
def test_what_may_pass_is_asked_again(error: FabulaError) -> None:
    assert RETRIES.pause(1, error) is not None


@pytest.mark.parametrize(
    "error",
    [
        ModelNotFound("x"),
        ModelMisconfigured("x"),
        ModelCircuitOpen("x", retry_after_seconds=0.1),
        ModelOutputTruncated("x"),
    ],
)
def test_what_stays_as_it_is_is_not_asked_again(error: FabulaError) -> None:
    assert RETRIES.pause(1, error) is None


def test_a_server_is_given_the_time_that_it_asks_for_within_reason() -> None:
    assert 3.25 <= (RETRIES.pause(1, ModelUnavailable("x", retry_after_seconds=3)) or 0) <= 3.5
    assert RETRIES.pause(1, ModelUnavailable("x", retry_after_seconds=LONGEST_PAUSE)) is not None
    assert RETRIES.pause(1, ModelUnavailable("x", retry_after_seconds=LONGEST_PAUSE + 1)) is None


async def test_a_failure_that_is_not_the_models_is_not_asked_away() -> None:
    asked = []

    async def attempt() -> None:
        asked.append(1)
        raise StoreUnavailable("It is full.")

    with pytest.raises(StoreUnavailable):
        await retried(attempt, RETRIES, lambda _: True)
    assert len(asked) == 1


async def attempts(left: list[float], models: int) -> int:
    """How often the first of so many models is asked that fails, when so many seconds are left each time it is seen."""
    asked = []

    async def attempt(model: object) -> None:
        asked.append(model)
        raise DOWN

    teller = Teller([Speaker(str(number)) for number in range(models)], Retries(1, 0), lambda: left.pop(0))
    with pytest.raises(ModelDown):
        await teller.ask(attempt, lambda: True)
    return sum(each is asked[0] for each in asked)


async def test_a_model_is_asked_again_when_there_is_time_for_as_much_by_each() -> None:
    seen = [300.0, 300, 180, 180, 60, 60, 0, 0, 0]
    assert await attempts([*seen], models=1) == 2
    assert await attempts([*seen], models=2) == 1
    assert await attempts([300.0, 300, 260, 260, 220, 220, 180, 180, 140], models=2) == 2
