"""Path, query and body to messages by google.api.http's rules; what can't be taken is told by its name."""

import contextlib
from typing import Any

import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.gateway.refusals import Refused
from service.gateway.routes import Route, RouteTable
from service.gateway.services import SERVICES
from service.gateway.transcoding import transcode

TABLE = RouteTable(SERVICES)


def route(method: str, path: str) -> tuple[Route, Any]:
    return TABLE.match(path)[method]


def asked(method: str, path: str, query: dict[str, str] | list[tuple[str, str]] | None = None, body: Any = None) -> Any:
    found, fields = route(method, path)
    pairs = list(query.items()) if isinstance(query, dict) else query or []
    return transcode(found, fields, pairs, body)


def faults(method: str, path: str, query: Any = None, body: Any = None) -> dict[str, str]:
    with pytest.raises(Refused) as raised:
        asked(method, path, query, body)
    assert raised.value.http_status == 400
    named = error_details_pb2.BadRequest()
    assert raised.value.status.details[1].Unpack(named)
    found = {each.field: each.description for each in named.field_violations}
    assert raised.value.status.message == "; ".join(f"{field}: {words}" for field, words in found.items())
    return found


STREAM = "/api/v1/stories/generate/stream"


def test_the_query_fills_fields_in_either_spelling() -> None:
    query = {"child_id": "1", "theme": "a fox & more", "chapterNumber": "2", "onDisconnect": "cancel", "age": "7"}
    assert asked("GET", STREAM, query) == story_pb2.GenerateStoryRequest(
        child_id="1",
        theme="a fox & more",
        chapter_number=2,
        on_disconnect=run_pb2.ON_DISCONNECT_CANCEL,
        age=7,
    )


@pytest.mark.parametrize("text", ["sentence", "SENTENCE", "RELEASE_SENTENCE", "release_sentence", "1"])
def test_an_enum_is_taken_in_each_form(text: str) -> None:
    assert asked("GET", STREAM, {"release": text}).release == run_pb2.RELEASE_SENTENCE
    assert asked("POST", STREAM, body={"release": text}).release == run_pb2.RELEASE_SENTENCE


def test_an_enum_is_taken_as_a_number_of_json() -> None:
    assert asked("POST", STREAM, body={"release": 4}).release == run_pb2.RELEASE_TOKEN


def test_path_query_and_body_each_fill_their_part() -> None:
    story = asked("POST", "/api/v1/stories", body={"childId": "1", "theme": "night", "choice_id": "c1"})
    assert story == story_pb2.CreateStoryRequest(
        story=story_pb2.GenerateStoryRequest(child_id="1", theme="night", choice_id="c1")
    )
    changed = asked("PATCH", "/api/v1/children/a%2Fb", body={"age": 7, "interests": {"topics": ["stars", "sea"]}})
    assert changed == child_pb2.UpdateChildRequest(
        child_id="a/b", age=7, interests=child_pb2.TopicList(topics=["stars", "sea"])
    )
    assert asked("POST", "/api/v1/runs/r1:cancel") == run_pb2.CancelRunRequest(run_id="r1")
    assert asked("POST", "/api/v1/runs/r1:cancel", body={"run_id": "r1"}) == run_pb2.CancelRunRequest(run_id="r1")
    assert asked("GET", "/api/v1/stories/runs/r1/stream", {"after_sequence": "3"}) == story_pb2.WatchStoryRequest(
        run_id="r1", after_sequence=3
    )


def test_null_is_as_absent_and_an_empty_object_is_present() -> None:
    changed = asked("PATCH", "/api/v1/children/1", body={"age": None, "interests": {}})
    assert not changed.HasField("age")
    assert changed.HasField("interests")


