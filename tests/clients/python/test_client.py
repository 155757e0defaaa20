"""What the client sends, and what it answers to single calls."""

import grpc
import pytest

from fabula import (
    FabulaClient,
    GenerateStoryRequest,
    NotFound,
    OnDisconnect,
    Release,
    RetryPolicy,
    Run,
    RunState,
    Unavailable,
)
from fabula.channel import is_loopback
from tests.clients.python.conftest import HASTY
from tests.clients.python.scripted import RUN_ID, STORY, Scripted, serving
from tests.clients.python.statuses import LOST, status


async def test_tell_sends_what_it_is_given(client: FabulaClient, service: Scripted) -> None:
    await client.tell(
        "a fox",
        child_id="7",
        age=5,
        chapter_number=2,
        title="Fox",
        story_id="s1",
        chapter_id="ch1",
        choice_id="c1",
        planned_chapters=4,
        request_id="mine",
        release=Release.RELEASE_TOKEN,
        on_disconnect=OnDisconnect.ON_DISCONNECT_CANCEL,
    ).result()
    assert service.heard[0].request == GenerateStoryRequest(
        child_id="7",
        theme="a fox",
        age=5,
        chapter_number=2,
        title="Fox",
        story_id="s1",
        chapter_id="ch1",
        choice_id="c1",
        planned_chapters=4,
        request_id="mine",
        release=Release.RELEASE_TOKEN,
        on_disconnect=OnDisconnect.ON_DISCONNECT_CANCEL,
    )


async def test_tell_sends_defaults_and_a_fresh_request_id_each_time(client: FabulaClient, service: Scripted) -> None:
    await client.tell("a fox", age=None, custom_user_input=None).result()
    await client.tell("a fox").result()
    first, second = (call.request for call in service.heard)
    assert first.request_id != second.request_id
    assert first == GenerateStoryRequest(theme="a fox", child_id="1", request_id=first.request_id)


async def test_generate_leaves_the_callers_request_alone(client: FabulaClient, service: Scripted) -> None:
    request = GenerateStoryRequest(theme="a fox", child_id="3")
    await client.generate(request).result()
    assert request == GenerateStoryRequest(theme="a fox", child_id="3")
    assert service.heard[0].request.request_id


async def test_two_turns_at_once_are_refused_here() -> None:
    with pytest.raises(ValueError, match="one turn"):
        FabulaClient().tell("a fox", choice_id="c1", custom_user_input="It flies.")


async def test_create_answers_with_the_chapter(client: FabulaClient, service: Scripted) -> None:
    service.refusals.append(LOST)
    answer = await client.create("a fox", age=6)
    assert (answer.run_id, answer.complete.story_content) == (RUN_ID, STORY)
    first, second = (call.request.story for call in service.heard)
    assert first == second
    assert (first.age, bool(first.request_id)) == (6, True)


async def test_runs_are_listed_page_after_page(client: FabulaClient, service: Scripted) -> None:
    service.runs = [Run(run_id=f"run-{number}") for number in range(5)]
    state = RunState.RUN_STATE_RUNNING
    listed = [run.run_id async for run in client.list_runs("7", state=state, page_size=2)]
    assert listed == [f"run-{number}" for number in range(5)]
    assert [call.request.page_token for call in service.heard] == ["", "2", "4"]
    assert {(call.request.child_id, call.request.state) for call in service.heard} == {("7", state)}


async def test_a_run_is_read_and_cancelled(client: FabulaClient) -> None:
    assert (await client.get_run("run-1")).state == RunState.RUN_STATE_RUNNING
    assert (await client.cancel_run("run-1")).state == RunState.RUN_STATE_CANCELLED


async def test_a_run_is_paused_and_continued(client: FabulaClient) -> None:
    assert (await client.pause_run("run-1")).state == RunState.RUN_STATE_PAUSED
    assert (await client.continue_run("run-1")).state == RunState.RUN_STATE_RUNNING


async def test_a_single_call_is_repeated_while_the_service_is_unavailable(
    client: FabulaClient, service: Scripted
) -> None:
    service.refusals.extend([LOST] * HASTY.attempts)
    await client.get_run("run-1")
    service.refusals.extend([LOST] * (HASTY.attempts + 1))
    with pytest.raises(Unavailable):
        await client.get_run("run-1")


async def test_a_single_call_that_is_refused_is_not_repeated(client: FabulaClient, service: Scripted) -> None:
    service.refusals.append(status(grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND"))
    with pytest.raises(NotFound):
        await client.cancel_run("nobody")
    assert service.methods == ["CancelRun"]


async def test_metadata_goes_along_with_every_call(address: str, service: Scripted) -> None:
    async with FabulaClient(address, metadata=[("authorization", "Bearer x")]) as client:
        await client.tell("a fox").result()
        await client.watch(RUN_ID).result()
        await client.get_run(RUN_ID)
        assert [run async for run in client.list_runs()] == []
    assert [call.metadata.get("authorization") for call in service.heard] == ["Bearer x"] * 4


async def test_waiting_for_a_service_ends_when_it_answers_or_when_time_is_up(address: str) -> None:
    async with FabulaClient(address) as client:
        await client.wait_until_ready()
    async with serving(Scripted([])) as port:
        pass
    async with FabulaClient(f"127.0.0.1:{port}") as nobody:
        with pytest.raises(Unavailable):
            await nobody.wait_until_ready(within=0.2)


async def test_a_proxy_of_the_environment_is_not_asked_for_a_service_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    async with FabulaClient(address, retry=HASTY) as client:
        assert (await client.get_run("run-1")).run_id == "run-1"


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("localhost:50051", True),
        ("127.0.0.1:50051", True),
        ("127.8.0.1:1", True),
        ("[::1]:50051", True),
        ("dns:///localhost:50051", True),
        ("ipv4:127.0.0.1:50051", True),
        ("ipv6:[::1]:50051", True),
        ("unix:/run/fabula.sock", True),
        ("stories.example:443", False),
        ("dns:///stories.example:443", False),
        ("192.0.2.7:50051", False),
        ("[2001:db8::1]:50051", False),
        ("localhost.example:1", False),
    ],
)
def test_loopback_is_told_from_the_world(address: str, local: bool) -> None:
    assert is_loopback(address) is local


@pytest.mark.parametrize(
    "bad", [{"initial_delay": 0}, {"max_delay": 0.01}, {"multiplier": 0.5}, {"attempts": -1}], ids=str
)
def test_a_policy_out_of_bounds_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        RetryPolicy(**bad)  # type: ignore[arg-type]
