"""Whatever is sent, the answer says what was wrong with it and nothing else; nothing is started, nothing is logged."""

import asyncio
import logging
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, collect
from tests.ollama_server import OllamaServer
from tests.service.rpc.lines import heard
from tests.service.rpc.raw import Refusal, refusal, tells_internals

CANARY = "canarytext"
STORY, RUN, CHILD = "fabula.story.v1.StoryService", "fabula.run.v1.RunService", "fabula.child.v1.ChildService"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def story(**fields: Any) -> story_pb2.GenerateStoryRequest:
    return story_pb2.GenerateStoryRequest(**{"child_id": "1", "theme": CANARY} | fields)


def within(data: bytes) -> bytes:
    """A CreateStoryRequest around the bytes of a GenerateStoryRequest."""
    size, length = b"", len(data)
    while length > 0x7F:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return b"\x0a" + size + bytes([length]) + data


BROKEN_FIELDS: dict[str, tuple[Message, list[str]]] = {
    "empty theme": (story(theme=""), ["theme"]),
    "blank theme": (story(theme=" \t\n "), ["theme"]),
    "a theme of 201 characters": (story(theme=CANARY.ljust(201, "x")), ["theme"]),
    "a theme of 10 MB": (story(theme=CANARY * 1_000_000), ["theme"]),
    "no child id": (story(child_id=""), ["child_id"]),
    "malformed child id": (story(child_id=f"../{CANARY}"), ["child_id"]),
    "a child id of two lines": (story(child_id="1\n"), ["child_id"]),
    "a choice without its story": (story(choice_id="1"), ["story_id"]),
    "a chapter without its story": (story(chapter_id="a"), ["story_id"]),
    "negative chapter": (story(chapter_number=-1), ["chapter_number"]),
    "chapter 101": (story(chapter_number=101), ["chapter_number"]),
    "age 2": (story(age=2), ["age"]),
    "age 13": (story(age=13), ["age"]),
    "age 0": (story(age=0), ["age"]),
    "unknown release": (story(release=99), ["release"]),
    "negative release": (story(release=-1), ["release"]),
    "unknown on_disconnect": (story(on_disconnect=99), ["on_disconnect"]),
    "a request id with a blank": (story(request_id=f"{CANARY} two"), ["request_id"]),
    "a request id beyond ASCII": (story(request_id=f"{CANARY}é"), ["request_id"]),
    "a request id of 129 characters": (story(request_id=CANARY.ljust(129, "x")), ["request_id"]),
    "a turn of 501 characters": (story(custom_user_input=CANARY.ljust(501, "x")), ["custom_user_input"]),
    "an empty turn": (story(custom_user_input=""), ["custom_user_input"]),
    "an empty choice": (story(story_id="a", choice_id=""), ["choice_id"]),
    "a title of 121 characters": (story(title=CANARY.ljust(121, "x")), ["title"]),
    "malformed story id": (story(story_id=f"{CANARY}/.."), ["story_id"]),
    "malformed chapter id": (story(story_id="a", chapter_id=f"{CANARY}?"), ["chapter_id"]),
    "several faults": (
        story(theme="", child_id="?", age=2, chapter_number=-3, release=77, request_id=" ", custom_user_input=""),
        ["theme", "child_id", "age", "chapter_number", "release", "request_id", "custom_user_input"],
    ),
}

NO_MESSAGE: dict[str, bytes] = {
    "wrong UTF-8": b"\x0a\x011\x12\x0c\xff\xfe" + CANARY.encode(),
    "a surrogate in UTF-8": b"\x0a\x011\x12\x0d\xed\xa0\x80" + CANARY.encode(),
    "truncated": story().SerializeToString()[:-1],
    "garbage": b"\xff\xff\xff\xff" + CANARY.encode(),
    "another kind of text": f'{{"theme": "{CANARY}"}}'.encode(),
    "a tag alone": b"\x12",
}


