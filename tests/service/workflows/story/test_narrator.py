"""The narrator: what of a story reaches the reader, as which events; and what is said of its nodes."""

import asyncio
from collections.abc import Sequence

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import ContentRejected, Internal, StoreUnavailable
from service.runtime.ports import Emitter
from service.safety.screen import Screen
from service.workflows.story.narrator import Narrator
from service.workflows.story.observed import observed
from tests.service.safety.chunks import cuttings

SCREEN = Screen({"violence": ["murder", "stabbed", "gore", "gory", "to death"], "self_harm": ["suicide"]})
MODES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
SAFETY = story_pb2.RETRACTION_REASON_SAFETY
STORY = "Once there was a fox. It slept!\n\n“Wake up,” said Mr. Owl. And so it did, for the sun was high."
_STORIES = st.one_of(
    st.text(st.sampled_from(".!?… \n\n\"'”aBé狐。🦊1-"), min_size=1, max_size=40),
    st.lists(st.sampled_from(["The fox ran. ", "Mr. ", "Owl slept", "!", "\n\n", "“Oh…” "]), min_size=1).map("".join),
)


class Told:
    """An Emitter that keeps what it is told; it is out of order after `limit` events."""

    run_id = "run"

    def __init__(self, limit: int = 1_000) -> None:
        self.events: list[tuple[Message, int]] = []
        self._limit = limit

    async def emit(self, body: Message, progress_percent: int = 0) -> None:
        if len(self.events) >= self._limit:
            raise StoreUnavailable("The log can't be written.")
        await asyncio.sleep(0)
        self.events.append((body, progress_percent))

    @property
    def contents(self) -> list[story_pb2.Content]:
        return [body for body, _ in self.events if isinstance(body, story_pb2.Content)]

    @property
    def text(self) -> str:
        return "".join(each.chunk for each in self.contents)

    @property
    def retractions(self) -> list[story_pb2.Retraction]:
        return [body for body, _ in self.events if isinstance(body, story_pb2.Retraction)]


async def _narrate(narrator: Narrator, chunks: Sequence[str]) -> None:
    narrator.begin_revision()
    for chunk in chunks:
        await narrator.hear(chunk, 10)
    await narrator.end_text(20)


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=100)
@given(story=_STORIES, data=st.data())
def test_a_revision_is_complete_exactly_once_with_its_last_chunk(
    mode: "run_pb2.Release.ValueType", story: str, data: st.DataObject
) -> None:
    told = Told()
    chunks = data.draw(cuttings(story))

    async def tell() -> None:
        narrator = Narrator(told, SCREEN, mode)
        await _narrate(narrator, chunks)
        await narrator.approve(story, 30)

    asyncio.run(tell())
    assert told.text == story
    assert [each.is_complete for each in told.contents] == [False] * (len(told.contents) - 1) + [True]
    assert {each.revision for each in told.contents} == {1}
    assert all(each.chunk and not each.withdrawn for each in told.contents)


@pytest.mark.parametrize("mode", MODES)
async def test_each_revision_counts_its_segments_anew_and_is_complete_once(mode: "run_pb2.Release.ValueType") -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, mode)
    for revision in (1, 2, 3):
        await _narrate(narrator, [STORY])
        assert narrator.revision == revision
        if revision < 3:
            await narrator.retract(SAFETY, 40)
    await narrator.approve(STORY, 50)
    for revision in {each.revision for each in told.contents}:
        own = [each for each in told.contents if each.revision == revision]
        assert "".join(each.chunk for each in own) == STORY
        assert own[0].segment == 1
        assert [each.is_complete for each in own] == [False] * (len(own) - 1) + [True]


@pytest.mark.parametrize("mode", MODES)
async def test_a_blocked_revision_is_never_complete(mode: "run_pb2.Release.ValueType") -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, mode)
    text = "Once there was a fox. It slept.\n\nThen a murder happened. It woke."
    await _narrate(narrator, [text])
    assert not any(each.is_complete for each in told.contents)
    assert "Then a murder happened".startswith(told.text.removeprefix("Once there was a fox. It slept.").strip() or "T")
    with pytest.raises(Internal):
        await narrator.approve(text, 30)


