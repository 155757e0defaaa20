"""Speaks to the reader: text through the release gate, revisions and retractions, each as an event."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import Internal
from service.runtime.ports import Emitter
from service.safety.gate import Released, ReleaseGate, open_gate
from service.safety.screen import Screen


@dataclass(slots=True)
class _Telling:
    """One revision: its gate, and what of it has been sent."""

    revision: int
    gate: ReleaseGate
    sent: list[str] = field(default_factory=list)
    waiting: list[story_pb2.Content] | None = None  # what an alternative has ready; None where nothing waits


class Narrator:
    """The one way of story text to the reader in one run."""

    def __init__(self, emitter: Emitter, screen: Screen, release: "run_pb2.Release.ValueType") -> None:
        self._emitter = emitter
        self._screen = screen
        self._release = release
        self._now = _Telling(0, open_gate(screen, release))
        self._before: _Telling | None = None
        self._revisions = 0

    @property
    def revision(self) -> int:
        """The revision that is being told."""
        return self._now.revision

    @property
    def is_unheard(self) -> bool:
        """Whether no reader has heard anything of this revision."""
        return not self._now.sent or self._now.waiting is not None

    def begin_again(self) -> None:
        """What was heard of this revision counts for nothing, for nobody else has heard it: its text begins anew."""
        self._now.gate = open_gate(self._screen, self._release)
        self._now.sent.clear()
        if self._now.waiting is not None:
            self._now.waiting.clear()

    def begin_revision(self) -> None:
        """What is heard from now on is a new revision of the whole text."""
        self._now = self._new()

    def begin_alternative(self) -> None:
        """The same, but what stands goes on standing until this revision is approved in its place."""
        self._before = self._now
        self._now = self._new()
        self._now.waiting = []

    def drop_alternative(self) -> None:
        """The revision before the alternative is the one that is told, after all."""
        if self._before is not None:
            self._now, self._before = self._before, None

    async def hear(self, text: str, progress_percent: int) -> None:
        """Takes text as the model wrote it; sends on what the gate lets go."""
        await self._send(self._now.gate.feed(text), progress_percent)

    def abandon(self) -> str:
        """The text broke off: forgets its unfinished rest and returns that. What is heard then goes on before it."""
        return self._now.gate.abandon()

    async def end_text(self, progress_percent: int) -> None:
        """The revision's text has ended, its review is still to come."""
        await self._send_last(self._now.gate.finish(), progress_percent)

    async def approve(self, text: str, progress_percent: int) -> None:
        """The review approved `text`: sends what waited for that. All of it has been sent then, byte for byte."""
        if self._before is not None:
            await self._withdraw(self._before, story_pb2.RETRACTION_REASON_READING_LEVEL, progress_percent)
            self._before = None
        for content in self._now.waiting or ():
            await self._emitter.emit(content, progress_percent)
        self._now.waiting = None
        await self._send_last(self._now.gate.approve(), progress_percent)
        if "".join(self._now.sent) != text:
            raise Internal("The released text is not the approved text.")

    async def retract(self, reason: "story_pb2.RetractionReason.ValueType", progress_percent: int) -> None:
        """Withdraws what was released of this revision, if anything was."""
        await self._withdraw(self._now, reason, progress_percent)

    def _new(self) -> _Telling:
        self._revisions += 1
        return _Telling(self._revisions, open_gate(self._screen, self._release))

    async def _withdraw(
        self, telling: _Telling, reason: "story_pb2.RetractionReason.ValueType", progress_percent: int
    ) -> None:
        if telling.sent:
            following = max(self._now.revision, telling.revision + 1)
            retraction = story_pb2.Retraction(from_segment=1, revision=following, reason=reason)
            await self._emitter.emit(retraction, progress_percent)
            telling.sent.clear()

    async def _send(self, released: Sequence[Released], progress_percent: int, *, last: bool = False) -> None:
        for index, each in enumerate(released, start=1):
            self._now.sent.append(each.text)
            content = story_pb2.Content(
                chunk=each.text,
                segment=each.segment,
                revision=self._now.revision,
                is_complete=last and index == len(released),
            )
            if self._now.waiting is None:
                await self._emitter.emit(content, progress_percent)
            else:
                self._now.waiting.append(content)

    async def _send_last(self, released: Sequence[Released], progress_percent: int) -> None:
        # Every gate keeps its last unit until the text's end or its approval, so there is one to bear the mark.
        await self._send(released, progress_percent, last=not self._now.gate.blocked)
