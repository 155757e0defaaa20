"""The one translator between the workflow and the wire: StoryEvents as bytes."""

from collections.abc import Iterator

from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.runtime.ports import Encoded, Envelope
from service.runtime.run import timestamp

_FIELDS: dict[str, str] = {
    field.message_type.full_name: field.name
    for field in story_pb2.StoryEvent.DESCRIPTOR.oneofs_by_name["event"].fields
    if field.message_type is not None
}


class StoryCodec:
    """The bytes of the story workflow's events. See `ports.Codec`."""

    workflow = "story"

    def encoder(self, run_id: str) -> "StoryEncoder":
        return StoryEncoder(run_id)

    def error(self, payload: bytes) -> run_pb2.RunError | None:
        event = story_pb2.StoryEvent.FromString(payload)
        return event.error if event.HasField("error") else None


class StoryEncoder:
    """Encodes one run's events; remembers which text stands, without the text. See `ports.Encoder`."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._standing: list[story_pb2.StoryEvent] = []

    def encode(self, body: Message, envelope: Envelope) -> Encoded:
        event = story_pb2.StoryEvent(
            run_id=self._run_id,
            sequence=envelope.sequence,
            emit_time=timestamp(envelope.emit_time_ns),
            progress_percent=envelope.progress_percent,
        )
        field = _FIELDS.get(body.DESCRIPTOR.full_name)
        if field is None:
            raise TypeError(f"StoryEvent has no field for {body.DESCRIPTOR.full_name}")
        getattr(event, field).CopyFrom(body)
        if event.HasField("error") and self._standing:
            event.error.partial_text_id = self._run_id
        rewrites = dict(self._withdraw(event.retraction)) if event.HasField("retraction") else {}
        self._remember(event)
        return Encoded(event.SerializeToString(), rewrites)

    def restore(self, payload: bytes) -> int:
        event = story_pb2.StoryEvent.FromString(payload)
        if event.HasField("retraction"):
            list(self._withdraw(event.retraction))
        self._remember(event)
        return event.progress_percent

    def _remember(self, event: story_pb2.StoryEvent) -> None:
        if event.HasField("content") and not event.content.withdrawn:
            blank = story_pb2.StoryEvent()
            blank.CopyFrom(event)
            blank.content.chunk = ""
            blank.content.withdrawn = True
            self._standing.append(blank)

    def _withdraw(self, retraction: story_pb2.Retraction) -> Iterator[tuple[int, bytes]]:
        withdrawn = [each for each in self._standing if each.content.segment >= retraction.from_segment]
        self._standing = [each for each in self._standing if each.content.segment < retraction.from_segment]
        for blank in withdrawn:
            yield blank.sequence, blank.SerializeToString()
