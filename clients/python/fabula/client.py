"""The client of the service, for asyncio."""

from typing import Unpack

from fabula.child_calls import ChildCalls
from fabula.request import StoryOptions, build_request, repeatable
from fabula.run_calls import RunCalls
from fabula.story.v1.story_pb2 import GenerateStoryRequest, WatchStoryRequest
from fabula.story_calls import StoryCalls
from fabula.stream import Call, Origin, StoryStream


class FabulaClient(StoryCalls, ChildCalls, RunCalls):
    """One connection to a Fabula service; made once and shared, by any number of streams of one event loop.

    `address` is a gRPC target, `credentials` those of TLS (None: plain text), `metadata` goes along with every call,
    `token` is a bearer token, or a function that has one whenever a call is made: then streams outlive their tokens.
    `retry` holds for streams and single calls alike. The connection is made with the first call; `async with` or
    `aclose` ends it. Every method may raise the classes of `fabula.errors`; after `aclose` it is Closed.
    """

    def tell(
        self,
        theme: str = "",
        *,
        timeout: float | None = None,
        heartbeats: bool = False,
        **options: Unpack[StoryOptions],
    ) -> StoryStream:
        """Tells one chapter about `theme` (1 to 200 characters; may be empty when `story_id` is given).

        `timeout` are seconds for the whole telling and bind the run too; None leaves it to the service. With
        `heartbeats` the stream also yields heartbeats. ValueError when both choice_id and custom_user_input are given.
        """
        return self._stream(build_request(theme, options), timeout=timeout, heartbeats=heartbeats)

    def generate(
        self, request: GenerateStoryRequest, *, timeout: float | None = None, heartbeats: bool = False
    ) -> StoryStream:
        """The same from a request, which is copied; an empty request_id becomes a fresh UUID in the copy."""
        return self._stream(repeatable(request), timeout=timeout, heartbeats=heartbeats)

    def watch(
        self, run_id: str, after_sequence: int = 0, *, timeout: float | None = None, heartbeats: bool = False
    ) -> StoryStream:
        """Follows a run after a sequence (0: from its first event), whether it is under way or has ended.

        The stream raises NotFound or CursorOutOfRange when it can't be watched so.
        """
        request = WatchStoryRequest(run_id=run_id, after_sequence=after_sequence)
        return self._stream(request, timeout=timeout, heartbeats=heartbeats)

    def _stream(self, origin: Origin, *, timeout: float | None, heartbeats: bool) -> StoryStream:
        return StoryStream(self._open_call, origin, self._retry, timeout, heartbeats=heartbeats, renews=self._renews)

    def _open_call(self, request: Origin, timeout: float | None) -> Call:
        stub = self._stories()
        if isinstance(request, WatchStoryRequest):
            return stub.WatchStory(request, timeout=timeout, metadata=self._metadata())
        return stub.GenerateStory(request, timeout=timeout, metadata=self._metadata())
