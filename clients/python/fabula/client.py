"""The client of the service, for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import grpc

from fabula.channel import open_channel
from fabula.errors import Closed, Unavailable
from fabula.request import StoryOptions, build_request, repeatable
from fabula.retry import DEFAULT_RETRY, Deadline, RetryPolicy, repeat
from fabula.run.v1 import run_pb2
from fabula.run.v1.run_service_pb2_grpc import RunServiceStub
from fabula.story.v1.story_pb2 import (
    CreateStoryRequest,
    CreateStoryResponse,
    GenerateStoryRequest,
    WatchStoryRequest,
)
from fabula.story.v1.story_service_pb2_grpc import StoryServiceStub
from fabula.stream import Call, Origin, StoryStream

if TYPE_CHECKING:
    from fabula.run.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from fabula.story.v1.story_service_pb2_grpc import StoryServiceAsyncStub


class FabulaClient:
    """One connection to a Fabula service; made once and shared, by any number of streams of one event loop.

    `address` is a gRPC target, `credentials` those of TLS (None: plain text), `metadata` goes along with every call,
    `retry` holds for streams and single calls alike. The connection is made with the first call; `async with` or
    `aclose` ends it. Every method may raise the classes of `fabula.errors`; after `aclose` it is Closed.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Sequence[tuple[str, str | bytes]] = (),
        retry: RetryPolicy = DEFAULT_RETRY,
    ) -> None:
        self.address = address
        self._credentials = credentials
        self._metadata = tuple(metadata)
        self._retry = retry
        self._channel: grpc.aio.Channel | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancels every call that is open and closes the connection."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def wait_until_ready(self, within: float = 5.0) -> None:
        """Connects. Unavailable when no service answers within that many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._connection().channel_ready()
        except TimeoutError:
            raise Unavailable(f"No service answers at {self.address}.", grpc.StatusCode.UNAVAILABLE) from None

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

    async def create(
        self,
        theme: str = "",
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it travels to the service as the run's deadline
        **options: Unpack[StoryOptions],
    ) -> CreateStoryResponse:
        """Tells one chapter and answers when it is done. Arguments as for `tell`; RunFailed when the run fails."""
        request = CreateStoryRequest(story=build_request(theme, options))
        stub = self._stories()
        return await repeat(
            lambda left: stub.CreateStory(request, timeout=left, metadata=self._metadata),
            self._retry,
            Deadline(timeout),
        )

    async def get_run(self, run_id: str) -> run_pb2.Run:
        """Reads one run; NotFound when there is none."""
        request = run_pb2.GetRunRequest(run_id=run_id)
        stub = self._runs()
        answer = await repeat(
            lambda left: stub.GetRun(request, timeout=left, metadata=self._metadata), self._retry, Deadline(None)
        )
        return answer.run

    async def list_runs(
        self,
        child_id: str = "",
        *,
        state: "run_pb2.RunState.ValueType" = run_pb2.RUN_STATE_UNSPECIFIED,
        page_size: int = 0,
    ) -> AsyncIterator[run_pb2.Run]:
        """The caller's runs, newest first, of one child and in one state if given.

        Pages of `page_size` runs (1 to 200; 0 means 50) are asked for as the loop comes to them.
        """
        request = run_pb2.ListRunsRequest(child_id=child_id, state=state, page_size=page_size)
        while True:
            page = await self._page(request)
            for run in page.runs:
                yield run
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_run(self, run_id: str) -> run_pb2.Run:
        """Cancels a run and returns it as it ended; a run that had ended is unchanged. NotFound when there is none."""
        request = run_pb2.CancelRunRequest(run_id=run_id)
        stub = self._runs()
        answer = await repeat(
            lambda left: stub.CancelRun(request, timeout=left, metadata=self._metadata), self._retry, Deadline(None)
        )
        return answer.run

    async def _page(self, request: run_pb2.ListRunsRequest) -> run_pb2.ListRunsResponse:
        stub = self._runs()
        return await repeat(
            lambda left: stub.ListRuns(request, timeout=left, metadata=self._metadata), self._retry, Deadline(None)
        )

    def _stream(self, origin: Origin, *, timeout: float | None, heartbeats: bool) -> StoryStream:
        return StoryStream(self._open_call, origin, self._retry, timeout, heartbeats=heartbeats)

    def _open_call(self, request: Origin, timeout: float | None) -> Call:
        stub = self._stories()
        if isinstance(request, WatchStoryRequest):
            return stub.WatchStory(request, timeout=timeout, metadata=self._metadata)
        return stub.GenerateStory(request, timeout=timeout, metadata=self._metadata)

    def _stories(self) -> "StoryServiceAsyncStub":
        return StoryServiceStub(self._connection())

    def _runs(self) -> "RunServiceAsyncStub":
        return RunServiceStub(self._connection())

    def _connection(self) -> grpc.aio.Channel:
        if self._closed:
            raise Closed("The client is closed.")
        # Made on the first call, not in the constructor: a channel belongs to the loop that runs when it is made.
        self._channel = self._channel or open_channel(self.address, self._credentials)
        return self._channel