def test_unknown_names_are_told_with_those_that_are_known() -> None:
    told = faults("GET", "/api/v1/runs", {"childid": "1", "page_sizes": "3", "state.x": "1"})
    assert set(told) == {"childid", "page_sizes", "state.x"}
    assert told["childid"] == "is not known here; known are: child_id, state, page_size, page_token"
    told = faults("POST", "/api/v1/children", body={"name": "Kim", "interests": ["a"]})
    assert told["name"].endswith("nickname, age, reading_level, interests, language, avoid_topics")
    told = faults("PATCH", "/api/v1/children/1", body={"interests": {"topic": []}})
    assert told == {"interests.topic": "is not known here; known are: topics"}
    assert "takes no query parameters" in faults("POST", "/api/v1/runs/r:cancel", {"run_id": "r"})["run_id"]
    # The path has it already.
    assert "known" in faults("GET", "/api/v1/runs/r1", {"run_id": "r2"})["run_id"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *[("page_size", text, "whole number") for text in ("", "x", "1.5", "1e3", "２", "9" * 30, "2147483648", " 1")],
        *[("state", text, "expected one of: unspecified, pending") for text in ("", "bogus", "99", "run_state", "-1")],
    ],
)
def test_a_text_of_another_type_is_told_by_its_name(name: str, value: str, words: str) -> None:
    assert words in faults("GET", "/api/v1/runs", {name: value})[name]


@pytest.mark.parametrize(
    ("body", "name", "words"),
    [
        ({"age": "x"}, "age", "whole number"),
        ({"age": 1.5}, "age", "whole number"),
        ({"age": True}, "age", "whole number"),
        ({"age": 2**31}, "age", "whole number"),
        ({"age": [1]}, "age", "whole number"),
        ({"age": 1e300}, "age", "whole number"),
        ({"nickname": 5}, "nickname", "text"),
        ({"nickname": {"a": 1}}, "nickname", "text"),
        ({"nickname": "\ud800"}, "nickname", "surrogate"),
        ({"interests": "sea"}, "interests", "list"),
        ({"interests": ["sea", 5]}, "interests[1]", "text"),
        ({"interests": [None]}, "interests[0]", "text"),
        ({"reading_level": "expert"}, "reading_level", "beginner, intermediate"),
        ({"nickname": "a", "nickName": "b"}, "nickName", "not known"),
        ({"reading_level": 1, "readingLevel": 2}, "reading_level", "more than once"),
        ([], "body", "object"),
        ("text", "body", "object"),
    ],
)
def test_json_of_another_type_is_told_by_its_name(body: Any, name: str, words: str) -> None:
    assert words in faults("POST", "/api/v1/children", body=body)[name]


def test_what_contradicts_itself_is_refused() -> None:
    both = {"choice_id": "a", "custom_user_input": "b"}
    assert faults("GET", STREAM, both) == {"custom_user_input": "can't be given together with choice_id"}
    assert faults("POST", STREAM, body=both) == {"custom_user_input": "can't be given together with choice_id"}
    assert faults("GET", STREAM, [("theme", "a"), ("theme", "b")]) == {"theme": "is given more than once"}
    assert faults("POST", "/api/v1/runs/a:cancel", body={"run_id": "b"}) == {
        "run_id": "differs from the one in the path"
    }


def test_the_plainer_template_comes_first_and_a_verb_is_no_part_of_an_id() -> None:
    assert set(TABLE.match("/api/v1/stories/generate/stream")) == {"GET", "POST"}
    assert set(TABLE.match("/api/v1/runs/r1")) == {"GET"}
    assert set(TABLE.match("/api/v1/runs/r1:cancel")) == {"POST"}
    for nothing in ("/api/v1/runs/r1:sing", "/api/v1/runs/", "/api/v1/runs/a/b", "/api/v1/stories/", "/api", "//", "/"):
        assert TABLE.match(nothing) == {}


def test_every_rpc_has_its_routes() -> None:
    bound = {route.rpc.full_name for route in TABLE.routes}
    assert bound == {rpc.full_name for service in SERVICES for rpc in service.methods}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(
                st.sampled_from(["child_id", "age", "interests", "topics", "nickname", "x"]) | st.text(), each
            )
        ),
    )
)
def test_any_json_is_a_message_or_a_400(body: Any) -> None:
    with contextlib.suppress(Refused):
        asked("PATCH", "/api/v1/children/1", body=body)


@given(
    st.lists(st.tuples(st.sampled_from(["child_id", "age", "release", "story_id.x", "theme"]) | st.text(), st.text()))
)
def test_any_query_is_a_message_or_a_400(query: list[tuple[str, str]]) -> None:
    with contextlib.suppress(Refused):
        asked("GET", STREAM, query)
