"""A model that fails is asked again, and another one in its place, while no reader has noticed anything."""

import asyncio
from collections.abc import Callable

import pytest

from fabula import RunFailed
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.models.breaker import FAILURES
from tests.conftest import Serve
from tests.harness import WITHIN, collect, outcome, standing
from tests.ollama_server import ChatRequest, OllamaServer, Reply
from tests.stories import TEXT, approve, chapter, is_review, told

STORY = chapter()
GOOD, DOWN = Reply(content=STORY), Reply(status=500)
BEGUN = 60
OTHER = {"fallback_model": "ollama:llama3.1:8b"}
UNHEARD = [
    (run_pb2.RELEASE_TOKEN, 4),
    (run_pb2.RELEASE_SENTENCE, 10),
    (run_pb2.RELEASE_PARAGRAPH, 100),
    (run_pb2.RELEASE_CHAPTER, 1_000),
]
"""How many lines of an answer a mode of release lets come without letting anything go."""

PASSING = {
    "server error": DOWN,
    "busy": Reply(status=429),
    "busy for a moment": Reply(status=429, retry_after="0"),
    "hang before headers": Reply(stall_before_headers=True),
    "hang in mid-stream": Reply(content=STORY, stall_after=6),
    "cut off": Reply(content=STORY, cut_after=6),
    "end without done": Reply(content="", end_without_done=True),
    "error line": Reply(content=STORY, error_line_after=6),
    "malformed line": Reply(content=STORY, malformed_line_after=6),
    "line of 64 MB": Reply(content=STORY, huge_line_after=6),
    "empty answer": Reply(content=""),
    "outside the schema": Reply(content={"tale": "none"}),
}
"""Failures before the first sentence; most have text in the gate that has not left."""


def untroubled(events: list[story_pb2.StoryEvent]) -> bool:
    """Whether readers saw a story like any other."""
    failed = [each for each in events if each.node_event.status == run_pb2.NODE_STATUS_FAILED]
    contents = [event.content for event in events if event.HasField("content")]
    assert {content.revision for content in contents} == {1}
    assert [content.segment for content in contents] == sorted(content.segment for content in contents)
    assert standing(events) == events[-1].complete.story_content == TEXT
    return not failed and not any(event.HasField("retraction") for event in events)


def models(ollama: OllamaServer) -> list[str]:
    """The models that were asked for a story, one after the other."""
    return [request.model for request in told(ollama)]


def for_model(name: str, reply: Reply) -> Callable[[ChatRequest], Reply | None]:
    return lambda request: reply if request.model == name else None


@pytest.mark.parametrize("failure", PASSING)
async def test_a_failure_that_passes_before_any_text_is_never_noticed(
    serve: Serve, ollama: OllamaServer, failure: str
) -> None:
    ollama.reply_with(PASSING[failure])
    ollama.reply_by_default(GOOD)
    hangs = "hang" in failure
    async with serve(model_retries=5, model_idle_seconds=0.5 if hangs else 30) as served, asyncio.timeout(WITHIN):
        assert untroubled(await collect(served.client.tell("night")))
        await ollama.wait_for_chats(0)
    assert len(told(ollama)) == 2 or hangs  # on a machine that took half a second for this much


@pytest.mark.parametrize(("release", "lines"), UNHEARD)
async def test_an_attempt_begins_from_nothing_in_every_mode_of_release(
    serve: Serve, ollama: OllamaServer, release: run_pb2.Release.ValueType, lines: int
) -> None:
    other = chapter("Nobody is ever to read a word of this. " * 50)
    ollama.reply_with(Reply(content=other, cut_after=lines), GOOD)
    async with serve(model_retries=1) as served:
        assert untroubled(await collect(served.client.tell("night", release=release)))


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (2, 3)])
async def test_a_model_is_asked_again_as_often_as_configured(
    serve: Serve, ollama: OllamaServer, retries: int, asked: int
) -> None:
    ollama.reply_by_default(DOWN)
    async with serve(model_retries=retries) as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "MODEL_UNAVAILABLE"
    assert len(told(ollama)) == asked


