"""Speaks to the reader: text through the release gate, revisions and retractions, each as an event."""

from collections.abc import Sequence

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import Internal
from service.runtime.ports import Emitter
from service.safety.gate import Released, ReleaseGate, open_gate
from service.safety.screen import Screen


class Narrator:
    """The one way of story text to the reader in one run."""

    def __init__(self, emitter: Emitter, screen: Screen, release: "run_pb2.Release.ValueType") -> None:
        self._emitter = emitter
        self._screen = screen
        self._release = release
        self._gate: ReleaseGate = open_gate(screen, release)
        self._released: list[str] = []
        self.revision = 0

    def begin_revision(self) -> None:
        """What is heard from now on is a new revision of the whole text."""
        self.revision += 1
        self._gate = open_gate(self._screen, self._release)
        self._released = []

    async def hear(self, text: str, progress_percent: int) -> None:
        """Takes text as the model wrote it; sends on what the gate lets go."""
        await self._send(self._gate.feed(text), progress_percent)

    async def end_text(self, progress_percent: int) -> None:
        """The revision's text has ended, its review is still to come."""
        await self._send_last(self._gate.finish(), progress_percent)

    async def approve(self, text: str, progress_percent: int) -> None:
        """The review approved `text`: sends what waited for that. All of it has been sent then, byte for byte."""
        await self._send_last(self._gate.approve(), progress_percent)
        if "".join(self._released) != text:
            raise Internal("The released text is not the approved text.")

    async def retract(self, reason: "story_pb2.RetractionReason.ValueType", progress_percent: int) -> None:
        """Withdraws what was released of this revision, if anything was."""
        if self._released:
            retraction = story_pb2.Retraction(from_segment=1, revision=self.revision + 1, reason=reason)
            await self._emitter.emit(retraction, progress_percent)
            self._released = []

    async def _send(self, released: Sequence[Released], progress_percent: int, *, last: bool = False) -> None:
        for index, each in enumerate(released, start=1):
            self._released.append(each.text)
            content = story_pb2.Content(
                chunk=each.text,
                segment=each.segment,
                revision=self.revision,
                is_complete=last and index == len(released),
            )
            await self._emitter.emit(content, progress_percent)

    async def _send_last(self, released: Sequence[Released], progress_percent: int) -> None:
        # Every gate keeps its last unit until the text's end or its approval, so there is one to bear the mark.
        await self._send(released, progress_percent, last=not self._gate.blocked)
