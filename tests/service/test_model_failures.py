"""The model fails: the run ends with a typed error, what was released stays readable, and nothing internal is told."""

import asyncio

import pytest

from fabula import RunFailed
from fabula.run.v1 import run_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.stories import TEXT, chapter

STORY = chapter()
BEGUN = 60
"""Chunks after which the first sentence has been released."""

FAILURES = [
    (Reply(status=404), "MODEL_NOT_FOUND", False),
    (Reply(status=500), "MODEL_UNAVAILABLE", False),
    (Reply(content=STORY, cut_after=BEGUN), "MODEL_UNAVAILABLE", True),
    (Reply(content=STORY, end_without_done=True), "MODEL_UNAVAILABLE", True),
    (Reply(content=STORY, error_line_after=BEGUN), "MODEL_UNAVAILABLE", True),
    (Reply(content=STORY, malformed_line_after=BEGUN), "MODEL_OUTPUT_INVALID", True),
    (Reply(content=STORY, stall_after=BEGUN), "MODEL_TIMEOUT", True),
    (Reply(content='{"story_content": "Once upon a time. There', done_reason="length"), "MODEL_OUTPUT_TRUNCATED", True),
    (Reply(content="I would rather not."), "MODEL_OUTPUT_INVALID", False),
    (Reply(content={"story_content": ""}), "MODEL_OUTPUT_INVALID", False),
]


@pytest.mark.parametrize(("reply", "reason", "begun"), FAILURES)
async def test_a_failing_model_ends_the_run_with_a_typed_error(
    serve: Serve, ollama: OllamaServer, reply: Reply, reason: str, begun: bool
) -> None:
    ollama.reply_by_default(reply)
    async with serve(model_idle_seconds=0.3) as served, asyncio.timeout(WITHIN):
        stream = served.client.tell("a very secret theme")
        events, error = await outcome(stream)
        await ollama.wait_for_chats(0)
        again, _ = await outcome(served.client.watch(stream.run_id))
        run = await served.client.get_run(stream.run_id)
    assert isinstance(error, RunFailed)
    assert error.reason == reason
    assert [event.WhichOneof("event") for event in events].count("error") == 1
    failed = [event.node_event.node for event in events if event.node_event.status == run_pb2.NODE_STATUS_FAILED]
    assert failed == ["generate_content", "workflow"]
    assert again == events
    assert run.state == run_pb2.RUN_STATE_FAILED
    text = standing(events)
    assert bool(text) == begun == bool(error.partial_text_id)
    assert TEXT.startswith(text) or set(text.split(". ")) == {"Once upon a time", "Once upon a time."}
    assert not any(secret in str(events[-1]) for secret in ("secret", ollama.base_url, "Traceback", "Ember"))


async def test_a_model_server_that_is_not_there_is_told_as_such(serve: Serve, ollama: OllamaServer) -> None:
    await ollama.stop()
    async with serve() as served, asyncio.timeout(WITHIN):
        _, error = await outcome(served.client.tell("night"))
    assert isinstance(error, RunFailed)
    assert error.reason == "MODEL_UNAVAILABLE"
    assert error.retryable


async def test_a_model_that_fails_while_it_rewrites_leaves_nothing_unfit(serve: Serve, ollama: OllamaServer) -> None:
    unfit = chapter(TEXT.replace("smiled", "stabbed"))
    ollama.reply_with(Reply(content=unfit), Reply(content=STORY, cut_after=BEGUN))
    async with serve() as served, asyncio.timeout(WITHIN):
        stream = served.client.tell("night")
        events, error = await outcome(stream)
        later, _ = await outcome(served.client.watch(stream.run_id))
    assert isinstance(error, RunFailed)
    assert TEXT.startswith(standing(events))
    assert standing(later) == standing(events)
    assert "stabbed" not in str(later)
