"""What a model server sends is bounded, whatever it sends: no line and no answer takes the service's memory."""

import gzip
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from service.errors import FabulaError, ModelOutputInvalid, ModelUnavailable
from service.models import open_guard, open_model
from service.models.bounds import BYTES_A_TOKEN, MAX_ERROR_BYTES, MAX_LINE_BYTES, OverlongError, bounding, retry_after
from service.runtime.model import ModelDown, TextChunk
from tests.ollama_server import OllamaServer, Reply
from tests.service.models.test_ollama import ANSWER, PROMPT, SCHEMA, config, read, saying


class Pieces(httpx.AsyncByteStream):
    """A body, piece by piece, which knows how much of it was asked for and whether it was closed."""

    def __init__(self, piece: bytes, count: int) -> None:
        self.piece, self.count, self.taken, self.closed = piece, count, 0, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            self.taken += 1
            yield self.piece

    async def aclose(self) -> None:
        self.closed = True


async def through(body: Pieces, status: int = 200, tokens: int = 10) -> bytes:
    response = httpx.Response(status, stream=body)
    try:
        await bounding(tokens)(response)
        return b"".join([piece async for piece in response.aiter_raw()])
    finally:
        await response.aclose()
        assert body.closed


async def test_a_line_without_end_is_given_up_before_it_takes_more_than_its_bound() -> None:
    body = Pieces(b"a" * 65_536, 1_024)
    with pytest.raises(OverlongError):
        await through(body)
    assert body.taken * 65_536 <= MAX_LINE_BYTES + 65_536


async def test_many_lines_are_given_up_when_they_are_more_than_the_tokens_asked_for_can_be() -> None:
    body = Pieces(b"a" * 999 + b"\n", 1_000_000)
    with pytest.raises(OverlongError):
        await through(body, tokens=100)
    assert body.taken * 1_000 <= MAX_LINE_BYTES + 100 * BYTES_A_TOKEN + 1_000


async def test_lines_within_the_bounds_pass_as_they_are() -> None:
    assert await through(Pieces(b'{"a": 1}\n{"b"', 50)) == b'{"a": 1}\n{"b"' * 50


async def test_of_an_error_no_more_is_read_than_may_explain_it() -> None:
    body = Pieces(b"a" * 10_000, 1_000)
    assert len(await through(body, status=500)) == MAX_ERROR_BYTES
    assert body.taken < 10


async def failing(base_url: str) -> FabulaError:
    async with open_model(config(base_url)) as model:
        with pytest.raises(FabulaError) as raised:
            await read(model)
    return raised.value


async def test_a_compressed_answer_is_not_unpacked() -> None:
    whole = b'{"model":"llama3.2","message":{"role":"assistant","content":"{}"},"done":true,"done_reason":"stop"}\n'
    async with saying(whole) as base_url, open_model(config(base_url)) as model:
        assert await read(model) == "{}"
    async with saying(gzip.compress(whole), b"Content-Encoding: gzip\r\n") as base_url:
        error = await failing(base_url)
    assert isinstance(error, ModelOutputInvalid)
    assert "compressed" in error.message


async def test_an_endless_error_is_still_the_error_that_its_status_says() -> None:
    async with OllamaServer(default=Reply(status=500, error="a" * 5_000_000)) as server:
        assert isinstance(await failing(server.base_url), ModelDown)


async def test_no_compressed_answer_is_asked_for() -> None:
    async with OllamaServer(default=Reply(content=ANSWER)) as server:
        async with open_model(config(server.base_url)) as model:
            await read(model)
        assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_server_that_does_not_keep_the_token_limit_is_left_at_it() -> None:
    async with (
        OllamaServer(default=Reply(content=ANSWER, endless_after=3)) as server,
        open_model(config(server.base_url, model_max_tokens=50)) as model,
    ):
        chunks = [chunk async for chunk in model.stream(PROMPT, SCHEMA)]
        await server.wait_aborted(1)
    assert len(chunks) == 50 + 1
    assert chunks[-1] == TextChunk("", truncated=True)


THINKING = {"model": "ollama:qwen3:8b", "model_reasoning": "on", "model_max_tokens": 50}


async def test_what_a_model_thinks_takes_nothing_from_its_answer() -> None:
    reply = Reply(thinking="h" * 50, content="x" * 50, chunk_chars=1)
    async with (
        OllamaServer(default=reply) as server,
        open_model(config(server.base_url, **THINKING)) as model,
    ):
        chunks = [chunk async for chunk in model.stream(PROMPT, SCHEMA)]
    assert chunks == [TextChunk("x")] * 50


async def test_what_a_model_thinks_takes_nothing_of_its_answers_bytes() -> None:
    half = "x" * (MAX_LINE_BYTES + 1_000 * BYTES_A_TOKEN - 100_000)
    reply = Reply(thinking=half, content=half, chunk_chars=50_000)
    settings = THINKING | {"model_max_tokens": 1_000 + MAX_LINE_BYTES // BYTES_A_TOKEN}
    async with OllamaServer(default=reply) as server, open_model(config(server.base_url, **settings)) as model:
        assert await read(model) == half


async def test_a_model_that_thinks_without_end_is_left_too() -> None:
    async with (
        OllamaServer(default=Reply(thinking="hm" * 50, content=ANSWER, endless_after=3)) as server,
        open_model(config(server.base_url, **THINKING)) as model,
    ):
        assert [chunk async for chunk in model.stream(PROMPT, SCHEMA)] == [TextChunk("", truncated=True)]
        await server.wait_aborted(1)


@pytest.mark.parametrize(
    "reply", [Reply(content="safe" * 999, endless_after=1, chunk_chars=999), Reply(huge_line_after=0)]
)
async def test_a_guard_model_that_never_ends_is_left(reply: Reply) -> None:
    async with OllamaServer(models=["llama-guard3"], default=reply) as server:
        async with open_guard(config(server.base_url, guard_model="ollama:llama-guard3")) as guard:
            assert guard is not None
            with pytest.raises(ModelOutputInvalid):
                await guard.judge("asked", "answered")
        await server.wait_aborted(1)


async def test_what_a_busy_server_asks_to_wait_is_known() -> None:
    async with OllamaServer(default=Reply(status=429, retry_after="7")) as server:
        error = await failing(server.base_url)
    assert type(error) is ModelUnavailable
    assert error.retry_after_seconds == 7


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert retry_after("120") == 120
    assert 3_500 < (retry_after(later) or 0) <= 3_600
    assert retry_after(format_datetime(datetime.fromtimestamp(time.time() - 60, UTC), usegmt=True)) == 0
    assert [retry_after(value) for value in ("", "soon", "-1", "1.5", "Mon, 99 Nov 2026")] == [None] * 5
