"""The stories that were told: read, listed and erased."""

from fabula.story.v1 import story_pb2
from service.errors import StoryNotFound
from service.runtime.eraser import Eraser
from service.runtime.paging import DEFAULT_PAGE_SIZE, cut_page, decode_token
from service.runtime.stores import ArtifactStore, Series, SeriesQuery
from service.workflows.story.tale import Tale, header


class Library:
    """What StoryService answers of stories that exist."""

    def __init__(self, store: ArtifactStore, eraser: Eraser) -> None:
        self._store = store
        self._eraser = eraser

    async def get(self, principal: str, story_id: str) -> story_pb2.Story:
        """The story with its chapters. Raises StoryNotFound."""
        tale = Tale(await self._store.artifacts(principal, story_id))
        if not tale:
            raise StoryNotFound("There is no such story. ListStories names those that there are.")
        return tale.message()

    async def list(self, principal: str, request: story_pb2.ListStoriesRequest) -> story_pb2.ListStoriesResponse:
        """A page of stories, newest first, without their chapters. Raises PageTokenInvalid."""
        size = request.page_size or DEFAULT_PAGE_SIZE
        filters = ("stories", principal, request.child_id)
        before = decode_token(request.page_token, *filters)
        series = await self._store.list_series(SeriesQuery(principal, size + 1, request.child_id, before))
        page, token = cut_page(series, size, _position, *filters)
        stories = [header(each.first, each.newest) for each in page]
        return story_pb2.ListStoriesResponse(stories=stories, next_page_token=token)

    async def delete(self, principal: str, story_id: str) -> None:
        """Erases the story with its runs and events. Raises StoryNotFound."""
        await self._eraser.erase_story(principal, story_id)


def _position(series: Series) -> tuple[int, str]:
    return series.first.create_time_ns, series.first.series_id
