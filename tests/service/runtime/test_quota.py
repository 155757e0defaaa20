"""What an account may take is counted, given back, and forgotten when it makes no difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RateLimited, TooManyRuns, TooManyStreams
from service.runtime.quota import _SWEEP_LEAST, AccountLimits, Quotas


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_be_asked_for_at_once_and_then_one_as_each_is_due() -> None:
    clock = Clock()
    quotas = Quotas(AccountLimits(runs_per_minute=6), clock)
    for _ in range(6):
        quotas.begin_run("us")
    with pytest.raises(RateLimited) as caught:
        quotas.begin_run("us")
    assert caught.value.retry_after_seconds == pytest.approx(10)
    clock.now += 10
    quotas.begin_run("us")
    with pytest.raises(RateLimited):
        quotas.begin_run("us")


def test_what_one_account_takes_is_nothing_to_another() -> None:
    quotas = Quotas(AccountLimits(runs_per_minute=1, runs=1, streams=1), Clock())
    quotas.begin_run("us")
    quotas.open_stream("us")
    quotas.begin_run("them")
    quotas.open_stream("them")
    with pytest.raises(TooManyRuns):
        quotas.begin_run("us")
    with pytest.raises(TooManyStreams):
        quotas.open_stream("us")


def test_what_is_given_back_may_be_taken_again() -> None:
    quotas = Quotas(AccountLimits(runs_per_minute=60, runs=1, streams=1), Clock())
    for _ in range(3):
        quotas.begin_run("us")
        quotas.end_run("us")
        quotas.open_stream("us")
        quotas.close_stream("us")


def test_a_run_that_was_there_already_costs_nothing() -> None:
    quotas = Quotas(AccountLimits(runs_per_minute=1), Clock())
    for _ in range(5):
        quotas.begin_run("us")
        quotas.spare_run("us")
    quotas.begin_run("us")


def test_without_limits_nothing_is_refused() -> None:
    quotas = Quotas(AccountLimits(), Clock())
    for _ in range(1_000):
        quotas.begin_run("us")
        quotas.open_stream("us")


@pytest.mark.parametrize("rate", [0, 60])
def test_who_has_nothing_is_forgotten(rate: int) -> None:
    clock = Clock()
    quotas = Quotas(AccountLimits(runs_per_minute=rate, runs=5), clock)
    for number in range(10_000):
        clock.now += 1
        quotas.begin_run(str(number))
        quotas.end_run(str(number))
    assert len(quotas._accounts) <= _SWEEP_LEAST


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["begin", "end", "open", "close", "wait"]))))
def test_never_more_than_is_allowed(steps: list[tuple[str, str]]) -> None:
    clock = Clock()
    quotas = Quotas(AccountLimits(runs_per_minute=5, runs=2, streams=3), clock)
    runs, streams, begun = {"a": 0, "b": 0}, {"a": 0, "b": 0}, {"a": 0, "b": 0}
    for who, step in steps:
        try:
            if step == "begin":
                quotas.begin_run(who)
                runs[who] += 1
                begun[who] += 1
            elif step == "end" and runs[who]:
                quotas.end_run(who)
                runs[who] -= 1
            elif step == "open":
                quotas.open_stream(who)
                streams[who] += 1
            elif step == "close" and streams[who]:
                quotas.close_stream(who)
                streams[who] -= 1
            elif step == "wait":
                clock.now += 1
        except (TooManyRuns, TooManyStreams, RateLimited):
            pass
        assert runs[who] <= 2
        assert streams[who] <= 3
        assert begun[who] <= 5 + clock.now * 5 / 60
