"""kill -9 at any moment: what a reader has seen is still there afterwards, and the run has one end."""

import asyncio
import random
from pathlib import Path

import pytest

from fabula import FabulaClient, RunInterrupted
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.harness import QUICK, WITHIN, ServerProcess, outcome, standing

KILLS = 6
READERS = 9
"""Streams under way at each kill: 54 moments of a stream in all. `make bench` kills once a moment."""


class Reader:
    """Reads one story until the server is gone. `begun` is set at its first event, `moment` at a random one."""

    def __init__(self, client: FabulaClient, theme: str) -> None:
        self.seen: list[story_pb2.StoryEvent] = []
        self.begun, self.moment = asyncio.Event(), asyncio.Event()
        self._at = random.Random(theme).randint(2, 40)
        self.task = asyncio.create_task(self._read(client, theme))

    async def _read(self, client: FabulaClient, theme: str) -> None:
        async for event in client.tell(theme):
            self.seen.append(event)
            self.begun.set()
            if event.sequence == self._at:
                self.moment.set()


async def check(client: FabulaClient, seen: list[story_pb2.StoryEvent]) -> None:
    """What was seen is there, byte for byte; the rest follows; one terminal event ends it."""
    run_id = seen[0].run_id
    kept, error = await outcome(client.watch(run_id))
    assert [event.SerializeToString() for event in kept[: len(seen)]] == [event.SerializeToString() for event in seen]
    assert [event.sequence for event in kept] == list(range(1, len(kept) + 1))
    assert [event.HasField("complete") or event.HasField("error") for event in kept] == [False] * (len(kept) - 1) + [
        True
    ]
    rest, _ = await outcome(client.watch(run_id, after_sequence=seen[-1].sequence))
    assert seen + rest == kept
    run = await client.get_run(run_id)
    if kept[-1].HasField("complete"):
        assert run.state == run_pb2.RUN_STATE_SUCCEEDED
        return
    assert isinstance(error, RunInterrupted)
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert error.retryable
    assert bool(standing(kept)) == bool(error.partial_text_id)


@pytest.mark.timeout(240)
async def test_after_kill_9_every_seen_event_is_there_and_one_terminal_event_ends_the_run(tmp_path: Path) -> None:
    async with ServerProcess(tmp_path, embedded_tokens_per_second=250) as server:
        await crash_and_check(server)


async def crash_and_check(server: ServerProcess) -> None:
    for kill in range(KILLS):
        async with FabulaClient(server.address, retry=QUICK) as client, asyncio.timeout(WITHIN):
            readers = [Reader(client, f"kill {kill} reader {number}") for number in range(READERS)]
            await asyncio.gather(*(reader.begun.wait() for reader in readers))
            await asyncio.wait(
                [asyncio.create_task(reader.moment.wait()) for reader in readers],
                return_when=asyncio.FIRST_COMPLETED,
            )
            await server.kill()
            for reader in readers:
                reader.task.cancel()
            await asyncio.wait([reader.task for reader in readers])
        await server.start()
        async with FabulaClient(server.address, retry=QUICK) as client, asyncio.timeout(WITHIN):
            await asyncio.gather(*(check(client, reader.seen) for reader in readers))