@pytest.mark.parametrize(
    "reply",
    [
        Reply(content=STORY, cut_after=BEGUN),
        Reply(content=STORY, malformed_line_after=BEGUN),
        Reply(content=chapter(choices="none")),
    ],
)
async def test_nothing_is_told_twice_once_text_has_left(serve: Serve, ollama: OllamaServer, reply: Reply) -> None:
    ollama.reply_with(reply, GOOD)
    async with serve(model_retries=5, **OTHER) as served:
        events, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert len(ollama.requests) == 1
    assert standing(events) != ""
    assert TEXT.startswith(standing(events))


@pytest.mark.parametrize(
    "reply", [Reply(status=404), Reply(status=400), Reply(status=429, retry_after="3600")], ids=lambda r: r.status
)
async def test_what_does_not_pass_is_not_asked_again(serve: Serve, ollama: OllamaServer, reply: Reply) -> None:
    ollama.reply_by_default(reply)
    async with serve(model_retries=5) as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert len(ollama.requests) == 1


async def test_a_rewrite_is_asked_for_again_like_a_first_telling(serve: Serve, ollama: OllamaServer) -> None:
    unfit = chapter(TEXT.replace("smiled", "stabbed"))
    ollama.reply_with(Reply(content=unfit), Reply(content=STORY, cut_after=6), GOOD)
    async with serve(model_retries=1) as served:
        events = await collect(served.client.tell("night"))
    assert events[-1].complete.story_content == standing(events) == TEXT
    assert len(told(ollama)) == 3


