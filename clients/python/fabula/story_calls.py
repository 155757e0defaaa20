"""The single calls about stories."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Unpack

from fabula.connection import Connection
from fabula.request import StoryOptions, build_request
from fabula.retry import Deadline, repeat_erasure
from fabula.story.v1 import story_pb2
from fabula.story.v1.story_service_pb2_grpc import StoryServiceStub

if TYPE_CHECKING:
    from fabula.story.v1.story_service_pb2_grpc import StoryServiceAsyncStub


class StoryCalls(Connection):
    """Tells a chapter in one answer; reads, lists and erases stories."""

    async def create(
        self,
        theme: str = "",
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it travels to the service as the run's deadline
        **options: Unpack[StoryOptions],
    ) -> story_pb2.CreateStoryResponse:
        """Tells one chapter and answers when it is done. Arguments as for `tell`; RunFailed when the run fails."""
        request = story_pb2.CreateStoryRequest(story=build_request(theme, options))
        return await self._ask(self._stories().CreateStory, request, Deadline(timeout))

    async def get_story(self, story_id: str) -> story_pb2.Story:
        """Reads a story with its chapters, in the order of their telling; NotFound when there is none."""
        answer = await self._ask(self._stories().GetStory, story_pb2.GetStoryRequest(story_id=story_id))
        return answer.story

    async def list_stories(self, child_id: str = "", *, page_size: int = 0) -> AsyncIterator[story_pb2.Story]:
        """The caller's stories without their chapters, newest first, of one child if given.

        Pages of `page_size` stories (1 to 200; 0 means 50) are asked for as the loop comes to them.
        """
        request = story_pb2.ListStoriesRequest(child_id=child_id, page_size=page_size)
        async for page in self._pages(self._stories().ListStories, request):
            for story in page.stories:
                yield story

    async def delete_story(self, story_id: str) -> None:
        """Erases a story with its runs and events. NotFound when there was none."""
        request = story_pb2.DeleteStoryRequest(story_id=story_id)
        await repeat_erasure(self._attempt(self._stories().DeleteStory, request), self._retry)

    def _stories(self) -> "StoryServiceAsyncStub":
        return StoryServiceStub(self._channel())
