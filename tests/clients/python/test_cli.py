"""The program `fabula`, run as users run it."""

import asyncio
import json
import os
import signal

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2

from fabula import Run, RunState, StoryEvent
from tests.clients.python import scripted
from tests.clients.python.program import read_until, run, start
from tests.clients.python.scripted import PATIENCE, RUN_ID, SENTENCES, STORY, Scripted, cut, held, serving
from tests.clients.python.statuses import retry_in, status

Code = grpc.StatusCode


async def test_tell_prints_the_story_and_nothing_else_to_stdout(address: str, service: Scripted) -> None:
    code, out, err = await run(
        "--address", address, "tell", "a fox", "--age", "5", "--child-id", "7", "--title", "Fox", "--chapter", "2",
        "--story-id", "s1", "--chapter-id", "ch1", "--turn", "It flies.", "--release", "paragraph",
        "--request-id", "mine",
    )  # fmt: skip
    assert (code, out) == (0, f"{STORY}\n")
    assert " 25%  writing…\n" in err
    assert f"watch {RUN_ID}" in err
    request = service.heard[0].request
    assert (request.theme, request.age, request.child_id, request.title) == ("a fox", 5, "7", "Fox")
    assert (request.chapter_number, request.story_id, request.custom_user_input) == (2, "s1", "It flies.")
    assert (request.chapter_id, request.release, request.request_id) == ("ch1", 2, "mine")


async def test_text_is_printed_as_it_comes(address: str, service: Scripted) -> None:
    service.plays.append(held(3, go_on := asyncio.Event()))
    process = await start("--address", address, "tell", "a fox")
    assert await read_until(process.stdout, SENTENCES[0]) == SENTENCES[0]
    go_on.set()
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert out.decode() == SENTENCES[1] + SENTENCES[2] + "\n"


async def test_json_prints_each_event_as_a_line(address: str, service: Scripted) -> None:
    code, out, err = await run("--address", address, "tell", "a fox", "--json")
    assert (code, err) == (0, "")
    assert [json_format.Parse(line, StoryEvent()) for line in out.splitlines()] == service.events
    assert json.loads(out.splitlines()[2])["content"]["chunk"] == SENTENCES[0]
    assert "progress_percent" in out


async def test_json_prints_the_error_event_too(address: str, service: Scripted) -> None:
    service.events = scripted.numbered(scripted.failed("MODEL_NOT_FOUND", Code.FAILED_PRECONDITION))
    code, out, err = await run("--address", address, "watch", RUN_ID, "--json")
    assert (code, err) == (1, "It ended with MODEL_NOT_FOUND.\n")
    assert json.loads(out)["error"]["code"] == "ERROR_REASON_MODEL_NOT_FOUND"


async def test_watch_begins_after_the_given_event(address: str, service: Scripted) -> None:
    code, out, _ = await run("--address", address, "watch", RUN_ID, "--after", "4")
    assert (code, out) == (0, f"{SENTENCES[2]}\n")
    assert service.heard[-1].request.after_sequence == 4


async def test_the_ready_commands_go_on_for_the_same_reader(address: str, service: Scripted) -> None:
    _, _, err = await run("--address", address, "tell", "a fox", "--child-id", "7", "--age", "5", "--chapters", "3")
    assert service.heard[0].request.planned_chapters == 3
    go_on = next(line for line in err.splitlines() if line.startswith("Go on with a choice: fabula "))
    assert go_on.endswith("tell --story-id s1 --chapter-id ch1 --child-id 7 --age 5 --choice-id c1")
    await run(*go_on.removeprefix("Go on with a choice: fabula ").split())
    request = service.heard[1].request
    assert (request.story_id, request.chapter_id, request.choice_id) == ("s1", "ch1", "c1")
    assert (request.child_id, request.age, request.planned_chapters) == ("7", 5, 0)


async def test_a_watched_run_goes_on_for_the_child_to_whom_it_is_told(address: str, service: Scripted) -> None:
    service.runs = [Run(run_id=RUN_ID, child_id="7")]
    _, _, err = await run("--address", address, "watch", RUN_ID)
    assert "--story-id s1 --chapter-id ch1 --child-id 7 --choice-id c1\n" in err


async def test_the_last_chapter_ends_with_the_end(address: str, service: Scripted) -> None:
    service.events = scripted.numbered(*service.events[:-1], scripted.complete(choices=()))
    code, out, err = await run("--address", address, "tell", "a fox")
    assert (code, out) == (0, f"{STORY}\n")
    assert "\nThe end.\n" in err
    assert "Go on" not in err


async def test_an_outage_that_lasts_is_told_and_so_is_its_end(address: str, service: Scripted) -> None:
    service.plays.append(cut(3, status(Code.UNAVAILABLE, "SHUTTING_DOWN", retry_in(1.5))))
    code, out, err = await run("--address", address, "tell", "a fox")
    assert (code, out) == (0, f"{STORY}\n")
    assert "writing…\nconnection lost, trying again…\nconnected again\n" in err