async def test_a_cancel_ends_the_pause_before_a_retry(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(DOWN)
    async with serve(model_retries=5, model_retry_seconds=60) as served, asyncio.timeout(WITHIN):
        reading = asyncio.create_task(outcome(served.client.tell("night")))
        await ollama.wait_finished(1)
        [run] = [run async for run in served.client.list_runs()]
        run = await served.client.cancel_run(run.run_id)
        _, error = await reading
    assert run.state == run_pb2.RUN_STATE_CANCELLED
    assert isinstance(error, RunFailed)
    assert error.reason == "RUN_CANCELLED"
    assert len(ollama.requests) == 1


async def test_the_deadline_of_the_run_ends_the_pause_before_a_retry(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(DOWN)
    settings = {"model_retries": 5, "model_retry_seconds": 60, "run_timeout_seconds": 0.3}
    async with serve(**settings) as served, asyncio.timeout(WITHIN):
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "RUN_DEADLINE_EXCEEDED"
    assert len(ollama.requests) <= 1  # none on a machine that took 0.3 s to come as far


@pytest.mark.parametrize("reply", [DOWN, Reply(status=404), Reply(content="no"), Reply(content=STORY, cut_after=6)])
async def test_the_fallback_model_tells_what_the_model_can_not(
    serve: Serve, ollama: OllamaServer, reply: Reply
) -> None:
    ollama.respond(for_model("llama3.2", reply))
    ollama.reply_by_default(GOOD)
    async with serve(model_retries=1, **OTHER) as served:
        stream = served.client.tell("night")
        events = await collect(stream)
        run = await served.client.get_run(stream.run_id)
    assert untroubled(events)
    assert events[-1].complete.model == "ollama:llama3.1:8b"
    assert run.model == "ollama:llama3.2"
    assert models(ollama) == ["llama3.2"] * (1 if reply.status == 404 else 2) + ["llama3.1:8b"]
    # Who tells judges: the model that is down could not.
    assert [request.model for request in ollama.requests if is_review(request)] == ["llama3.1:8b"]


async def test_the_fallback_model_has_its_turn_after_one_long_silence(serve: Serve, ollama: OllamaServer) -> None:
    ollama.respond(for_model("llama3.2", Reply(stall_before_headers=True)))
    settings = {"model_retries": 5, "model_idle_seconds": 0.5, "run_timeout_seconds": 1.4, **OTHER}
    async with serve(**settings) as served, asyncio.timeout(WITHIN):
        await outcome(served.client.tell("night"))
    assert models(ollama)[:2] == ["llama3.2", "llama3.1:8b"]


async def test_a_run_stays_with_the_fallback_model(serve: Serve, ollama: OllamaServer) -> None:
    ollama.respond(for_model("llama3.2", DOWN))
    ollama.reply_by_default(Reply(content=chapter(TEXT.replace("smiled", "stabbed"))))
    async with serve(max_rewrites=1, **OTHER) as served:
        await outcome(served.client.tell("night"))
    assert models(ollama) == ["llama3.2", "llama3.1:8b", "llama3.1:8b"]


async def test_the_model_that_tells_is_the_model_of_a_story_without_trouble(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(GOOD)
    async with serve(model_retries=1, **OTHER) as served:
        events = await collect(served.client.tell("night"))
    assert events[-1].complete.model == "ollama:llama3.2"
    assert {request.model for request in ollama.requests} == {"llama3.2"}


async def test_the_embedded_storyteller_may_stand_in(serve: Serve, ollama: OllamaServer) -> None:
    await ollama.stop()
    async with serve(fallback_model="embedded:storyteller") as served:
        events = await collect(served.client.tell("night"))
    assert events[-1].complete.model == "embedded:storyteller"
    assert events[-1].complete.content_approved


async def test_the_named_reviewer_judges_the_fallback_models_texts_too(serve: Serve, ollama: OllamaServer) -> None:
    ollama.respond(for_model("llama3.2", DOWN))
    async with serve(fallback_model="embedded:storyteller", review_model="ollama:qwen3:8b") as served:
        await collect(served.client.tell("night"))
    assert [request.model for request in ollama.requests if is_review(request)] == ["qwen3:8b"]


async def test_when_both_models_fail_the_run_ends_with_the_last_failure(serve: Serve, ollama: OllamaServer) -> None:
    ollama.respond(for_model("llama3.2", Reply(status=404)))
    ollama.reply_by_default(DOWN)
    async with serve(model_retries=1, **OTHER) as served:
        events, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "MODEL_UNAVAILABLE"
    assert sum(event.HasField("error") for event in events) == 1
    assert models(ollama) == ["llama3.2", "llama3.1:8b", "llama3.1:8b"]


async def test_a_model_that_is_down_is_not_asked_while_its_breaker_is_open(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(DOWN)
    async with serve(model_retries=10) as served:
        _, error = await outcome(served.client.tell("night"))
        _, again = await outcome(served.client.tell("night"))
    for each in (error, again):
        assert isinstance(each, RunFailed)
        assert each.reason == "MODEL_UNAVAILABLE"
        assert each.retry_after is not None
    assert len(ollama.requests) == FAILURES


async def test_a_review_is_asked_for_again_while_it_has_time(serve: Serve, ollama: OllamaServer) -> None:
    replies = [DOWN, Reply(cut_after=0)]
    ollama.answer(is_review, lambda request: replies.pop() if replies else approve(request))
    ollama.reply_by_default(GOOD)
    async with serve(model_retries=2) as served:
        assert untroubled(await collect(served.client.tell("night")))


async def test_a_judge_that_is_confused_by_a_text_gets_no_second_chance(serve: Serve, ollama: OllamaServer) -> None:
    ollama.answer(is_review, lambda _: Reply(content="Yes yes."))
    ollama.reply_by_default(GOOD)
    async with serve(model_retries=5) as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "REVIEW_UNAVAILABLE"
    assert len([request for request in ollama.requests if is_review(request)]) == 1


@pytest.mark.parametrize("seconds", ["99999999999999999999", "9" * 400, "-1", "nan"])
async def test_whatever_time_a_busy_model_names_the_run_has_its_end(
    serve: Serve, ollama: OllamaServer, seconds: str
) -> None:
    ollama.reply_by_default(Reply(status=429, retry_after=seconds))
    async with serve() as served, asyncio.timeout(WITHIN):
        events, error = await outcome(served.client.tell("night"))
        run = await served.client.get_run(events[-1].run_id)
    assert isinstance(error, RunFailed)
    assert run.state == run_pb2.RUN_STATE_FAILED


async def test_a_run_asks_a_model_again_so_often_and_no_more(serve: Serve, ollama: OllamaServer) -> None:
    """However many rounds a run has: what is asked for is a chapter each time, and its rewrite fails as well."""
    answers = [Reply(content=""), GOOD, Reply(content=""), Reply(content=""), GOOD]
    ollama.reply_with(*answers)
    verdicts = [Reply(content={"approved": False, "score": 0.2, "issues": []})]
    ollama.answer(is_review, lambda asked: verdicts.pop() if verdicts else approve(asked))
    async with serve(model_retries=2, model_retry_seconds=0, max_rewrites=1) as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert len(told(ollama)) == 4
