"""StoryEvents as bytes: what is encoded, what a retraction withdraws, what a restored encoder knows."""

from collections.abc import Iterator, Sequence

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.runtime.ports import Encoded, Envelope
from service.workflows.story.events import StoryCodec, StoryEncoder

BODIES: list[tuple[str, Message]] = [
    ("node_event", run_pb2.NodeEvent(node="workflow", status=run_pb2.NODE_STATUS_STARTED, iteration=1)),
    ("content", story_pb2.Content(chunk="A fox.", segment=1, revision=1)),
    ("retraction", story_pb2.Retraction(from_segment=1, revision=2, reason=story_pb2.RETRACTION_REASON_SAFETY)),
    ("safety_check", story_pb2.SafetyCheck(approved=True, score=1, revision=1)),
    ("metadata", story_pb2.Metadata(estimated_reading_time=1, word_count=2)),
    ("complete", story_pb2.Complete(success=True, story_content="A fox.")),
    ("error", run_pb2.RunError(message="No.", code=run_pb2.ERROR_REASON_INTERNAL)),
    ("heartbeat", run_pb2.Heartbeat()),
]
_CONTENTS = st.builds(
    story_pb2.Content,
    chunk=st.text(max_size=5),
    segment=st.integers(1, 4),
    revision=st.integers(1, 3),
    is_complete=st.booleans(),
)
_RETRACTIONS = st.builds(story_pb2.Retraction, from_segment=st.integers(1, 4), revision=st.integers(2, 4))
_OTHERS = st.sampled_from([body for name, body in BODIES if name not in {"content", "retraction"}])
_STEPS = st.lists(st.one_of(_CONTENTS, _CONTENTS, _RETRACTIONS, _OTHERS), max_size=14)


def _envelope(sequence: int) -> Envelope:
    return Envelope(sequence, 1_700_000_000_123_456_789 + sequence, min(sequence, 100))


def _encode(encoder: StoryEncoder, bodies: Sequence[Message], first: int = 1) -> Iterator[Encoded]:
    for sequence, body in enumerate(bodies, first):
        yield encoder.encode(body, _envelope(sequence))


def _event(payload: bytes) -> story_pb2.StoryEvent:
    return story_pb2.StoryEvent.FromString(payload)


def _content(segment: int, chunk: str = "Text.", revision: int = 1) -> story_pb2.Content:
    return story_pb2.Content(chunk=chunk, segment=segment, revision=revision)


@pytest.mark.parametrize(("name", "body"), BODIES)
def test_each_body_goes_into_the_field_of_its_type(name: str, body: Message) -> None:
    event = _event(StoryCodec().encoder("run").encode(body, Envelope(7, 1_500_000_000_000_000_001, 42)).payload)
    assert event.WhichOneof("event") == name
    assert getattr(event, name) == body
    assert (event.run_id, event.sequence, event.progress_percent) == ("run", 7, 42)
    assert event.emit_time.ToNanoseconds() == 1_500_000_000_000_000_001


@pytest.mark.parametrize("body", [type(body)() for _, body in BODIES])
def test_an_empty_body_is_an_event_all_the_same(body: Message) -> None:
    event = _event(StoryEncoder("run").encode(body, _envelope(1)).payload)
    assert event.WhichOneof("event") is not None


def test_every_field_of_the_event_has_a_body_here() -> None:
    fields = story_pb2.StoryEvent.DESCRIPTOR.oneofs_by_name["event"].fields
    assert {field.name for field in fields} == {name for name, _ in BODIES}


@pytest.mark.parametrize("body", [Timestamp(), story_pb2.StoryEvent(), story_pb2.Choice(), run_pb2.Run()])
def test_a_foreign_body_is_a_type_error_and_leaves_no_trace(body: Message) -> None:
    encoder = StoryEncoder("run")
    with pytest.raises(TypeError, match=body.DESCRIPTOR.full_name):
        encoder.encode(body, _envelope(1))
    assert encoder.encode(_content(1), _envelope(1)) == StoryEncoder("run").encode(_content(1), _envelope(1))


