"""A chapter that is far off its reader's level is told anew once, and no reader loses a story for it."""

import pytest

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import collect, standing
from tests.ollama_server import ChatRequest, OllamaServer, Reply
from tests.stories import APPROVAL, chapter, is_review

RELEASES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
HARD = (
    "Notwithstanding considerable meteorological uncertainty, the distinguished archaeologist Ember resolutely "
    "continued investigating extraordinarily sophisticated constellations, meticulously documenting luminosity "
    "fluctuations throughout an exceptionally exhausting astronomical observation, while simultaneously appreciating "
    "the incomprehensible magnificence of interplanetary phenomena. Unquestionably, contemporary understanding "
    "of gravitational interaction necessitated comprehensive mathematical experimentation."
)
EASY = "Ember is a fox. She sees a star. It is red. She hops and hops. The star winks at her. Now she can sleep."
DISAPPROVAL = {"approved": False, "score": 0.2, "issues": [{"category": "fear", "quote": "star"}]}


def asks_for_level(request: ChatRequest) -> bool:
    return '"for": "reading_level"' in request.prompt


def simplifies(ollama: OllamaServer, second: Reply) -> None:
    """A model that writes too hard a chapter first, and then answers so when it is asked for an easier one."""
    ollama.reply_by_default(Reply(content=chapter(HARD), chunk_chars=30))
    ollama.answer(asks_for_level, lambda _: second)


@pytest.mark.parametrize("release", RELEASES)
async def test_a_chapter_that_is_too_hard_is_told_anew_for_the_childs_level(
    serve: Serve, ollama: OllamaServer, release: run_pb2.Release.ValueType
) -> None:
    simplifies(ollama, Reply(content=chapter(EASY), chunk_chars=30))
    async with serve() as served:
        events = await collect(served.client.tell("stars", age=4, release=release))
        later = await collect(served.client.watch(events[0].run_id))
    complete = events[-1].complete
    assert standing(events) == standing(later) == complete.story_content == EASY
    assert complete.vocabulary_level == child_pb2.READING_LEVEL_BEGINNER
    reasons = [event.retraction.reason for event in events if event.HasField("retraction")]
    assert reasons == ([] if release == run_pb2.RELEASE_CHAPTER else [story_pb2.RETRACTION_REASON_READING_LEVEL])
    assert sum(event.HasField("safety_check") for event in events) == 2
    assert sum(event.HasField("metadata") for event in events) == 1
    enhanced = [event.node_event for event in events if event.node_event.node == "enhance_content"]
    assert [each.iteration for each in enhanced] == [1, 1]


async def test_until_the_easier_text_is_approved_the_first_one_stands(serve: Serve, ollama: OllamaServer) -> None:
    simplifies(ollama, Reply(content=chapter(EASY), chunk_chars=30))
    async with serve() as served:
        events = await collect(served.client.tell("stars", age=4))
    at = next(index for index, event in enumerate(events) if event.HasField("retraction"))
    assert standing(events[:at]) == HARD
    checked = [event.safety_check.revision for event in events[:at] if event.HasField("safety_check")]
    assert checked == [1, 2]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    "second",
    [
        Reply(status=500),
        Reply(content=chapter(EASY), cut_after=3),
        Reply(content="no JSON"),
        Reply(content=chapter(HARD + " Incomprehensibly.")),
        Reply(content=chapter(f"{EASY} A murder!")),
    ],
    ids=["the model fails", "breaks off", "talks nonsense", "is no easier", "is unfit"],
)
async def test_when_the_easier_text_comes_to_nothing_the_first_one_stays(
    serve: Serve, ollama: OllamaServer, second: Reply, release: run_pb2.Release.ValueType
) -> None:
    simplifies(ollama, second)
    async with serve() as served:
        events = await collect(served.client.tell("stars", age=4, release=release))
        later = await collect(served.client.watch(events[0].run_id))
    assert standing(events) == standing(later) == events[-1].complete.story_content == HARD
    assert not any(event.HasField("retraction") for event in events)
    assert events[-1].complete.content_approved
    assert "murder" not in str(events)


@pytest.mark.parametrize("verdict", [Reply(content=DISAPPROVAL), Reply(status=500)])
async def test_an_easier_text_that_is_not_approved_is_dropped(
    serve: Serve, ollama: OllamaServer, verdict: Reply
) -> None:
    simplifies(ollama, Reply(content=chapter(EASY), chunk_chars=30))
    verdicts = [Reply(content=APPROVAL), verdict]
    ollama.answer(is_review, lambda _: verdicts.pop(0))
    async with serve() as served:
        events = await collect(served.client.tell("stars", age=4))
    assert standing(events) == events[-1].complete.story_content == HARD
    assert events[-1].complete.safety_score == 1


async def test_a_run_that_has_no_time_for_another_round_keeps_its_chapter(serve: Serve, ollama: OllamaServer) -> None:
    simplifies(ollama, Reply(content=chapter(EASY), stall_after=1))
    async with serve(run_timeout_seconds=5) as served:
        events = await collect(served.client.tell("stars", age=4))
        story = await served.client.get_story(events[-1].complete.story_id)
    assert standing(events) == events[-1].complete.story_content == story.chapters[0].story_content == HARD


async def test_one_level_off_is_near_enough(serve: Serve, ollama: OllamaServer) -> None:
    simplifies(ollama, Reply(content=chapter(EASY)))
    async with serve() as served:
        events = await collect(served.client.tell("stars", age=7))
    assert events[-1].complete.story_content == HARD
    assert not any(asks_for_level(request) for request in ollama.requests)


async def test_what_is_measured_is_told(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(EASY)), Reply(content=chapter("狐は走った。月が出た。")))
    async with serve() as served:
        child = await served.client.create_child("Kim", 7, language="ja")
        known = await collect(served.client.tell("stars", age=4))
        unknown = await collect(served.client.tell("stars", child_id=child.child_id))
    easy = next(event.metadata for event in known if event.HasField("metadata"))
    other = next(event.metadata for event in unknown if event.HasField("metadata"))
    assert (easy.word_count, easy.estimated_reading_time) == (len(EASY.split()), 1)
    assert 0 <= easy.readability_grade < 3
    assert not other.HasField("readability_grade")
    assert other.word_count > 1
