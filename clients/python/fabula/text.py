"""The text that stands."""

from fabula.story.v1.story_pb2 import Content, Retraction, StoryEvent


class StandingText:
    """Folds a run's events, in their order, to the text that stands.

    Chunks join byte for byte. A retraction drops the chunks of its `from_segment` and of all later segments; chunks
    that the log has blanked (`withdrawn`) are skipped. Folded from the first event on, `text` is in the end exactly
    `complete.story_content`; folded from later on, it holds that part alone.
    """

    def __init__(self) -> None:
        self._chunks: list[tuple[int, str]] = []
        self._revision = 0
        self._is_complete = False

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The standing chunks, joined."""
        return "".join(chunk for _, chunk in self._chunks)

    @property
    def revision(self) -> int:
        """The newest revision seen, from 1; 0 before the first."""
        return self._revision

    @property
    def is_complete(self) -> bool:
        """Whether the text of the newest revision is all there. A review may still withdraw some of it."""
        return self._is_complete

    def apply(self, event: StoryEvent) -> None:
        """Takes the next event; those that hold no text change nothing."""
        kind = event.WhichOneof("event")
        if kind == "content":
            self._add(event.content)
        elif kind == "retraction":
            self._drop(event.retraction)

    def _add(self, content: Content) -> None:
        if content.withdrawn:
            return
        self._chunks.append((content.segment, content.chunk))
        self._revision = max(self._revision, content.revision)
        self._is_complete = content.is_complete

    def _drop(self, retraction: Retraction) -> None:
        self._chunks = [kept for kept in self._chunks if kept[0] < retraction.from_segment]
        self._revision = max(self._revision, retraction.revision)
        self._is_complete = False
