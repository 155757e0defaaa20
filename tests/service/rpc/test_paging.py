"""ListRuns gives every run once, newest first, whatever begins meanwhile; GetRun says where a run stands."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import grpc
import pytest

from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from service.errors import ContentRejected, PageTokenInvalid
from service.runtime.paging import decode_token, encode_token
from service.runtime.spec import LOCAL_PRINCIPAL
from tests.harness import WITHIN, Served, serving
from tests.service.rpc.raw import refusal
from tests.service.runtime.scripted import Work, node, read_on, spec, telling

LIST = "fabula.run.v1.RunService/ListRuns"


def runs_of(served: Served) -> "run_service_pb2_grpc.RunServiceAsyncStub":
    return run_service_pb2_grpc.RunServiceStub(served.channel)


async def start(served: Served, job: Any = None, child_id: str = "1") -> str:
    """A run of this child; it has ended unless its job waits."""
    waits = isinstance(job, Work)
    changes = {"principal": LOCAL_PRINCIPAL, "child_id": child_id}
    subscription = await served.app.runner.start(spec(job or telling(), **changes))
    run_id = subscription.run.run_id
    if waits:
        subscription.close()
        return run_id
    await read_on(subscription)
    active = served.app.runner.active_runs.get(run_id)
    if active is not None:
        await active.ended.wait()
    return run_id


async def page(served: Served, token: str = "", **filters: Any) -> tuple[list[str], str]:
    answer = await runs_of(served).ListRuns(run_pb2.ListRunsRequest(page_token=token, **filters))
    return [run.run_id for run in answer.runs], answer.next_page_token


async def pages(served: Served, **filters: Any) -> list[list[str]]:
    """Every page; a new run begins before each but the first."""
    found, token = [], ""
    while True:
        runs, token = await page(served, token, **filters)
        found.append(runs)
        if not token:
            return found
        await start(served)


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
@pytest.mark.parametrize("size", [1, 3, 4, 5, 11, 12, 13])
async def test_pages_have_no_gap_and_no_repetition_while_new_runs_begin(store: str, size: int, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/fabula.db" if store == "sqlite" else store
    async with serving(log_url=url, store_url=url, commit_interval_seconds=0) as served, asyncio.timeout(WITHIN):
        begun = [await start(served) for _ in range(12)]
        found = await pages(served, page_size=size)
    assert [run_id for runs in found for run_id in runs] == begun[::-1]
    assert {len(runs) for runs in found[:-1]} <= {size}
    assert 1 <= len(found[-1]) <= size


async def test_a_page_without_a_size_has_fifty_runs() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        begun = [await start(served) for _ in range(51)]
        first, token = await page(served)
        assert first == begun[:0:-1]
        assert await page(served, token) == (begun[:1], "")


async def test_no_runs_are_one_empty_page() -> None:
    async with serving() as served:
        assert await page(served) == ([], "")
        assert await page(served, child_id="nobody") == ([], "")


async def test_runs_are_found_by_child_and_by_state() -> None:
    work = Work()
    async with serving() as served, asyncio.timeout(WITHIN):
        told = [await start(served, child_id=child) for child in ("1", "2", "1", "2", "2")]
        failed = await start(served, telling(end=ContentRejected("Not fit.")), "2")
        under_way = await start(served, work, "1")
        assert await pages(served, child_id="2", page_size=2) == [[failed, told[4]], [told[3], told[1]]]
        assert await page(served, state=run_pb2.RUN_STATE_FAILED) == ([failed], "")
        assert await page(served, state=run_pb2.RUN_STATE_RUNNING) == ([under_way], "")
        assert await page(served, state=run_pb2.RUN_STATE_FAILED, child_id="1") == ([], "")
        work.go.set()


async def test_a_token_is_of_its_filters_alone() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        for child in "1122":
            await start(served, child_id=child)
        made_with: list[dict[str, Any]] = [{}, {"child_id": "2"}, {"state": run_pb2.RUN_STATE_SUCCEEDED}]
        for filters in made_with:
            _, token = await page(served, page_size=1, **filters)
            for others in made_with:
                if others == filters:
                    assert (await page(served, token, page_size=2, **others))[0]
                    continue
                request = run_pb2.ListRunsRequest(page_token=token, page_size=1, **others)
                answer = await refusal(served.channel, LIST, request)
                assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
                assert token not in answer.everything


def test_a_token_comes_back_as_it_went_in() -> None:
    token = encode_token(2**62, "a-run_1", "house", "1", 3)
    assert decode_token(token, "house", "1", 3) == (2**62, "a-run_1")
    assert len(token) <= 512
    assert token.isascii()
    assert decode_token("", "house") is None


@pytest.mark.parametrize("filters", [("house",), ("house", "1", 4), ("house", "", 3), ("other", "1", 3), ()])
def test_a_token_of_other_filters_is_refused(filters: tuple[object, ...]) -> None:
    with pytest.raises(PageTokenInvalid):
        decode_token(encode_token(1, "run", "house", "1", 3), *filters)


def test_a_token_that_was_cut_or_changed_is_refused() -> None:
    token = encode_token(1, "run", "house")
    data = base64.urlsafe_b64decode(token)
    broken = [
        token[:-1],
        token[:-4],
        token[:8],
        f"{token}=",
        "é",
        " ",
        "====",
        "a",
        base64.urlsafe_b64encode(data[:15]).decode(),
    ]
    broken += [base64.urlsafe_b64encode(data[:-1] + b"\xff").decode(), token.replace("=", "") + "!"]
    for each in broken:
        with pytest.raises(PageTokenInvalid):
            decode_token(each, "house")


async def test_get_run_says_how_far_its_events_reach() -> None:
    work = Work()
    async with serving() as served, asyncio.timeout(WITHIN):
        run_id = await start(served, work)
        await work.begun.wait()
        watching = await served.app.runner.watch(LOCAL_PRINCIPAL, run_id, 0)
        async for batch in watching.batches(WITHIN):
            assert len(batch) == 1
            break
        run = (await runs_of(served).GetRun(run_pb2.GetRunRequest(run_id=run_id))).run
        assert (run.state, run.oldest_sequence, run.last_sequence) == (run_pb2.RUN_STATE_RUNNING, 1, 1)
        assert not run.HasField("end_time")
        work.go.set()
        await read_on(watching)
        await asyncio.gather(*(active.ended.wait() for active in served.app.runner.active_runs.values()))
        run = (await runs_of(served).GetRun(run_pb2.GetRunRequest(run_id=run_id))).run
    assert (run.state, run.oldest_sequence, run.last_sequence) == (run_pb2.RUN_STATE_SUCCEEDED, 1, 2)
    assert (run.workflow, run.child_id, run.model) == ("story", "1", "scripted")
    assert run.create_time.ToNanoseconds() <= run.update_time.ToNanoseconds() == run.end_time.ToNanoseconds()
    assert not run.HasField("error")


async def test_get_run_and_list_runs_tell_why_a_run_failed() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        run_id = await start(served, telling(node("one"), end=ContentRejected("Not fit.")))
        run = (await runs_of(served).GetRun(run_pb2.GetRunRequest(run_id=run_id))).run
        [listed] = (await runs_of(served).ListRuns(run_pb2.ListRunsRequest())).runs
    assert run == listed
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert run.error.code == run_pb2.ERROR_REASON_CONTENT_REJECTED
    assert run.error.status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert run.last_sequence == 2
