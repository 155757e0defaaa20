"""Streams as bytes: what the service sent, exactly, for as long as it lived."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
import grpc.aio

from fabula.story.v1.story_pb2 import GenerateStoryRequest, StoryEvent, WatchStoryRequest

_SERVICE = "/fabula.story.v1.StoryService"
_CALL_SECONDS = 30.0


@dataclass(slots=True)
class Heard:
    """The events of one call as they came, without heartbeats, and the status that it ended with."""

    payloads: list[bytes] = field(default_factory=list)
    code: grpc.StatusCode | None = None

    @property
    def events(self) -> Sequence[StoryEvent]:
        """The same, read."""
        return [StoryEvent.FromString(payload) for payload in self.payloads]

    @property
    def run_id(self) -> str:
        """The run; empty when nothing came."""
        return StoryEvent.FromString(self.payloads[0]).run_id if self.payloads else ""


async def generate(channel: grpc.aio.Channel, request: GenerateStoryRequest) -> Heard:
    """Hears a new story until the call ends, however it ends."""
    return await _hear(channel, "GenerateStory", request.SerializeToString())


async def watch(channel: grpc.aio.Channel, run_id: str, after_sequence: int = 0) -> Heard:
    """Hears a run after a sequence."""
    request = WatchStoryRequest(run_id=run_id, after_sequence=after_sequence)
    return await _hear(channel, "WatchStory", request.SerializeToString())


async def _hear(channel: grpc.aio.Channel, method: str, request: bytes) -> Heard:
    heard = Heard()
    ask: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"{_SERVICE}/{method}")
    call = ask(request, timeout=_CALL_SECONDS)
    try:
        async for payload in call:
            if StoryEvent.FromString(payload).sequence:
                heard.payloads.append(payload)
        heard.code = grpc.StatusCode.OK
    except grpc.aio.AioRpcError as error:
        heard.code = error.code()
    return heard
