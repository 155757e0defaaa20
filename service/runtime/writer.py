"""The writer of one run: numbers, encodes and commits its events, in order, in batches."""

import asyncio
import time

from google.protobuf.message import Message

from service.runtime.ports import Batch, Codec, Encoded, Encoder, Envelope, EventLog

MAX_PENDING = 256
"""Events that may wait for their commit; `emit` waits beyond it, and with it the job and the model."""

_REPLAY_LIMIT = 256


class RunWriter:
    """The one writer of a run. `emit` queues and returns; what is queued while a commit is under way joins the next.

    A commit that fails ends the writer: that error is raised by every later call, and nothing more is written.
    """

    def __init__(self, log: EventLog, run_id: str, encoder: Encoder, last: int = 0, progress: int = 0) -> None:
        self._log = log
        self._run_id = run_id
        self._encoder = encoder
        self._last = last
        self._progress = progress
        self._pending: list[tuple[Message, int, int]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def run_id(self) -> str:
        """The run. See `ports.Emitter`."""
        return self._run_id

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest committed event."""
        return self._last

    @property
    def failed(self) -> bool:
        """Whether a commit failed."""
        flusher = self._flusher
        return flusher is not None and flusher.done() and (flusher.cancelled() or flusher.exception() is not None)

    async def emit(self, body: Message, progress_percent: int = 0) -> None:
        """Queues an event; waits while MAX_PENDING are queued. See `ports.Emitter`."""
        if self._closed:
            raise RuntimeError("the run has ended: its job must not emit any more")
        self._raise_failure()
        self._pending.append((body, progress_percent, time.time_ns()))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._drain(), name=f"writer {self._run_id}")
        if len(self._pending) >= MAX_PENDING:
            await self.flush()

    async def flush(self) -> None:
        """Returns once everything emitted so far is committed. Raises what made a commit fail."""
        if self._flusher is not None:
            # Not awaited itself: a caller that is cancelled must not take the commit with it.
            await asyncio.wait({self._flusher})
        self._raise_failure()

    async def finish(self, body: Message) -> bytes:
        """Commits what is queued and then the terminal event; returns its bytes."""
        self._closed = True
        await self.flush()
        encoded = self._encode(body, 100 if _is_success(body) else 0, time.time_ns(), self._last + 1)
        await self._log.append(self._run_id, Batch(self._last, [encoded.payload], True, encoded.rewrites))
        self._last += 1
        return encoded.payload

    async def _drain(self) -> None:
        while self._pending:
            items, self._pending = self._pending, []
            encoded = [self._encode(*item, self._last + 1 + index) for index, item in enumerate(items)]
            rewrites = {sequence: payload for each in encoded for sequence, payload in each.rewrites.items()}
            await self._log.append(
                self._run_id, Batch(self._last, [each.payload for each in encoded], rewrites=rewrites)
            )
            self._last += len(items)

    def _encode(self, body: Message, progress: int, time_ns: int, sequence: int) -> Encoded:
        self._progress = max(self._progress, min(progress, 100))
        return self._encoder.encode(body, Envelope(sequence, time_ns, self._progress))

    def _raise_failure(self) -> None:
        if self._flusher is not None and self._flusher.done():
            self._flusher.result()


def _is_success(body: Message) -> bool:
    return body.DESCRIPTOR.name != "RunError"


async def reopen(log: EventLog, codec: Codec, run_id: str) -> tuple[RunWriter, bytes | None]:
    """A writer that goes on where the run's log ends, and the terminal event if the log has one.

    For a run whose first writer is gone (a crash) or failed.
    """
    encoder, last, progress = codec.encoder(run_id), 0, 0
    while events := await log.read(run_id, last, _REPLAY_LIMIT):
        for event in events:
            if event.terminal:
                return RunWriter(log, run_id, encoder, event.sequence, progress), event.payload
            progress = encoder.restore(event.payload)
        last = events[-1].sequence
    return RunWriter(log, run_id, encoder, last, progress), None
