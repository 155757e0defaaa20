"""Guard models: each family's own words, from a server that speaks as Ollama does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from service.config import Config
from service.errors import ConfigError, ModelNotFound, ModelOutputInvalid, ModelTimeout, ModelUnavailable
from service.models import open_guard, open_reviewer
from service.runtime.model import GuardModel, Verdict
from tests.ollama_server import DEFAULT_MODELS, OllamaServer, Reply

GUARDS = ("shieldgemma:2b", "granite3-guardian:2b", "granite3.3-guardian:8b", "someone/llama-guard3:1b")


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer(models=(*DEFAULT_MODELS, *GUARDS)) as running:
        yield running


async def verdict(server: OllamaServer, model: str, answer: str) -> Verdict:
    server.reply_by_default(Reply(content=answer))
    async with open_guard(config(server, model)) as guard:
        assert guard is not None
        return await guard.judge("Tell a story.", "Once upon a time.")


def config(server: OllamaServer, model: str, model_idle_seconds: float = 30) -> Config:
    return Config(guard_model=f"ollama:{model}", ollama_base_url=server.base_url, model_idle_seconds=model_idle_seconds)


@pytest.mark.parametrize(
    ("model", "answer", "expected"),
    [
        ("llama-guard3", "safe", Verdict(True)),
        ("llama-guard3", "\n\nsafe \n", Verdict(True)),
        ("llama-guard3", "unsafe\nS1", Verdict(False, ("violence",))),
        ("llama-guard3", "unsafe\nS10,S11, S3", Verdict(False, ("hate", "self_harm", "sexual"))),
        ("someone/llama-guard3:1b", "unsafe\nS4,S12", Verdict(False, ("sexual",))),
        ("llama-guard3", "unsafe\nS13", Verdict(False, ("other",))),
        ("shieldgemma:2b", "No", Verdict(True)),
        ("shieldgemma:2b", "Yes", Verdict(False, ("other",))),
        ("shieldgemma:2b", "Yes.\nThe text violates the policy.", Verdict(False, ("other",))),
        ("granite3-guardian:2b", "No", Verdict(True)),
        ("granite3-guardian:2b", "Yes\n<confidence> High </confidence>", Verdict(False, ("other",))),
        ("granite3.3-guardian:8b", "<score> no </score>", Verdict(True)),
        ("granite3.3-guardian:8b", "<think>\nyes, no?\n</think>\n\n<score> yes </score>", Verdict(False, ("other",))),
    ],
)
async def test_a_verdict_is_understood(server: OllamaServer, model: str, answer: str, expected: Verdict) -> None:
    assert await verdict(server, model, answer) == expected


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("llama-guard3", "unsafe"),
        ("llama-guard3", "safe\nS1"),
        ("llama-guard3", "It seems safe."),
        ("llama-guard3", "Yes"),
        ("shieldgemma:2b", "safe"),
        ("shieldgemma:2b", "Nothing is wrong"),
        ("shieldgemma:2b", "Maybe. No"),
        ("granite3.3-guardian:8b", "<think>no"),
        ("granite3-guardian:2b", "I think no"),
    ],
)
async def test_what_is_no_verdict_is_none(server: OllamaServer, model: str, answer: str) -> None:
    with pytest.raises(ModelOutputInvalid):
        await verdict(server, model, answer)


@pytest.mark.parametrize(
    "broken",
    [
        Reply(content="safe", end_without_done=True),
        Reply(content="safe", done_reason="length"),
        Reply(content="unsafe\nS1", cut_after=1),
    ],
)
async def test_a_verdict_that_broke_off_is_none(server: OllamaServer, broken: Reply) -> None:
    server.reply_by_default(broken)
    async with open_guard(config(server, "llama-guard3")) as guard:
        assert guard is not None
        with pytest.raises((ModelUnavailable, ModelOutputInvalid)):
            await guard.judge("Tell a story.", "Once upon a time.")


async def test_the_guard_is_asked_plainly_and_coldly(server: OllamaServer) -> None:
    await verdict(server, "llama-guard3", "safe")
    (asked,) = server.requests
    assert [(each["role"], each["content"]) for each in asked.messages] == [
        ("user", "Tell a story."),
        ("assistant", "Once upon a time."),
    ]
    assert asked.options["temperature"] == 0
    assert asked.options["num_ctx"] == 8_192
    assert (asked.format, asked.think) == (None, None)


async def test_failures_come_back_typed(server: OllamaServer) -> None:
    async def judged(guard: GuardModel | None) -> None:
        assert guard is not None
        await guard.judge("a", "b")

    server.reply_with(Reply(status=500), Reply(cut_after=0), Reply(stall_after=0))
    async with AsyncExitStack() as stack:
        guard = await stack.enter_async_context(open_guard(config(server, "llama-guard3", model_idle_seconds=0.2)))
        for failure in (ModelUnavailable, ModelUnavailable, ModelTimeout):
            with pytest.raises(failure):
                await judged(guard)
        missing = await stack.enter_async_context(open_guard(config(server, "llama-guard3:70b")))
        with pytest.raises(ModelNotFound, match="ollama pull llama-guard3:70b"):
            await judged(missing)


@pytest.mark.parametrize("model", ["ollama:llama3.2", "openai:omni-moderation", "llama-guard3", "embedded:storyteller"])
async def test_a_guard_that_is_not_understood_is_refused_at_the_start(model: str) -> None:
    with pytest.raises(ConfigError, match="FABULA_GUARD_MODEL"):
        async with open_guard(Config(guard_model=model)):
            pass


async def test_without_a_name_there_is_no_guard() -> None:
    async with open_guard(Config()) as guard:
        assert guard is None


async def test_the_model_that_tells_reviews_too_at_temperature_zero(server: OllamaServer) -> None:
    settings = Config(model="ollama:llama3.2", ollama_base_url=server.base_url, model_temperature=0.9)
    async with open_reviewer(settings) as reviewer:
        assert reviewer is not None
        assert reviewer.name == "ollama:llama3.2"


async def test_another_model_may_review(server: OllamaServer) -> None:
    settings = Config(review_model="ollama:qwen3:8b", ollama_base_url=server.base_url)
    async with open_reviewer(settings) as reviewer:
        assert reviewer is not None
        assert reviewer.name == "ollama:qwen3:8b"


async def test_the_embedded_storyteller_judges_nothing() -> None:
    async with open_reviewer(Config()) as reviewer:
        assert reviewer is None
    with pytest.raises(ConfigError, match="FABULA_REVIEW_MODEL"):
        async with open_reviewer(Config(review_model="embedded:storyteller")):
            pass
