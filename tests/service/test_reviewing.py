"""The review of a whole chapter by models: what they say counts, and what they fail to say approves nothing."""

import asyncio
from typing import Any

import pytest

from fabula import RunFailed
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, collect, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.stories import APPROVAL, TEXT, chapter, is_review

RELEASES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
BETTER = TEXT.replace("Nobody does", "The night does")
CANCEL = run_pb2.ON_DISCONNECT_CANCEL
HARSH = {"approved": False, "score": 0.3, "issues": [{"category": "fear", "quote": "Nobody does, little one."}]}

FAILURES = {
    "hangs": Reply(stall_before_headers=True),
    "falls silent": Reply(content="{", stall_after=0),
    "answers 500": Reply(status=500),
    "is not there": Reply(status=404),
    "breaks off": Reply(content=HARSH, cut_after=1),
    "ends without done": Reply(content=HARSH, end_without_done=True),
    "answers in words": Reply(content="It is fine, I approve."),
    "answers with another object": Reply(content={"approved": "yes"}),
    "answers nothing": Reply(content=""),
    "approves with a score of nothing": Reply(content={"approved": True, "score": None, "issues": []}),
}


async def test_what_the_model_finds_is_withdrawn_and_told_anew(serve: Serve, ollama: OllamaServer) -> None:
    verdicts = [Reply(content=HARSH), Reply(content={"approved": True, "score": 0.9, "issues": []})]
    ollama.answer(is_review, lambda _: verdicts.pop(0))
    ollama.reply_with(Reply(content=chapter()), Reply(content=chapter(BETTER)))
    async with serve() as served:
        events = await collect(served.client.tell("night"))
    checks = [event.safety_check for event in events if event.HasField("safety_check")]
    assert [(each.approved, round(each.score, 2), each.revision) for each in checks] == [
        (False, 0.3, 1),
        (True, 0.9, 2),
    ]
    assert [(each.category, each.segment) for each in checks[0].issues] == [("fear", 5)]
    assert "Nobody" not in str(checks)
    assert standing(events) == events[-1].complete.story_content == BETTER
    assert round(events[-1].complete.safety_score, 2) == 0.9
    assert '"quote": "Nobody does, little one."' in ollama.requests[2].prompt


@pytest.mark.parametrize("release", RELEASES)
async def test_a_text_that_the_model_never_approves_is_rejected_and_nothing_is_stored(
    serve: Serve, ollama: OllamaServer, release: run_pb2.Release.ValueType
) -> None:
    ollama.answer(is_review, lambda _: Reply(content=HARSH))
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(max_rewrites=2) as served:
        stream = served.client.tell("night", release=release)
        events, error = await outcome(stream)
        later, _ = await outcome(served.client.watch(stream.run_id))
        assert [each async for each in served.client.list_stories()] == []
    assert isinstance(error, RunFailed)
    assert error.reason == "CONTENT_REJECTED"
    assert standing(events) == standing(later) == ""
    assert not any(event.content.chunk for event in later)
    assert sum(event.HasField("safety_check") for event in events) == 3
    if release == run_pb2.RELEASE_CHAPTER:
        assert not any(event.HasField("content") for event in events)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_reviewer_that_fails_approves_nothing_and_leaves_nothing_standing(
    serve: Serve, ollama: OllamaServer, failure: str, release: run_pb2.Release.ValueType
) -> None:
    ollama.answer(is_review, lambda _: FAILURES[failure])
    ollama.reply_by_default(Reply(content=chapter(), chunk_chars=40))
    async with serve(review_timeout_seconds=0.2, model_idle_seconds=30) as served:
        stream = served.client.tell("night", release=release)
        events, error = await outcome(stream)
        later, same = await outcome(served.client.watch(stream.run_id))
    assert isinstance(error, RunFailed)
    assert (error.reason, error.retryable, error.partial_text_id) == ("REVIEW_UNAVAILABLE", True, "")
    assert isinstance(same, RunFailed)
    assert standing(events) == standing(later) == ""
    assert not any(event.content.chunk for event in later)
    assert not any(event.HasField("safety_check") for event in events)
    if release == run_pb2.RELEASE_CHAPTER:
        assert not any(event.HasField("content") for event in events)


@pytest.mark.parametrize("release", RELEASES)
async def test_nothing_unfit_stands_in_an_answer_that_was_cut_short_and_finished(
    serve: Serve, ollama: OllamaServer, release: run_pb2.Release.ValueType
) -> None:
    cut = Reply(content='{"story_content": "A fox slept.\\n\\nThere was a murder here! And ', done_reason="length")
    ollama.reply_with(cut, Reply(content=chapter(" Then all was well.")), Reply(content=chapter()))
    async with serve() as served:
        events = await collect(served.client.tell("night", release=release))
    assert standing(events) == events[-1].complete.story_content
    assert standing(events) in (TEXT, "A fox slept. Then all was well.")
    assert "murder" not in str(events)


async def test_what_is_not_approved_is_withdrawn_before_it_is_said(serve: Serve, ollama: OllamaServer) -> None:
    ollama.answer(is_review, lambda _: Reply(content=HARSH))
    ollama.reply_with(Reply(content=chapter()), Reply(content=chapter(), stall_after=1))
    async with serve() as served, served.client.tell("night", on_disconnect=CANCEL) as stream:
        async for event in stream:
            if event.HasField("safety_check"):
                break
        await served.client.cancel_run(stream.run_id)
        later, _ = await outcome(served.client.watch(stream.run_id))
    assert stream.text == standing(later) == ""