async def test_ctrl_c_ends_the_wait_for_a_connection_that_was_lost(address: str, service: Scripted) -> None:
    service.plays.append(cut(3, status(Code.UNAVAILABLE, "SHUTTING_DOWN", retry_in(3600))))
    process = await start("--address", address, "tell", "a fox", "--json")
    await read_until(process.stderr, "connection lost, trying again…\n")
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 130
    assert err.decode().startswith("Stopped. The run may go on for a while.")


async def test_a_broken_connection_is_not_noticed(address: str, service: Scripted) -> None:
    service.plays.extend([cut(0), cut(3), cut(1)])
    assert (await run("--address", address, "tell", "a fox"))[:2] == (0, f"{STORY}\n")


async def test_runs_are_listed_and_cancelled(address: str, service: Scripted) -> None:
    service.runs = [Run(run_id=f"run-{number}", state=RunState.RUN_STATE_RUNNING) for number in range(60)]
    code, out, _ = await run("--address", address, "runs", "--child-id", "7")
    assert (code, len(out.splitlines())) == (0, 60)
    assert out.startswith("run-0  running")
    assert service.heard[0].request.child_id == "7"
    code, out, _ = await run("--address", address, "cancel", "run-3")
    assert (code, out.split()[:2]) == (0, ["run-3", "cancelled"])


@pytest.mark.parametrize(("command", "state"), [("pause", "paused"), ("continue", "running")])
async def test_a_run_is_paused_and_continued(address: str, command: str, state: str) -> None:
    code, out, _ = await run("--address", address, command, "run-3")
    assert (code, out.split()[:2]) == (0, ["run-3", state])


async def test_a_refusal_is_one_plain_sentence(address: str, service: Scripted) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="age", description="must be 3 to 12")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    service.plays.append(cut(0, status(Code.INVALID_ARGUMENT, "VALIDATION_FAILED", bad)))
    refused = await run("--address", address, "tell", "a fox", "--age", "99")
    assert refused == (1, "", "The request was refused. age: must be 3 to 12\n")


async def test_a_failed_run_says_where_its_text_is_kept(address: str, service: Scripted) -> None:
    end = scripted.failed("MODEL_TIMEOUT", Code.UNAVAILABLE, partial_text_id=RUN_ID)
    service.events = scripted.numbered(*scripted.good_run()[:3], end)
    code, out, err = await run("--address", address, "tell", "a fox")
    assert (code, out) == (1, f"{SENTENCES[0]}\n")
    kept = f"It ended with MODEL_TIMEOUT. What was told is kept: fabula --address {address} watch {RUN_ID}\n"
    assert err.endswith(kept)


async def test_a_missing_service_is_named_with_what_to_do() -> None:
    async with serving(Scripted([])) as port:
        pass
    code, out, err = await run("--address", f"127.0.0.1:{port}", "tell", "a fox")
    assert (code, out) == (1, "")
    assert err == f"No service answers at 127.0.0.1:{port}: start it with `make run`.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("tell",),
        ("tell", " "),
        ("tell", "a fox", "--release", "never"),
        ("tell", "a fox", "--age", "five"),
        ("tell", "a fox", "--choice-id", "c1", "--turn", "It flies."),
        ("watch", RUN_ID, "--after", "99999999999"),
        ("add-child", "Mia"),
        ("add-child", "Mia", "--age", "6", "--level", "expert"),
        ("change-child", "1"),
        ("change-child", "1", "--interest", "moons", "--no-interests"),
        ("delete-child", "1"),
        ("delete-story", "s1"),
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    code, out, err = await run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: fabula")


async def test_ctrl_c_cancels_the_call_and_says_how_to_come_back(address: str, service: Scripted) -> None:
    service.plays.append(held(3, asyncio.Event()))
    process = await start("--address", address, "tell", "a fox")
    await read_until(process.stdout, SENTENCES[0])
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    await asyncio.wait_for(service.heard[0].cancelled.wait(), PATIENCE)
    assert process.returncode == 130
    last = err.decode().splitlines()[-1]
    assert f"watch {RUN_ID}" in last
    assert f"cancel {RUN_ID}" in last
    assert b"Traceback" not in err


async def test_a_pipe_closed_early_ends_it_quietly(address: str, service: Scripted) -> None:
    service.plays.append(held(3, go_on := asyncio.Event()))
    reading, writing = os.pipe()
    process = await start("--address", address, "tell", "a fox", "--json", stdout=writing)
    os.close(writing)
    await asyncio.wait_for(asyncio.to_thread(os.read, reading, 1), PATIENCE)
    os.close(reading)
    go_on.set()
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, err) == (1, b"")


async def test_on_a_terminal_the_story_stands_in_whole_lines(address: str, service: Scripted) -> None:
    ours, theirs = os.openpty()
    process = await start("--address", address, "tell", "a fox", stdout=theirs)
    os.close(theirs)
    await asyncio.wait_for(process.communicate(), PATIENCE)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert process.returncode == 0
    assert shown.replace("\r\n", "\n") == f"{STORY}\n"
