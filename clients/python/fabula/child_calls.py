"""The single calls about the profiles of children."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from fabula.child.v1 import child_pb2
from fabula.child.v1.child_service_pb2_grpc import ChildServiceStub
from fabula.connection import Connection
from fabula.retry import repeat_erasure, repeat_while_undone

if TYPE_CHECKING:
    from fabula.child.v1.child_service_pb2_grpc import ChildServiceAsyncStub


class ChildCalls(Connection):
    """Makes, reads, lists, changes and erases profiles. The bounds of each field are those of fabula.child.v1."""

    async def create_child(
        self,
        nickname: str,
        age: int,
        *,
        reading_level: "child_pb2.ReadingLevel.ValueType" = child_pb2.READING_LEVEL_UNSPECIFIED,
        interests: Sequence[str] = (),
        language: str = "",
        avoid_topics: Sequence[str] = (),
    ) -> child_pb2.Child:
        """Makes a profile. Without a `reading_level` it is chosen by age; without a `language` it is "en".

        A profile has no request_id, so a call that broke off is not made again: OutcomeUnknown is raised, and
        `list_children` tells whether the child is there.
        """
        request = child_pb2.CreateChildRequest(
            nickname=nickname,
            age=age,
            reading_level=reading_level,
            interests=_topics(interests),
            language=language,
            avoid_topics=_topics(avoid_topics),
        )
        answer = await repeat_while_undone(self._attempt(self._children().CreateChild, request), self._retry)
        return answer.child

    async def get_child(self, child_id: str) -> child_pb2.Child:
        """Reads a profile; NotFound when there is none."""
        answer = await self._ask(self._children().GetChild, child_pb2.GetChildRequest(child_id=child_id))
        return answer.child

    async def list_children(self, *, page_size: int = 0) -> AsyncIterator[child_pb2.Child]:
        """The caller's children, newest first.

        Pages of `page_size` profiles (1 to 200; 0 means 50) are asked for as the loop comes to them.
        """
        request = child_pb2.ListChildrenRequest(page_size=page_size)
        async for page in self._pages(self._children().ListChildren, request):
            for child in page.children:
                yield child

    async def update_child(
        self,
        child_id: str,
        *,
        nickname: str | None = None,
        age: int | None = None,
        reading_level: "child_pb2.ReadingLevel.ValueType | None" = None,
        interests: Sequence[str] | None = None,
        language: str | None = None,
        avoid_topics: Sequence[str] | None = None,
    ) -> child_pb2.Child:
        """Changes what is given and returns the profile; NotFound when there is none.

        None leaves a field as it is. A list replaces the whole list, an empty one clears it, and
        READING_LEVEL_UNSPECIFIED lets the age choose the level again.
        """
        request = child_pb2.UpdateChildRequest(
            child_id=child_id,
            nickname=nickname,
            age=age,
            reading_level=reading_level,
            interests=_topic_list(interests),
            language=language,
            avoid_topics=_topic_list(avoid_topics),
        )
        answer = await self._ask(self._children().UpdateChild, request)
        return answer.child

    async def delete_child(self, child_id: str) -> None:
        """Erases a child: profile, stories, runs and events. NotFound when there was none."""
        request = child_pb2.DeleteChildRequest(child_id=child_id)
        await repeat_erasure(self._attempt(self._children().DeleteChild, request), self._retry)

    def _children(self) -> "ChildServiceAsyncStub":
        return ChildServiceStub(self._channel())


def _topic_list(topics: Sequence[str] | None) -> child_pb2.TopicList | None:
    return None if topics is None else child_pb2.TopicList(topics=_topics(topics))


def _topics(topics: Sequence[str]) -> Sequence[str]:
    # A string is a sequence of strings, too: "spiders" would become seven letters, and spiders would come up.
    if isinstance(topics, str):
        raise TypeError("topics are a list of strings, not one string")
    return topics