@pytest.mark.parametrize("hanging", ["review", "guard"])
async def test_a_stop_closes_the_connections_to_all_who_review(
    serve: Serve, ollama: OllamaServer, hanging: str
) -> None:
    stalled = Reply(stall_before_headers=True)
    settings = guarded("safe", ollama)
    kind = is_review if hanging == "review" else (lambda request: "guard" in request.model)
    ollama.answer(kind, lambda _: stalled)
    async with serve(**settings) as served, asyncio.timeout(WITHIN):
        stream = served.client.tell("night")
        reading = asyncio.create_task(outcome(stream))
        await ollama.wait_stalled(1)
        run = await served.client.cancel_run(stream.run_id)
        await ollama.wait_for_chats(0)
        _, error = await reading
    assert run.state == run_pb2.RUN_STATE_CANCELLED
    assert isinstance(error, RunFailed)
    assert error.reason == "RUN_CANCELLED"


async def test_another_model_reviews_when_one_is_named(serve: Serve, ollama: OllamaServer) -> None:
    async with serve(review_model="ollama:qwen3:8b") as served:
        await served.client.tell("night").result()
    assert [(each.model, is_review(each)) for each in ollama.requests] == [("llama3.2", False), ("qwen3:8b", True)]
    assert ollama.requests[1].options["temperature"] == 0


def guarded(answer: str, ollama: OllamaServer) -> dict[str, Any]:
    ollama.answer(lambda request: "guard" in request.model, lambda _: Reply(content=answer))
    return {"guard_model": "ollama:llama-guard3"}


async def test_a_guard_model_has_a_say_of_its_own(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**guarded("safe", ollama)) as served:
        events = await collect(served.client.tell("night"))
        assert events[-1].complete.content_approved
    async with serve(**guarded("unsafe\nS11", ollama)) as served:
        events, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "CONTENT_REJECTED"
    (issue,) = next(event.safety_check.issues for event in events if event.HasField("safety_check"))
    assert (issue.category, issue.segment) == ("self_harm", 0)


@pytest.mark.parametrize("answer", ["I am not sure.", "", "unsafe"])
async def test_a_guard_model_that_answers_nonsense_approves_nothing(
    serve: Serve, ollama: OllamaServer, answer: str
) -> None:
    async with serve(**guarded(answer, ollama)) as served:
        _, error = await outcome(served.client.tell("night", release=run_pb2.RELEASE_CHAPTER))
    assert isinstance(error, RunFailed)
    assert error.reason == "REVIEW_UNAVAILABLE"


async def test_every_reader_of_a_retracted_story_ends_up_with_the_standing_text(
    serve: Serve, ollama: OllamaServer
) -> None:
    verdicts = [Reply(content=HARSH), Reply(content={"approved": True, "score": 1.0, "issues": []})] * 2
    ollama.answer(is_review, lambda _: verdicts.pop(0))
    ollama.reply_with(*[Reply(content=chapter()), Reply(content=chapter(BETTER))] * 2)
    async with serve() as served:
        live = await collect(served.client.tell("night"))
        late = await collect(served.client.watch(live[0].run_id))
        middle = len(live) // 2
        resumed = live[:middle] + await collect(served.client.watch(live[0].run_id, middle))
        created = await served.client.create("night")
        story = await served.client.get_story(live[-1].complete.story_id)
    assert standing(live) == standing(late) == standing(resumed) == BETTER
    assert created.complete.story_content == story.chapters[0].story_content == BETTER
    retracted = next(event.sequence for event in late if event.HasField("retraction"))
    assert not any(event.content.chunk for event in late if event.sequence < retracted)
    assert isinstance(live[-1], story_pb2.StoryEvent)


@pytest.mark.parametrize(
    "broken",
    [
        Reply(content=HARSH, cut_after=14),
        Reply(content=HARSH, error_line_after=14),
        Reply(content=HARSH, end_without_done=True),
    ],
)
async def test_a_judge_that_broke_off_is_not_asked_for_a_kinder_word(
    serve: Serve, ollama: OllamaServer, broken: Reply
) -> None:
    verdicts = [broken]
    ollama.answer(is_review, lambda _: verdicts.pop() if verdicts else Reply(content=APPROVAL))
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(model_retries=2, model_retry_seconds=0) as served:
        events, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "REVIEW_UNAVAILABLE"
    assert standing(events) == ""


async def test_a_guard_that_broke_off_is_not_asked_for_a_kinder_word(serve: Serve, ollama: OllamaServer) -> None:
    settings = guarded("safe", ollama)
    verdicts = [Reply(content="unsafe\nS1", chunk_chars=3, cut_after=2)]
    ollama.answer(lambda asked: "guard" in asked.model, lambda _: verdicts.pop() if verdicts else Reply(content="safe"))
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**settings, model_retries=2, model_retry_seconds=0) as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "REVIEW_UNAVAILABLE"


async def test_what_later_chapters_are_told_from_is_judged_as_well(serve: Serve, ollama: OllamaServer) -> None:
    bible = {"characters": [{"name": "Ember", "about": "a fox"}], "places": ["the old oak"], "open_threads": ["gloom"]}
    settings = guarded("safe", ollama)
    judged = {"approved": False, "score": 0.2, "issues": [{"category": "fear", "quote": "gloom"}]}
    ollama.answer(is_review, lambda asked: Reply(content=judged if "gloom" in asked.prompt else APPROVAL))
    ollama.reply_by_default(Reply(content=chapter(bible=bible)))
    async with serve(**settings, max_rewrites=0) as served:
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "CONTENT_REJECTED"
    (guarding,) = [request for request in ollama.requests if "guard" in request.model]
    assert "Ember: a fox" in str(guarding.messages)
    assert "gloom" in str(guarding.messages)