async def refused(serve: Serve, ollama: OllamaServer, method: str, request: Message | bytes) -> Refusal:
    """The refusal of this call, after which nothing is left of it but one line in the log, without its text."""
    with heard() as lines:
        async with serve() as served, asyncio.timeout(WITHIN):
            answer = await refusal(served.channel, method, request)
            await lines.wait(lambda: bool(lines.of("rpc")))
            runs = [run async for run in served.client.list_runs()]
    assert ollama.requests == []
    assert runs == []
    line = lines.of("rpc")[0]
    assert (line["method"], line["code"]) == (f"/{method}", answer.code.name)
    assert not lines.of("rpc_fault")
    assert CANARY not in f"{answer.everything} {lines.all}"
    assert not answer.tells_internals()
    assert not tells_internals(str([line for line in lines.all if line["event"] != "serving"]))
    return answer


@pytest.mark.parametrize(("request_", "fields"), BROKEN_FIELDS.values(), ids=BROKEN_FIELDS)
@pytest.mark.parametrize(("method", "prefix"), [("GenerateStory", ""), ("CreateStory", "story.")])
async def test_every_broken_constraint_of_a_story_is_named(
    serve: Serve, ollama: OllamaServer, request_: Message, fields: list[str], method: str, prefix: str
) -> None:
    data = request_.SerializeToString()
    answer = await refused(serve, ollama, f"{STORY}/{method}", within(data) if prefix else data)
    assert (answer.code, answer.reason) == (INVALID, "VALIDATION_FAILED")
    assert set(answer.violations) == {prefix + field for field in fields}
    assert all(answer.violations.values())
    assert all(prefix + field in answer.message for field in fields)


