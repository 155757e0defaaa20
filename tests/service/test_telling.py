"""One story, told: the events, their order and their bytes."""

import asyncio

import pytest

from fabula import ContentRejected
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, collect, outcome, serving, standing
from tests.ollama_server import OllamaServer, Reply
from tests.stories import TEXT, UNFIT, UNFIT_PHRASE, chapter

RELEASES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]


def steps(events: list[story_pb2.StoryEvent]) -> list[str]:
    """The events in short: "node:status" for nodes, the field's name for the rest; repeated content once."""
    names: list[str] = []
    for event in events:
        kind = str(event.WhichOneof("event"))
        if kind == "node_event":
            status = run_pb2.NodeStatus.Name(event.node_event.status).removeprefix("NODE_STATUS_").lower()
            kind = f"{event.node_event.node}:{status}"
        if not (kind == "content" and names[-1:] == ["content"]):
            names.append(kind)
    return names


async def test_a_story_comes_as_typed_events_in_the_documented_order(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        events = await collect(served.client.tell("a fox who fears the dark"))
    assert steps(events) == [
        "workflow:started",
        "generate_content:started",
        "content",
        "generate_content:completed",
        "safety_check:started",
        "safety_check",
        "safety_check:completed",
        "calculate_metrics:started",
        "metadata",
        "calculate_metrics:completed",
        "workflow:completed",
        "complete",
    ]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len({event.run_id for event in events}) == 1
    progress = [event.progress_percent for event in events]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 100)
    assert all(event.HasField("emit_time") for event in events)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("chunk_chars", [1, 3, 10_000])
@pytest.mark.parametrize("ensure_ascii", [True, False])
async def test_the_chunks_are_the_story_byte_for_byte_however_the_model_cuts_it(
    serve: Serve, ollama: OllamaServer, release: run_pb2.Release.ValueType, chunk_chars: int, ensure_ascii: bool
) -> None:
    ollama.reply_with(Reply(content=chapter(), chunk_chars=chunk_chars, ensure_ascii=ensure_ascii))
    async with serve() as served:
        events = await collect(served.client.tell("night", release=release))
    contents = [event.content for event in events if event.HasField("content")]
    assert "".join(content.chunk for content in contents) == TEXT
    assert events[-1].complete.story_content == TEXT
    assert [content.is_complete for content in contents] == [False] * (len(contents) - 1) + [True]
    segments = sorted({content.segment for content in contents})
    assert segments == list(range(1, len(segments) + 1))


async def test_the_last_event_holds_the_whole_chapter(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        complete = await served.client.tell("night", chapter_number=3, title="My Own Title").result()
    assert complete.success
    assert complete.content_approved
    assert complete.safety_score == 1
    assert [(choice.id, choice.text) for choice in complete.choices] == [
        ("1", "She sings to the moon"),
        ("2", "She visits the badger"),
    ]
    assert complete.choice_question == "What does Ember do next?"
    assert list(complete.educational_elements) == ["Courage", "Night and day"]
    assert complete.estimated_reading_time >= 1
    assert (complete.chapter_number, complete.title) == (3, "My Own Title")
    assert complete.model == "ollama:llama3.2"
    assert complete.finish_reason == story_pb2.FINISH_REASON_STOP
    assert complete.story_id


async def test_a_text_is_sent_while_the_model_still_writes(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), chunk_chars=10, stall_after=12))
    async with serve() as served, served.client.tell("night") as stream:
        async with asyncio.timeout(WITHIN):
            async for event in stream:
                if event.HasField("content"):
                    break
        assert event.content.chunk == "Once there was a small fox called Ember."
        assert ollama.open_chats == 1


async def test_nothing_but_the_storys_text_is_sent_as_content(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), chunk_chars=2))
    async with serve() as served:
        events = await collect(served.client.tell("night", release=run_pb2.RELEASE_TOKEN))
    sent = "".join(event.content.chunk for event in events)
    assert sent == TEXT
    assert not any(word in sent for word in ("story_content", "choices", "badger", "{", "}"))


