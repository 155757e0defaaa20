"""What is in the contract and comes later says so, after it has looked at the request."""

import grpc
import pytest
from google.protobuf.message import Message

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.ollama_server import OllamaServer
from tests.service.rpc.test_bad_input import CANARY, CHILD, INVALID, RUN, STORY, refused

LATER: dict[str, tuple[Message, Message, list[str]]] = {
    f"{RUN}/PauseRun": (run_pb2.PauseRunRequest(run_id="a"), run_pb2.PauseRunRequest(), ["run_id"]),
    f"{RUN}/ContinueRun": (run_pb2.ContinueRunRequest(run_id="a"), run_pb2.ContinueRunRequest(), ["run_id"]),
    f"{STORY}/GetStory": (story_pb2.GetStoryRequest(story_id="a"), story_pb2.GetStoryRequest(), ["story_id"]),
    f"{STORY}/ListStories": (
        story_pb2.ListStoriesRequest(),
        story_pb2.ListStoriesRequest(page_size=-1),
        ["page_size"],
    ),
    f"{STORY}/DeleteStory": (story_pb2.DeleteStoryRequest(story_id="a"), story_pb2.DeleteStoryRequest(), ["story_id"]),
    f"{CHILD}/CreateChild": (
        child_pb2.CreateChildRequest(nickname=CANARY, age=6),
        child_pb2.CreateChildRequest(interests=[CANARY, ""]),
        ["nickname", "age", "interests[1]"],
    ),
    f"{CHILD}/GetChild": (child_pb2.GetChildRequest(child_id="1"), child_pb2.GetChildRequest(), ["child_id"]),
    f"{CHILD}/ListChildren": (
        child_pb2.ListChildrenRequest(),
        child_pb2.ListChildrenRequest(page_size=500),
        ["page_size"],
    ),
    f"{CHILD}/UpdateChild": (
        child_pb2.UpdateChildRequest(child_id="1", nickname=CANARY),
        child_pb2.UpdateChildRequest(child_id="1", avoid_topics=child_pb2.TopicList(topics=[""])),
        ["avoid_topics.topics[0]"],
    ),
    f"{CHILD}/DeleteChild": (child_pb2.DeleteChildRequest(child_id="1"), child_pb2.DeleteChildRequest(), ["child_id"]),
}


@pytest.mark.parametrize("method", LATER)
async def test_what_comes_later_says_so_after_looking_at_the_request(
    serve: Serve, ollama: OllamaServer, method: str
) -> None:
    valid, invalid, fields = LATER[method]
    answer = await refused(serve, ollama, method, valid)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
    answer = await refused(serve, ollama, method, invalid)
    assert (answer.code, answer.reason) == (INVALID, "VALIDATION_FAILED")
    assert set(answer.violations) == set(fields)