@pytest.mark.parametrize("data", NO_MESSAGE.values(), ids=NO_MESSAGE)
@pytest.mark.parametrize("method", ["GenerateStory", "CreateStory", "WatchStory"])
async def test_bytes_that_are_not_the_message_are_refused_as_such(
    serve: Serve, ollama: OllamaServer, data: bytes, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = within(data) if method == "CreateStory" else data
    if method == "WatchStory" and data.startswith(b"\x0a"):
        data = b"\x0a\x0c\xff\xfe" + CANARY.encode()
    with caplog.at_level(logging.WARNING):
        answer = await refused(serve, ollama, f"{STORY}/{method}", data)
    assert (answer.code, answer.reason) == (INVALID, "MALFORMED_REQUEST")
    assert caplog.records == []


NOT_FOUND = grpc.StatusCode.NOT_FOUND
TOKEN = "PAGE_TOKEN_INVALID"  # noqa: S105 -- the name of a reason

OTHERS: dict[str, tuple[str, Message, grpc.StatusCode, str, list[str]]] = {
    "unknown child": (f"{STORY}/GenerateStory", story(child_id=CANARY), NOT_FOUND, "CHILD_NOT_FOUND", []),
    "unknown story": (f"{STORY}/GenerateStory", story(story_id=CANARY), NOT_FOUND, "STORY_NOT_FOUND", []),
    "a choice of an unknown story": (
        f"{STORY}/GenerateStory",
        story(theme="", story_id=CANARY, choice_id="1"),
        NOT_FOUND,
        "STORY_NOT_FOUND",
        [],
    ),
    "no story to create": (
        f"{STORY}/CreateStory",
        story_pb2.CreateStoryRequest(),
        INVALID,
        "VALIDATION_FAILED",
        ["story"],
    ),
    "unknown run to watch": (
        f"{STORY}/WatchStory",
        story_pb2.WatchStoryRequest(run_id=CANARY),
        NOT_FOUND,
        "RUN_NOT_FOUND",
        [],
    ),
    "negative cursor": (
        f"{STORY}/WatchStory",
        story_pb2.WatchStoryRequest(run_id="a", after_sequence=-1),
        INVALID,
        "VALIDATION_FAILED",
        ["after_sequence"],
    ),
    "no run to watch": (
        f"{STORY}/WatchStory",
        story_pb2.WatchStoryRequest(),
        INVALID,
        "VALIDATION_FAILED",
        ["run_id"],
    ),
    "unknown run": (f"{RUN}/GetRun", run_pb2.GetRunRequest(run_id=CANARY), NOT_FOUND, "RUN_NOT_FOUND", []),
    "malformed run id": (
        f"{RUN}/GetRun",
        run_pb2.GetRunRequest(run_id=f"{CANARY}'; --"),
        INVALID,
        "VALIDATION_FAILED",
        ["run_id"],
    ),
    "unknown run to cancel": (
        f"{RUN}/CancelRun",
        run_pb2.CancelRunRequest(run_id=CANARY),
        NOT_FOUND,
        "RUN_NOT_FOUND",
        [],
    ),
    "unknown run to pause": (
        f"{RUN}/PauseRun",
        run_pb2.PauseRunRequest(run_id=CANARY),
        NOT_FOUND,
        "RUN_NOT_FOUND",
        [],
    ),
    "no run to pause": (f"{RUN}/PauseRun", run_pb2.PauseRunRequest(), INVALID, "VALIDATION_FAILED", ["run_id"]),
    "no run to continue": (
        f"{RUN}/ContinueRun",
        run_pb2.ContinueRunRequest(),
        INVALID,
        "VALIDATION_FAILED",
        ["run_id"],
    ),
    "bad page": (
        f"{RUN}/ListRuns",
        run_pb2.ListRunsRequest(page_size=201, state=42, child_id="?"),  # type: ignore[arg-type]  # unknown state
        INVALID,
        "VALIDATION_FAILED",
        ["page_size", "state", "child_id"],
    ),
    "negative page": (
        f"{RUN}/ListRuns",
        run_pb2.ListRunsRequest(page_size=-1),
        INVALID,
        "VALIDATION_FAILED",
        ["page_size"],
    ),
    "a token of 513 characters": (
        f"{RUN}/ListRuns",
        run_pb2.ListRunsRequest(page_token=CANARY.ljust(513, "A")),
        INVALID,
        "VALIDATION_FAILED",
        ["page_token"],
    ),
    "a token that is none": (f"{RUN}/ListRuns", run_pb2.ListRunsRequest(page_token=CANARY), INVALID, TOKEN, []),
    "a token beyond ASCII": (f"{RUN}/ListRuns", run_pb2.ListRunsRequest(page_token="é" * 40), INVALID, TOKEN, []),
    "a token with a foreign seal": (
        f"{RUN}/ListRuns",
        run_pb2.ListRunsRequest(page_token="QUJD" * 20),
        INVALID,
        TOKEN,
        [],
    ),
}


@pytest.mark.parametrize(("method", "request_", "code", "reason", "fields"), OTHERS.values(), ids=OTHERS)
async def test_what_does_not_exist_or_cant_be_is_refused_with_its_reason(
    serve: Serve,
    ollama: OllamaServer,
    method: str,
    request_: Message,
    code: grpc.StatusCode,
    reason: str,
    fields: list[str],
) -> None:
    answer = await refused(serve, ollama, method, request_)
    assert (answer.code, answer.reason) == (code, reason)
    assert set(answer.violations) == set(fields)


async def test_a_cursor_beyond_the_end_is_out_of_range_and_says_what_can_be_served(serve: Serve) -> None:
    async with serve() as served:
        events = await collect(served.client.tell("night"))
        for after in (len(events) + 1, 2**31 - 1):
            request = story_pb2.WatchStoryRequest(run_id=events[0].run_id, after_sequence=after)
            answer = await refusal(served.channel, f"{STORY}/WatchStory", request)
            assert (answer.code, answer.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_OUT_OF_RANGE")
            assert answer.metadata == {"oldest_sequence": "1", "last_sequence": str(len(events))}


async def test_a_request_beyond_the_servers_limit_is_refused(serve: Serve, ollama: OllamaServer) -> None:
    with heard() as lines:
        async with serve() as served:
            answer = await refusal(served.channel, f"{STORY}/GenerateStory", story(theme=CANARY * 1_700_000))
            assert [run async for run in served.client.list_runs()] == []
    assert answer.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ollama.requests == []
    assert CANARY not in f"{answer.everything} {lines.all}"


@pytest.mark.parametrize("faults", [10, 100, 10_000, 1_000_000])
async def test_a_request_with_ever_so_many_faults_gets_a_short_answer(
    serve: Serve, ollama: OllamaServer, faults: int
) -> None:
    request = child_pb2.CreateChildRequest(nickname=CANARY, age=6, avoid_topics=[""] * faults)
    answer = await refused(serve, ollama, f"{CHILD}/CreateChild", request)
    assert (answer.code, answer.reason) == (INVALID, "VALIDATION_FAILED")
    assert 1 <= len(answer.violations) <= 20
    assert all(name.startswith("avoid_topics") for name in answer.violations)