async def test_a_retraction_withdraws_everything_and_names_the_revision_to_come() -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, run_pb2.RELEASE_SENTENCE)
    await _narrate(narrator, [STORY])
    await narrator.retract(SAFETY, 40)
    assert told.retractions == [story_pb2.Retraction(from_segment=1, revision=2, reason=SAFETY)]
    await narrator.retract(SAFETY, 40)
    assert len(told.retractions) == 1


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (run_pb2.RELEASE_CHAPTER, STORY),
        (run_pb2.RELEASE_SENTENCE, "A murder happened. Then all was well."),
        (run_pb2.RELEASE_TOKEN, "Murder! And on and on and on and on."),
        (run_pb2.RELEASE_PARAGRAPH, "All was well. A murder happened.\n\nThen all was well."),
    ],
)
async def test_there_is_nothing_to_retract_when_nothing_was_released(
    mode: "run_pb2.Release.ValueType", text: str
) -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, mode)
    await _narrate(narrator, [text])
    await narrator.retract(SAFETY, 40)
    assert told.events == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("approved", ["", STORY[:-1], STORY + " ", STORY.replace("fox", "Fox")])
async def test_only_the_text_that_was_released_can_be_approved(
    mode: "run_pb2.Release.ValueType", approved: str
) -> None:
    narrator = Narrator(Told(), SCREEN, mode)
    await _narrate(narrator, [STORY])
    with pytest.raises(Internal):
        await narrator.approve(approved, 30)


async def test_each_chunk_bears_the_progress_of_its_moment() -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, run_pb2.RELEASE_SENTENCE)
    await _narrate(narrator, [STORY])
    assert [progress for _, progress in told.events] == [10] * (len(told.events) - 1) + [20]


def _nodes(told: Told) -> list["run_pb2.NodeStatus.ValueType"]:
    return [body.status for body, _ in told.events if isinstance(body, run_pb2.NodeEvent)]


async def test_a_node_is_started_and_then_completed() -> None:
    told = Told()
    async with observed(told, "write", 2, 60):
        assert _nodes(told) == [run_pb2.NODE_STATUS_STARTED]
    expected = run_pb2.NodeEvent(node="write", status=run_pb2.NODE_STATUS_COMPLETED, iteration=2)
    assert told.events[1:] == [(expected, 60)]


async def test_a_node_that_raises_has_failed_and_its_error_goes_on() -> None:
    told = Told()
    with pytest.raises(ContentRejected):
        async with observed(told, "write", 1, 60):
            raise ContentRejected("No.")
    assert _nodes(told) == [run_pb2.NODE_STATUS_STARTED, run_pb2.NODE_STATUS_FAILED]


async def test_a_cancelled_node_says_nothing_more() -> None:
    told = Told()
    with pytest.raises(asyncio.CancelledError):
        async with observed(told, "write", 1, 60):
            raise asyncio.CancelledError
    assert _nodes(told) == [run_pb2.NODE_STATUS_STARTED]


async def test_the_error_of_a_node_survives_a_log_that_cannot_be_written() -> None:
    told: Emitter = Told(limit=1)
    with pytest.raises(ContentRejected):
        async with observed(told, "write", 1, 60):
            raise ContentRejected("No.")


@pytest.mark.parametrize("mode", MODES)
async def test_an_alternative_takes_the_place_of_what_stands_only_once_it_is_approved(
    mode: "run_pb2.Release.ValueType",
) -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, mode)
    await _narrate(narrator, [STORY])
    before = len(told.events)
    narrator.begin_alternative()
    assert narrator.revision == 2
    await narrator.hear("A fox slept. It woke.", 80)
    await narrator.end_text(85)
    assert len(told.events) == before
    await narrator.approve("A fox slept. It woke.", 90)
    released = mode != run_pb2.RELEASE_CHAPTER
    assert [(each.from_segment, each.revision, each.reason) for each in told.retractions] == (
        [(1, 2, story_pb2.RETRACTION_REASON_READING_LEVEL)] if released else []
    )
    second = [each for each in told.contents if each.revision == 2]
    assert "".join(each.chunk for each in second) == "A fox slept. It woke."
    assert [each.is_complete for each in second] == [False] * (len(second) - 1) + [True]
    assert mode != run_pb2.RELEASE_PARAGRAPH or len(second) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_dropped_alternative_leaves_no_trace(mode: "run_pb2.Release.ValueType") -> None:
    told = Told()
    narrator = Narrator(told, SCREEN, mode)
    await _narrate(narrator, [STORY])
    narrator.begin_alternative()
    await narrator.hear("A murder happened", 80)
    narrator.drop_alternative()
    await narrator.approve(STORY, 90)
    assert (narrator.revision, told.text, told.retractions) == (1, STORY, [])
    assert [each.is_complete for each in told.contents][-1]
