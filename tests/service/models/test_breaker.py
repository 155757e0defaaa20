"""The circuit breaker: a model that is down is left in peace for a while, and one that answers never is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.errors import FabulaError, ModelNotFound, ModelOutputInvalid, ModelTimeout, ModelUnavailable
from service.models import open_guard
from service.models.breaker import FAILURES, OPEN_SECONDS, Breaker, BreakerModel
from service.models.ollama import open_ollama
from service.runtime.model import ModelCircuitOpen, ModelDown, ModelMisconfigured, ModelPoolExhausted
from tests.ollama_server import OllamaServer, Reply
from tests.service.models.test_ollama import ANSWER, config, read

DOWN = Reply(status=500)
GOOD = Reply(content=ANSWER)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer(default=GOOD) as running:
        yield running


@asynccontextmanager
async def breaking(
    server: OllamaServer, clock: Clock | None = None, idle_seconds: float = 30
) -> AsyncIterator[BreakerModel]:
    async with open_ollama(config(server.base_url, model_idle_seconds=idle_seconds), "llama3.2") as model:
        yield BreakerModel(model, Breaker(model.name, clock or Clock()))


async def fails(model: BreakerModel, kind: type[FabulaError] = ModelDown, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(FabulaError) as raised:
            await read(model)
        assert type(raised.value) is kind


async def test_it_passes_on_what_the_model_says_under_the_models_name(server: OllamaServer) -> None:
    async with breaking(server) as model:
        assert (model.name, await read(model)) == ("ollama:llama3.2", ANSWER)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (DOWN, ModelDown),
        (Reply(status=503), ModelDown),
        (Reply(cut_after=0), ModelDown),
        (Reply(stall_before_headers=True), ModelTimeout),
        (Reply(stall_after=0), ModelTimeout),
    ],
)
async def test_failures_in_a_row_open_it_and_the_server_is_left_in_peace(
    server: OllamaServer, reply: Reply, kind: type[FabulaError]
) -> None:
    server.reply_by_default(reply)
    async with breaking(server, idle_seconds=0.1 if kind is ModelTimeout else 30) as model:
        await fails(model, kind, FAILURES)
        await fails(model, ModelCircuitOpen, 3)
    assert len(server.requests) == FAILURES


async def test_a_refused_connection_counts_and_the_wait_is_told(server: OllamaServer) -> None:
    await server.stop()
    clock = Clock()
    async with breaking(server, clock) as model:
        await fails(model, ModelDown, FAILURES)
        clock.now += 3
        with pytest.raises(ModelUnavailable) as raised:
            await read(model)
    assert raised.value.retry_after_seconds == OPEN_SECONDS - 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=404), ModelNotFound),
        (Reply(content=ANSWER, malformed_line_after=0), ModelOutputInvalid),
        (Reply(content=ANSWER, cut_after=2), ModelDown),
        (Reply(content=ANSWER, stall_after=2), ModelTimeout),
        (Reply(status=429), ModelUnavailable),
        (Reply(error_line_after=0), ModelUnavailable),
    ],
)
async def test_what_a_server_answers_does_not_open_it(
    server: OllamaServer, reply: Reply, kind: type[FabulaError]
) -> None:
    server.reply_by_default(reply)
    async with breaking(server, idle_seconds=0.5 if kind is ModelTimeout else 30) as model:
        await fails(model, kind, FAILURES + 1)
    assert len(server.requests) == FAILURES + 1


async def test_an_answer_in_between_begins_the_count_anew(server: OllamaServer) -> None:
    server.reply_with(*[DOWN] * (FAILURES - 1), GOOD, *[DOWN] * (FAILURES - 1))
    async with breaking(server) as model:
        await fails(model, times=FAILURES - 1)
        assert await read(model) == ANSWER
        await fails(model, times=FAILURES - 1)
        assert await read(model) == ANSWER


async def test_one_probe_alone_is_let_through_and_its_first_word_closes_it(server: OllamaServer) -> None:
    clock = Clock()
    server.reply_with(*[DOWN] * FAILURES, Reply(content=ANSWER, stall_after=0))
    async with breaking(server, clock) as model:
        await fails(model, times=FAILURES)
        clock.now += OPEN_SECONDS
        probe = asyncio.create_task(read(model))
        await server.wait_stalled(1)
        await fails(model, ModelCircuitOpen, 3)
        server.release()
        assert await probe == ANSWER
        assert await read(model) == ANSWER
    assert len(server.requests) == FAILURES + 2


async def test_a_probe_that_fails_opens_it_again_for_as_long(server: OllamaServer) -> None:
    clock = Clock()
    server.reply_by_default(DOWN)
    async with breaking(server, clock) as model:
        await fails(model, times=FAILURES)
        clock.now += OPEN_SECONDS
        await fails(model, ModelDown)
        clock.now += OPEN_SECONDS - 0.1
        await fails(model, ModelCircuitOpen)
        clock.now += 0.1
        await fails(model, ModelDown)
    assert len(server.requests) == FAILURES + 2


async def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next(server: OllamaServer) -> None:
    clock = Clock()
    server.reply_with(*[DOWN] * FAILURES, Reply(stall_before_headers=True))
    async with breaking(server, clock) as model:
        await fails(model, times=FAILURES)
        clock.now += OPEN_SECONDS
        probe = asyncio.create_task(read(model))
        await server.wait_stalled(1)
        probe.cancel()
        await server.wait_aborted(1)
        assert (await asyncio.gather(probe, return_exceptions=True))[0].__class__ is asyncio.CancelledError
        assert await read(model) == ANSWER


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=404), ModelNotFound),
        (Reply(status=400), ModelMisconfigured),
        (Reply(status=429), ModelUnavailable),
        (Reply(error_line_after=0), ModelUnavailable),
    ],
)
async def test_whatever_a_server_answers_closes_it_and_begins_the_count_anew(
    server: OllamaServer, reply: Reply, kind: type[FabulaError]
) -> None:
    clock = Clock()
    server.reply_with(*[DOWN] * FAILURES, reply, *[DOWN] * (FAILURES - 1), reply, *[DOWN] * (FAILURES - 1))
    async with breaking(server, clock) as model:
        await fails(model, times=FAILURES)
        clock.now += OPEN_SECONDS
        for _ in range(2):
            await fails(model, kind)
            await fails(model, times=FAILURES - 1)
        assert await read(model) == ANSWER


@asynccontextmanager
async def hanging_probe(server: OllamaServer, clock: Clock, model: BreakerModel) -> AsyncIterator[asyncio.Task[str]]:
    """The breaker is open, its first probe hangs, and as much time has passed as it stays open."""
    server.reply_with(*[DOWN] * FAILURES, Reply(content=ANSWER, stall_before_headers=True))
    await fails(model, times=FAILURES)
    clock.now += OPEN_SECONDS
    probe = asyncio.create_task(read(model))
    await server.wait_stalled(1)
    clock.now += OPEN_SECONDS - 1
    await fails(model, ModelCircuitOpen)
    clock.now += 1
    try:
        yield probe
    finally:
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)


async def test_a_probe_that_hangs_does_not_refuse_everybody_for_as_long(server: OllamaServer) -> None:
    clock = Clock()
    async with breaking(server, clock) as model, hanging_probe(server, clock, model):
        assert await read(model) == ANSWER
        assert await read(model) == ANSWER


async def test_a_probe_that_ends_late_leaves_the_place_of_the_next_alone(server: OllamaServer) -> None:
    clock = Clock()
    async with breaking(server, clock) as model, hanging_probe(server, clock, model) as first:
        server.reply_with(Reply(content=ANSWER, stall_before_headers=True))
        second = asyncio.create_task(read(model))
        await server.wait_stalled(2)
        first.cancel()
        await server.wait_aborted(1)
        await asyncio.gather(first, return_exceptions=True)
        await fails(model, ModelCircuitOpen)
        server.release()
        assert await second == ANSWER


def test_a_probe_that_fails_late_does_not_open_what_another_one_has_closed() -> None:
    clock = Clock()
    breaker = Breaker("bard", clock)

    def late() -> None:
        with breaker.call():
            clock.now += OPEN_SECONDS
            with breaker.call() as answered:
                answered()
            raise ModelDown("down")

    for _ in range(FAILURES):
        with pytest.raises(ModelDown), breaker.call():
            raise ModelDown("down")
    clock.now += OPEN_SECONDS
    with pytest.raises(ModelDown):
        late()
    with breaker.call() as answered:
        answered()


async def test_where_no_connection_is_free_nobody_has_answered_and_nothing_has_failed(server: OllamaServer) -> None:
    settings = config(server.base_url, model_connections=1, model_connect_seconds=0.05)
    server.reply_with(Reply(content=ANSWER, stall_after=1))
    server.reply_by_default(DOWN)
    async with open_ollama(settings, "llama3.2") as chat:
        model = BreakerModel(chat, Breaker(chat.name, Clock()))
        busy = asyncio.create_task(read(chat))
        await server.wait_stalled(1)
        await fails(model, ModelPoolExhausted, FAILURES + 1)
        server.release()
        await busy
        await fails(model, times=FAILURES - 1)
        server.reply_with(Reply(content=ANSWER, stall_after=1))
        busy = asyncio.create_task(read(chat))
        await server.wait_stalled(1)
        await fails(model, ModelPoolExhausted)
        server.release()
        await busy
        await fails(model)
        await fails(model, ModelCircuitOpen)


async def test_a_guard_model_stands_behind_one_too(server: OllamaServer) -> None:
    server.reply_by_default(DOWN)
    async with open_guard(config(server.base_url, guard_model="ollama:llama-guard3")) as guard:
        assert guard is not None
        assert guard.name == "ollama:llama-guard3"
        for kind in (*[ModelDown] * FAILURES, ModelCircuitOpen):
            with pytest.raises(FabulaError) as raised:
                await guard.judge("asked", "answered")
            assert type(raised.value) is kind