async def test_unfit_text_is_withdrawn_and_told_anew(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(UNFIT)), Reply(content=chapter()))
    async with serve() as served:
        live = await collect(served.client.tell("night"))
        later = await collect(served.client.watch(live[0].run_id))
    assert steps(live) == [
        "workflow:started",
        "generate_content:started",
        "content",
        "generate_content:completed",
        "safety_check:started",
        "retraction",
        "safety_check",
        "safety_check:completed",
        "enhance_content:started",
        "content",
        "enhance_content:completed",
        "safety_check:started",
        "safety_check",
        "safety_check:completed",
        "calculate_metrics:started",
        "metadata",
        "calculate_metrics:completed",
        "workflow:completed",
        "complete",
    ]
    assert UNFIT_PHRASE not in str(live)
    assert [event.safety_check.approved for event in live if event.HasField("safety_check")] == [False, True]
    assert standing(live) == standing(later) == live[-1].complete.story_content == TEXT
    assert [event.sequence for event in later] == [event.sequence for event in live]
    withdrawn = [event.content for event in later if event.content.withdrawn]
    assert withdrawn
    assert all(content.revision == 1 and not content.chunk for content in withdrawn)


async def test_the_rewrite_is_told_what_was_unfit(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(UNFIT)), Reply(content=chapter()))
    async with serve() as served:
        await served.client.tell("night").result()
    prompt = ollama.requests[1].prompt
    assert f'"issues": [{{"category": "violence", "quote": "{UNFIT_PHRASE}"}}]' in prompt


@pytest.mark.parametrize("release", RELEASES)
async def test_a_story_that_never_passes_ends_rejected_and_none_of_it_stands(
    serve: Serve, ollama: OllamaServer, release: run_pb2.Release.ValueType
) -> None:
    ollama.reply_by_default(Reply(content=chapter(UNFIT)))
    async with serve() as served:
        stream = served.client.tell("night", release=release)
        with pytest.raises(ContentRejected) as rejected:
            await stream.result()
        later, error = await outcome(served.client.watch(stream.run_id))
        run = await served.client.get_run(stream.run_id)
    assert isinstance(error, ContentRejected)
    assert not rejected.value.partial_text_id
    assert stream.text == standing(later) == ""
    assert not any(event.content.chunk for event in later)
    assert UNFIT_PHRASE not in str(later)
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert run.error.code == run_pb2.ERROR_REASON_CONTENT_REJECTED


@pytest.mark.parametrize("field", ["title", "choice_question", "choices", "educational_elements"])
async def test_unfit_words_beside_the_story_are_reviewed_too(serve: Serve, ollama: OllamaServer, field: str) -> None:
    unfit = chapter()
    unfit[field] = [UNFIT_PHRASE, "fine"] if isinstance(unfit[field], list) else UNFIT_PHRASE
    ollama.reply_with(Reply(content=unfit), Reply(content=chapter()))
    async with serve() as served:
        events = await collect(served.client.tell("night"))
    assert [event.safety_check.approved for event in events if event.HasField("safety_check")] == [False, True]
    assert UNFIT_PHRASE not in str(events)


async def test_create_story_answers_once_with_the_same_chapter(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve() as served:
        answer = await served.client.create("night")
        events = await collect(served.client.watch(answer.run_id))
    assert answer.complete == events[-1].complete
    assert answer.complete.story_content == TEXT


async def test_a_rejected_create_story_ends_with_the_status_of_the_run(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(UNFIT)))
    async with serve() as served:
        with pytest.raises(ContentRejected):
            await served.client.create("night")


async def test_the_embedded_storyteller_says_that_it_is_one() -> None:
    async with serving() as served:
        complete = await served.client.tell("a fox who fears the dark", age=6).result()
    assert complete.model == "embedded:storyteller"
    assert "fox" in complete.story_content.lower()


async def test_the_reader_hears_heartbeats_while_nothing_else_comes(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=3))
    async with serve(heartbeat_seconds=0.02) as served, served.client.tell("night", heartbeats=True) as stream:
        beats = []
        async with asyncio.timeout(WITHIN):
            async for event in stream:
                if event.HasField("heartbeat"):
                    beats.append(event.sequence)
                if len(beats) == 3:
                    ollama.release()
    assert set(beats) == {0}
    assert stream.complete is not None
    assert stream.text == TEXT
