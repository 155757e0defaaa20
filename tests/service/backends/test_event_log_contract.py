"""What every EventLog promises."""

import asyncio

import pytest

from service.runtime.ports import Batch, Event, EventLog, LogConflictError, LogTail
from tests.service.backends.samples import everything, extend, follow, payload


async def test_sequences_run_from_one_without_a_gap_over_batches(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a", b"b"]))
    await log.append("run", Batch(2, [b"c"]))

    assert await log.read("run", 0, 10) == [Event(1, b"a"), Event(2, b"b"), Event(3, b"c")]


async def test_a_read_starts_after_its_cursor_and_keeps_its_limit(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a", b"b", b"c", b"d"]))

    assert [event.sequence for event in await log.read("run", 1, 2)] == [2, 3]
    assert [event.sequence for event in await log.read("run", 3, 2)] == [4]
    assert not await log.read("run", 4, 2)
    assert not await log.read("run", 99, 2)
    assert not await log.read("another", 0, 2)


async def test_bytes_come_back_as_they_went_in(log: EventLog) -> None:
    payloads = [b"", b"\x00", bytes(range(256)), "Märchen 🐉".encode(), b"x" * 1_000_000]
    await log.append("run", Batch(0, payloads))

    assert [event.payload for event in await log.read("run", 0, 10)] == payloads


async def test_runs_are_numbered_apart_from_each_other(log: EventLog) -> None:
    await asyncio.gather(*(extend(log, f"run{n}", payload(f"run{n}", 1), payload(f"run{n}", 2)) for n in range(20)))

    for n in range(20):
        assert await everything(log, f"run{n}") == [Event(s, payload(f"run{n}", s)) for s in (1, 2)]


@pytest.mark.parametrize("after", [0, 1, 3, 99, -1])
async def test_an_append_that_does_not_follow_on_the_last_event_conflicts(log: EventLog, after: int) -> None:
    await log.append("run", Batch(0, [b"a", b"b"]))

    with pytest.raises(LogConflictError):
        await log.append("run", Batch(after, [b"x"]))

    assert [event.payload for event in await log.read("run", 0, 10)] == [b"a", b"b"]


async def test_of_racing_appends_exactly_one_wins(log: EventLog) -> None:
    batches = [Batch(0, [f"{n}".encode()]) for n in range(20)]
    results = await asyncio.gather(*(log.append("run", batch) for batch in batches), return_exceptions=True)

    won = [batch.payloads[0] for batch, result in zip(batches, results, strict=True) if result is None]
    assert [event.payload for event in await log.read("run", 0, 10)] == won
    assert len(won) == 1
    assert sum(isinstance(result, LogConflictError) for result in results) == 19


async def test_the_last_payload_of_a_terminal_batch_ends_the_run(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a", b"b"], terminal=True))

    assert await log.read("run", 0, 10) == [Event(1, b"a"), Event(2, b"b", terminal=True)]
    for batch in (Batch(2, [b"c"]), Batch(2, [], rewrites={1: b""})):
        with pytest.raises(LogConflictError):
            await log.append("run", batch)
    assert await log.read("run", 0, 10) == [Event(1, b"a"), Event(2, b"b", terminal=True)]


async def test_rewrites_replace_the_bytes_of_earlier_events_only(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a", b"b", b"c"]))
    await log.append("other", Batch(0, [b"a", b"b"]))
    await log.append("run", Batch(3, [b"d"], rewrites={1: b"blank one", 3: b""}))

    assert [event.payload for event in await log.read("run", 0, 10)] == [b"blank one", b"b", b"", b"d"]
    assert [event.payload for event in await log.read("other", 0, 10)] == [b"a", b"b"]


async def test_rewrites_may_name_events_of_their_own_batch(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a"]))
    await log.append("run", Batch(1, [b"b", b"c"], terminal=True, rewrites={1: b"A", 2: b"B", 3: b"C"}))

    assert await log.read("run", 0, 10) == [Event(1, b"A"), Event(2, b"B"), Event(3, b"C", terminal=True)]


async def test_a_batch_may_rewrite_without_adding(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a"]))
    await log.append("run", Batch(1, [], rewrites={1: b"A"}))

    assert await log.read("run", 0, 10) == [Event(1, b"A")]
    assert await log.tails(["run"]) == {"run": LogTail(1, 1)}


@pytest.mark.parametrize(
    "batch",
    [Batch(1, [b"b"], rewrites={3: b"x"}), Batch(1, [b"b"], rewrites={0: b"x"}), Batch(1, [], terminal=True)],
)
async def test_a_batch_that_makes_no_sense_is_refused_and_changes_nothing(log: EventLog, batch: Batch) -> None:
    await log.append("run", Batch(0, [b"a"]))

    with pytest.raises(ValueError, match="batch"):
        await log.append("run", batch)

    assert await log.read("run", 0, 10) == [Event(1, b"a")]


async def test_a_conflicting_batch_rewrites_nothing(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a", b"b"]))

    with pytest.raises(LogConflictError):
        await log.append("run", Batch(1, [b"x"], rewrites={1: b"x"}))

    assert [event.payload for event in await log.read("run", 0, 10)] == [b"a", b"b"]


async def test_a_caller_may_reuse_its_lists_as_soon_as_it_called(log: EventLog) -> None:
    payloads, rewrites = [b"a", b"b"], {1: b"A"}
    appending = asyncio.create_task(log.append("run", Batch(0, payloads, rewrites=rewrites)))
    await asyncio.sleep(0)
    payloads.clear()
    rewrites.clear()
    await appending

    assert [event.payload for event in await log.read("run", 0, 10)] == [b"A", b"b"]


async def test_tails_answer_for_every_run_asked_for(log: EventLog) -> None:
    await log.append("open", Batch(0, [b"a", b"b"]))
    await log.append("ended", Batch(0, [b"a"], terminal=True))

    assert await log.tails(["open", "ended", "missing", "open"]) == {
        "open": LogTail(1, 2),
        "ended": LogTail(1, 1, terminal=True),
        "missing": LogTail(),
    }
    assert await log.tails([]) == {}


async def test_tails_may_be_asked_for_thousands_of_runs(log: EventLog) -> None:
    await log.append("run7", Batch(0, [b"a"]))
    run_ids = [f"run{n}" for n in range(40_000)]

    tails = await log.tails(run_ids)

    assert set(tails) == set(run_ids)
    assert {run_id for run_id, tail in tails.items() if tail.last} == {"run7"}


async def test_a_wait_for_what_is_committed_returns_at_once(log: EventLog) -> None:
    await log.append("run", Batch(0, [b"a", b"b"], terminal=True))

    await log.wait("run", 0)
    await log.wait("run", 1)


async def test_a_wait_returns_when_the_event_that_it_waits_for_is_committed(log: EventLog) -> None:
    seen: list[int] = []

    async def watch(after: int) -> None:
        await log.wait("run", after)
        seen.extend(event.sequence for event in await log.read("run", after, 1))

    async with asyncio.TaskGroup() as group:
        for after in (2, 0, 1):
            group.create_task(watch(after))
        for after in range(3):
            await log.append("run", Batch(after, [b"x"]))

    assert sorted(seen) == [1, 2, 3]


async def test_a_thousand_waiters_wake_by_one_append(log: EventLog) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(log.wait("run", 0)) for _ in range(1000)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        await log.append("run", Batch(0, [b"a"]))


async def test_an_append_to_another_run_wakes_nobody(log: EventLog) -> None:
    waiting = asyncio.create_task(log.wait("run", 0))
    await log.append("another", Batch(0, [b"a"]))
    await log.tails(["run", "another", "missing"])
    assert not waiting.done()

    await log.append("run", Batch(0, [b"a"]))
    await waiting


async def test_a_cancelled_wait_leaves_the_other_waiters_waiting(log: EventLog) -> None:
    waiting = [asyncio.create_task(log.wait("run", 0)) for _ in range(3)]
    await log.tails(["run"])
    waiting[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]

    await log.append("run", Batch(0, [b"a"]))
    await asyncio.gather(waiting[0], waiting[2])


async def test_followers_see_every_event_once_and_in_order(log: EventLog) -> None:
    async def write() -> None:
        for after in range(0, 60, 3):
            events = [payload("run", after + n) for n in (1, 2, 3)]
            await log.append("run", Batch(after, events, terminal=after == 57))

    async with asyncio.TaskGroup() as group:
        following = [group.create_task(follow(log, "run", after=start)) for start in (0, 0, 5, 30, 59)]
        group.create_task(write())

    whole = [Event(s, payload("run", s), terminal=s == 60) for s in range(1, 61)]
    assert [task.result() for task in following] == [whole[start:] for start in (0, 0, 5, 30, 59)]


async def test_fifty_runs_may_be_written_at_once(log: EventLog) -> None:
    async def write(run_id: str) -> None:
        for after in range(100):
            await log.append(run_id, Batch(after, [payload(run_id, after + 1)]))

    run_ids = [f"run{n}" for n in range(50)]
    await asyncio.gather(*map(write, run_ids))

    assert await log.tails(run_ids) == dict.fromkeys(run_ids, LogTail(1, 100))
    for run_id in run_ids:
        assert [event.payload for event in await everything(log, run_id)] == [payload(run_id, s) for s in range(1, 101)]
