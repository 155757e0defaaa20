"""The commands of `fabula` for stories and children, run as users run them."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import grpc
import pytest
from google.protobuf import json_format

from fabula import Child, ReadingLevel, Story
from fabula.child.v1.child_pb2 import CreateChildRequest, TopicList, UpdateChildRequest
from fabula.story.v1.story_pb2 import Chapter
from tests.clients.python.program import run, start
from tests.clients.python.scripted import CHOICES, PATIENCE, Scripted
from tests.clients.python.statuses import LOST, status

Code = grpc.StatusCode
EVIL = "\x1b[2J\x9b1m\x07"


def tale() -> Story:
    chapters = [
        Chapter(chapter_id="a", chapter_number=1, story_content="Once."),
        Chapter(chapter_id="b", parent_chapter_id="a", chapter_number=2, story_content="Left.", choices=CHOICES),
        Chapter(chapter_id="c", parent_chapter_id="a", chapter_number=2, story_content="Right.", choices=CHOICES),
    ]
    return Story(story_id="s1", child_id="7", title="The Fox", planned_chapters=3, chapters=chapters)


async def start_on_a_terminal(*arguments: str) -> tuple[Process, int]:
    """The program and the terminal that it asks on."""
    ours, theirs = os.openpty()
    command = (sys.executable, "-m", "fabula.cli", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=theirs, stdout=PIPE, stderr=theirs)
    os.close(theirs)
    return process, ours


async def shown_until(terminal: int, text: str) -> str:
    shown = ""
    while text not in shown:
        shown += (await asyncio.wait_for(asyncio.to_thread(os.read, terminal, 4096), PATIENCE)).decode()
    return shown


async def test_stories_are_listed_one_a_line(address: str, service: Scripted) -> None:
    service.stories = [Story(story_id=f"s{number}", child_id="7", title="The\nFox") for number in range(60)]
    code, out, _ = await run("--address", address, "stories", "--child-id", "7")
    assert (code, len(out.splitlines())) == (0, 60)
    assert (out.split()[0], out.splitlines()[0].split("  ")[-1]) == ("s0", "The Fox")
    assert {call.request.child_id for call in service.heard} == {"7"}


async def test_a_story_is_printed_along_its_newest_branch(address: str, service: Scripted) -> None:
    service.stories.append(tale())
    code, out, err = await run("--address", address, "story", "s1")
    assert (code, out) == (0, "The Fox\n\nChapter 1\n\nOnce.\n\nChapter 2\n\nRight.\n")
    assert "1 chapter on other branches" in err
    assert "tell --story-id s1 --chapter-id c --child-id 7 --choice-id c1\n" in err


async def test_a_story_that_is_told_says_so(address: str, service: Scripted) -> None:
    story = tale()
    del story.chapters[1:]
    service.stories.append(story)
    assert (await run("--address", address, "story", "s1"))[2] == "\nThe end.\n"


async def test_a_story_without_a_chapter_yet_is_its_title(address: str, service: Scripted) -> None:
    service.stories.append(Story(story_id="s1", title="The Fox"))
    assert (await run("--address", address, "story", "s1"))[:2] == (0, "The Fox\n")


async def test_json_prints_the_whole_story(address: str, service: Scripted) -> None:
    service.stories.append(tale())
    code, out, err = await run("--address", address, "story", "s1", "--json")
    assert (code, err, len(out.splitlines())) == (0, "", 1)
    assert json_format.Parse(out, Story()) == tale()


async def test_nothing_of_the_shelf_commands_the_terminal(address: str, service: Scripted) -> None:
    service.children.append(Child(child_id="7", nickname=f"M{EVIL}ia", interests=[EVIL], avoid_topics=[EVIL]))
    service.stories.append(Story(story_id="s1", title=f"F{EVIL}ox", chapters=[Chapter(story_content="A.")]))
    for words in (("children",), ("stories",), ("story", "s1"), ("story", "s1", "--json")):
        code, out, err = await run("--address", address, *words)
        assert code == 0
        assert not set(EVIL[0] + "\x9b\x07") & set(out + err), words


async def test_a_message_of_the_service_does_not_command_the_terminal(address: str, service: Scripted) -> None:
    refusal = status(Code.NOT_FOUND, "STORY_NOT_FOUND")
    refusal.message = f"Gone{EVIL}."
    service.refusals.append(refusal)
    assert await run("--address", address, "story", "s1") == (1, "", "Gone[2J1m.\n")


async def test_a_child_is_added_changed_and_listed(address: str, service: Scripted) -> None:
    code, out, _ = await run(
        "--address", address, "add-child", "Mia", "--age", "6", "--level", "beginner", "--interest", "foxes",
        "--interest", "moons", "--avoid", "spiders", "--language", "de",
    )  # fmt: skip
    line = "child-1  Mia  age 6  level beginner  de  likes foxes, moons  without spiders\n"
    assert (code, out) == (0, line)
    code, out, _ = await run(
        "--address", address, "change-child", "child-1", "--age", "7", "--level", "by-age", "--no-interests",
        "--avoid", "wolves",
    )  # fmt: skip
    assert (code, out) == (0, "child-1  Mia  age 7  level by age  de  without wolves\n")
    assert (await run("--address", address, "children"))[:2] == (0, out)
    assert [call.request for call in service.heard[:2]] == [
        CreateChildRequest(
            nickname="Mia",
            age=6,
            reading_level=ReadingLevel.READING_LEVEL_BEGINNER,
            interests=["foxes", "moons"],
            avoid_topics=["spiders"],
            language="de",
        ),
        UpdateChildRequest(
            child_id="child-1",
            age=7,
            reading_level=ReadingLevel.READING_LEVEL_UNSPECIFIED,
            interests=TopicList(),
            avoid_topics=TopicList(topics=["wolves"]),
        ),
    ]


async def test_a_child_of_nothing_but_name_and_age_leaves_the_rest_to_the_service(
    address: str, service: Scripted
) -> None:
    await run("--address", address, "add-child", "Mia", "--age", "6")
    assert service.heard[0].request == CreateChildRequest(nickname="Mia", age=6)


async def test_a_child_that_may_have_been_added_is_said_to_be_looked_for(address: str, service: Scripted) -> None:
    service.breaks.append(LOST)
    code, out, err = await run("--address", address, "add-child", "Mia", "--age", "6")
    assert (code, out) == (1, "")
    assert err.endswith(f"Whether the call was done is not known. See: fabula --address {address} children\n")
    assert service.methods == ["CreateChild"]


@pytest.mark.parametrize("what", ["delete-story", "delete-child"])
async def test_yes_erases_without_asking(address: str, service: Scripted, what: str) -> None:
    service.stories.append(Story(story_id="x"))
    service.children.append(Child(child_id="x"))
    code, out, err = await run("--address", address, what, "x", "--yes")
    assert (code, err) == (0, "")
    assert out.endswith(" x is erased.\n")
    assert len(service.stories) + len(service.children) == 1
    code, out, err = await run("--address", address, what, "x", "--yes")
    assert (code, out, err.split()[0]) == (1, "", "NOT_FOUND")


@pytest.mark.parametrize("what", ["delete-story", "delete-child"])
async def test_without_a_terminal_and_without_yes_nothing_is_erased(address: str, service: Scripted, what: str) -> None:
    code, _, err = await run("--address", address, what, "x")
    assert (code, service.heard) == (2, [])
    assert "say --yes" in err


@pytest.mark.parametrize(
    ("typed", "code", "calls"),
    [("yes", 0, ["DeleteStory"]), (" YES ", 0, ["DeleteStory"]), ("y", 1, []), ("", 1, []), ("\udcff", 1, [])],
)
async def test_on_a_terminal_only_yes_erases(
    address: str, service: Scripted, typed: str, code: int, calls: list[str]
) -> None:
    service.stories.append(Story(story_id="s1"))
    process, terminal = await start_on_a_terminal("--address", address, "delete-story", "s1")
    asked = await shown_until(terminal, "Type yes: ")
    assert asked == "Story s1 with its runs will be erased, and nothing brings it back. Type yes: "
    os.write(terminal, typed.encode(errors="surrogateescape") + b"\n")
    await asyncio.wait_for(process.communicate(), PATIENCE)
    os.close(terminal)
    assert (process.returncode, service.methods) == (code, calls)


async def test_ctrl_c_at_the_question_erases_nothing(address: str, service: Scripted) -> None:
    process, terminal = await start_on_a_terminal("--address", address, "delete-child", "7")
    await shown_until(terminal, "Type yes: ")
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), PATIENCE)
    os.close(terminal)
    assert (process.returncode, service.heard) == (130, [])


@pytest.mark.parametrize("words", [("stories",), ("add-child", "Mia", "--age", "6"), ("delete-story", "s1", "--yes")])
async def test_ctrl_c_ends_the_wait_for_an_answer_at_once(
    address: str, service: Scripted, words: tuple[str, ...]
) -> None:
    service.answer.clear()
    process = await start("--address", address, *words)
    await asyncio.wait_for(service.asked.wait(), PATIENCE)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, out, err) == (130, b"", b"")
