"""What the commands of the terminal program do. Each is given its arguments, as `fabula.arguments` parsed them."""

import argparse
import asyncio
import sys

from fabula.client import FabulaClient
from fabula.errors import Unavailable
from fabula.listing import chapters, child_line, json_line, newest_branch, run_line, story_line
from fabula.outage import OutageNotice
from fabula.story.v1 import story_pb2
from fabula.stream import StoryStream
from fabula.target import Target, kept_token
from fabula.teller import DEFAULT_CHILD, Teller, farewell, going_on
from fabula.terminal import Terminal, one_line

_CONNECT_SECONDS = 3.0


async def tell(options: argparse.Namespace) -> None:
    """Tells one chapter."""
    async with await _connect(options.target) as client:
        stream = client.tell(
            options.theme,
            child_id=options.child_id,
            age=options.age,
            chapter_number=options.chapter,
            title=options.title,
            story_id=options.story_id,
            chapter_id=options.chapter_id,
            choice_id=options.choice_id,
            custom_user_input=options.turn,
            planned_chapters=options.chapters,
            request_id=options.request_id,
            release=options.release,
        )
        await _follow(options, stream, _reader(options.child_id, options.age))


async def watch(options: argparse.Namespace) -> None:
    """Follows a run."""
    async with await _connect(options.target) as client:
        # The events do not say whose story it is, and the command that continues it has to.
        reader = () if options.json else _reader((await client.get_run(options.run_id)).child_id)
        await _follow(options, client.watch(options.run_id, options.after), reader)


async def runs(options: argparse.Namespace) -> None:
    """Lists runs."""
    async with await _connect(options.target) as client:
        async for run in client.list_runs(options.child_id):
            _print(run_line(run))


async def cancel(options: argparse.Namespace) -> None:
    """Cancels a run."""
    async with await _connect(options.target) as client:
        _print(run_line(await client.cancel_run(options.run_id)))


async def pause(options: argparse.Namespace) -> None:
    """Pauses a run."""
    async with await _connect(options.target) as client:
        _print(run_line(await client.pause_run(options.run_id)))


async def go_on(options: argparse.Namespace) -> None:
    """Goes on with a run."""
    async with await _connect(options.target) as client:
        _print(run_line(await client.continue_run(options.run_id)))


async def stories(options: argparse.Namespace) -> None:
    """Lists stories."""
    async with await _connect(options.target) as client:
        async for story in client.list_stories(options.child_id):
            _print(story_line(story))


async def story(options: argparse.Namespace) -> None:
    """Prints a story."""
    async with await _connect(options.target) as client:
        found = await client.get_story(options.story_id)
    if options.json:
        _print(json_line(found))
    else:
        _read_out(found, options.target)


async def delete_story(options: argparse.Namespace) -> None:
    """Erases a story."""
    async with await _connect(options.target) as client:
        await client.delete_story(options.story_id)
    _print(f"Story {one_line(options.story_id)} is erased.")


async def children(options: argparse.Namespace) -> None:
    """Lists children."""
    async with await _connect(options.target) as client:
        async for child in client.list_children():
            _print(child_line(child))


async def add_child(options: argparse.Namespace) -> None:
    """Makes a profile."""
    async with await _connect(options.target) as client:
        child = await client.create_child(
            options.nickname,
            options.age,
            reading_level=options.level,
            interests=options.interests,
            language=options.language,
            avoid_topics=options.avoid_topics,
        )
    _print(child_line(child))


async def change_child(options: argparse.Namespace) -> None:
    """Changes a profile."""
    async with await _connect(options.target) as client:
        child = await client.update_child(
            options.child_id,
            nickname=options.nickname,
            age=options.age,
            reading_level=options.level,
            interests=options.interests,
            language=options.language,
            avoid_topics=options.avoid_topics,
        )
    _print(child_line(child))


async def delete_child(options: argparse.Namespace) -> None:
    """Erases a child."""
    async with await _connect(options.target) as client:
        await client.delete_child(options.child_id)
    _print(f"Child {one_line(options.child_id)} is erased.")


async def _follow(options: argparse.Namespace, stream: StoryStream, reader: tuple[str, ...]) -> None:
    screen = Terminal(sys.stdout, sys.stderr)
    show = _print_event if options.json else Teller(screen, options.target, reader).show
    # Between lines of JSON nothing is redrawn: the next line would stand behind it.
    notice = OutageNotice(screen.say if options.json else screen.interrupt)
    stream.on_outage = notice.changed
    async with stream:
        try:
            async for event in stream:
                show(event)
        except asyncio.CancelledError:
            screen.say(farewell(stream.run_id, options.target))
            raise
        finally:
            notice.close()
            screen.end_line()


def _read_out(found: story_pb2.Story, target: Target) -> None:
    screen = Terminal(sys.stdout, sys.stderr)
    branch = newest_branch(found.chapters)
    screen.story(f"{one_line(found.title)}\n")
    for chapter in branch:
        screen.story(f"\nChapter {chapter.chapter_number}\n\n{chapter.story_content}")
        screen.end_line()
    screen.say("")
    if len(branch) < len(found.chapters):
        screen.say(f"{chapters(len(found.chapters) - len(branch))} on other branches: --json prints them, too.")
    if branch:
        for line in going_on(branch[-1], found.story_id, target, _reader(found.child_id)):
            screen.say(line)


async def _connect(target: Target) -> FabulaClient:
    # A first look, shorter than the RetryPolicy's patience with a connection that was there once.
    client = FabulaClient(target.address, credentials=target.credentials(), token=kept_token())
    try:
        await client.wait_until_ready(_CONNECT_SECONDS)
    except (Unavailable, asyncio.CancelledError):
        await client.aclose()
        raise
    return client


def _reader(child_id: str, age: int | None = None) -> tuple[str, ...]:
    # The arguments with which the same reader goes on.
    child = () if child_id == DEFAULT_CHILD else ("--child-id", child_id)
    return child if age is None else (*child, "--age", str(age))


def _print_event(event: story_pb2.StoryEvent) -> None:
    _print(json_line(event))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
