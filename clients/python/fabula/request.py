"""From keyword arguments to a GenerateStoryRequest."""

import uuid
from typing import Any, TypedDict

from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import GenerateStoryRequest


class StoryOptions(TypedDict, total=False):
    """What `tell` and `create` take beside the theme; the bounds are those of fabula.story.v1.GenerateStoryRequest.

    child_id: the child to whom the story is told; "1" by default.
    age: the reader's age in years, 3 to 12; absent or None: the child's.
    chapter_number: 1 to 100; 0, the default, means 1, or the one that comes next.
    title: at most 120 characters; empty: the model finds one.
    story_id: the story to continue; empty: a new one.
    chapter_id: the chapter to continue; empty: the newest of the story.
    choice_id, custom_user_input: the reader's turn, one of the two at most.
    planned_chapters: after how many chapters a new tale ends, 1 to 100; 0, the default, leaves it to the service.
    request_id: 1 to 128 visible ASCII characters; a fresh UUID by default.
    release: how soon checked text leaves; sentence by sentence by default.
    on_disconnect: what becomes of the run when nobody watches it; lingers by default.
    """

    child_id: str
    age: int | None
    chapter_number: int
    title: str
    story_id: str
    chapter_id: str
    choice_id: str | None
    custom_user_input: str | None
    planned_chapters: int
    request_id: str | None
    release: "run_pb2.Release.ValueType"
    on_disconnect: "run_pb2.OnDisconnect.ValueType"


def build_request(theme: str, options: StoryOptions) -> GenerateStoryRequest:
    """The request of these options. ValueError when both choice_id and custom_user_input are given."""
    # Of a oneof the last one set would silently win.
    if options.get("choice_id") is not None and options.get("custom_user_input") is not None:
        raise ValueError("choice_id and custom_user_input are one turn: give one of them")
    fields: dict[str, Any] = {"child_id": "1", **options}
    return repeatable(GenerateStoryRequest(theme=theme, **fields))


def repeatable(request: GenerateStoryRequest) -> GenerateStoryRequest:
    """A copy with a request_id, so that a call which broke before its first event can be made again."""
    copy = GenerateStoryRequest()
    copy.CopyFrom(request)
    copy.request_id = request.request_id or str(uuid.uuid4())
    return copy