def test_a_retraction_blanks_the_standing_text_from_its_segment_on() -> None:
    encoder = StoryEncoder("run")
    bodies = [BODIES[0][1], _content(1), _content(2, "Sec"), BODIES[3][1], _content(2, "ond."), _content(3)]
    bodies[-1] = story_pb2.Content(chunk="Last.", segment=3, revision=1, is_complete=True)
    originals = [_event(each.payload) for each in _encode(encoder, bodies)]
    rewrites = encoder.encode(story_pb2.Retraction(from_segment=2, revision=2), _envelope(7)).rewrites
    assert list(rewrites) == [3, 5, 6]
    for sequence, payload in rewrites.items():
        expected = originals[sequence - 1]
        expected.content.chunk, expected.content.withdrawn = "", True
        assert _event(payload) == expected


def test_a_second_retraction_withdraws_nothing_twice() -> None:
    encoder = StoryEncoder("run")
    steps = [_content(1), _content(2), BODIES[2][1], _content(1, "New.", 2), BODIES[2][1], BODIES[2][1]]
    assert [list(each.rewrites) for each in _encode(encoder, steps)] == [[], [], [1, 2], [], [4], []]


def test_an_error_names_the_partial_text_only_while_text_stands() -> None:
    error = run_pb2.RunError(message="No.", code=run_pb2.ERROR_REASON_CONTENT_REJECTED)
    encoder = StoryEncoder("run")
    steps = [error, _content(1), error, BODIES[2][1], error, _content(1, "New.", 2), error]
    events = [_event(each.payload) for each in _encode(encoder, steps)]
    assert [each.error.partial_text_id for each in events if each.HasField("error")] == ["", "run", "", "run"]
    assert error.partial_text_id == ""


def test_the_codec_knows_the_error_of_a_terminal_event() -> None:
    codec = StoryCodec()
    payloads = [each.payload for each in _encode(codec.encoder("run"), [body for _, body in BODIES])]
    errors = [codec.error(payload) for payload in payloads]
    assert [bool(error) for error in errors] == [name == "error" for name, _ in BODIES]
    assert [error.message for error in errors if error] == ["No."]


@settings(deadline=None, max_examples=200)
@given(steps=_STEPS, rewritten=st.booleans(), data=st.data())
def test_a_restored_encoder_goes_on_as_the_first_one_would(
    steps: list[Message], rewritten: bool, data: st.DataObject
) -> None:
    known = data.draw(st.integers(0, len(steps)))
    first, restored = StoryEncoder("run"), StoryEncoder("run")
    encoded = list(_encode(first, steps[:known]))
    log = dict(enumerate((each.payload for each in encoded), 1))
    for each in encoded if rewritten else []:
        log.update(each.rewrites)
    assert [restored.restore(payload) for payload in log.values()] == list(range(1, known + 1))
    rest = steps[known:]
    assert list(_encode(restored, rest, known + 1)) == list(_encode(first, rest, known + 1))


@settings(deadline=None, max_examples=200)
@given(steps=_STEPS)
def test_the_chunks_that_stand_in_the_log_are_those_that_no_retraction_withdrew(steps: list[Message]) -> None:
    log: dict[int, bytes] = {}
    standing: list[story_pb2.Content] = []
    for sequence, encoded in enumerate(_encode(StoryEncoder("run"), steps), 1):
        body = steps[sequence - 1]
        if isinstance(body, story_pb2.Content):
            standing.append(body)
        if isinstance(body, story_pb2.Retraction):
            standing = [each for each in standing if each.segment < body.from_segment]
        log |= {sequence: encoded.payload} | dict(encoded.rewrites)
    events = [_event(payload) for payload in log.values()]
    contents = [event.content for event in events if event.HasField("content")]
    assert [each for each in contents if not each.withdrawn] == standing
    assert all(each.chunk == "" for each in contents if each.withdrawn)
    assert [event.sequence for event in events] == list(range(1, len(steps) + 1))
