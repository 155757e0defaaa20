"""The terminal program `fabula`: tells a story, watches, lists and cancels runs.

Story text goes to stdout as it comes, all else to stderr. Exit codes: 0 done, 1 refused or failed, 2 wrong usage,
130 stopped by Ctrl-C.
"""

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Callable, Sequence

from google.protobuf import json_format

from fabula.client import FabulaClient
from fabula.errors import FabulaError, Unavailable
from fabula.run.v1 import run_pb2
from fabula.story.v1.story_pb2 import StoryEvent
from fabula.stream import StoryStream
from fabula.teller import DEFAULT_ADDRESS, Teller, complaint, farewell
from fabula.terminal import Terminal

_CONNECT_SECONDS = 3.0
_RELEASES = ("sentence", "paragraph", "chapter", "token")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program with these arguments (those of the process by default) and returns its exit code."""
    options = _parse(arguments)
    _forgive_encoding()
    try:
        asyncio.run(options.run(options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except FabulaError as error:
        _complain(complaint(error, options.address))
        return 1
    except BrokenPipeError:
        _silence_stdout()
        return 1
    return 0


async def _tell(options: argparse.Namespace) -> None:
    await _follow(
        options,
        lambda client: client.tell(
            options.theme,
            child_id=options.child_id,
            age=options.age,
            chapter_number=options.chapter,
            title=options.title,
            story_id=options.story_id,
            choice_id=options.choice_id,
            custom_user_input=options.turn,
            request_id=options.request_id,
            release=run_pb2.Release.Value(f"RELEASE_{options.release.upper()}"),
        ),
    )


async def _watch(options: argparse.Namespace) -> None:
    await _follow(options, lambda client: client.watch(options.run_id, options.after))


async def _runs(options: argparse.Namespace) -> None:
    async with await _connect(options.address) as client:
        async for run in client.list_runs(options.child_id):
            sys.stdout.write(_run_line(run))


async def _cancel(options: argparse.Namespace) -> None:
    async with await _connect(options.address) as client:
        sys.stdout.write(_run_line(await client.cancel_run(options.run_id)))


async def _follow(options: argparse.Namespace, begin: Callable[[FabulaClient], StoryStream]) -> None:
    screen = Terminal(sys.stdout, sys.stderr)
    show = _print_json if options.json else Teller(screen, options.address).show
    async with await _connect(options.address) as client, begin(client) as stream:
        try:
            async for event in stream:
                show(event)
        except asyncio.CancelledError:
            screen.say(farewell(stream.run_id, options.address))
            raise
        finally:
            screen.end_line()


async def _connect(address: str) -> FabulaClient:
    # A first look, shorter than the RetryPolicy's patience with a connection that was there once.
    client = FabulaClient(address)
    try:
        await client.wait_until_ready(_CONNECT_SECONDS)
    except (Unavailable, asyncio.CancelledError):
        await client.aclose()
        raise
    return client


def _print_json(event: StoryEvent) -> None:
    text = json_format.MessageToJson(event, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _run_line(run: run_pb2.Run) -> str:
    state = run_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()
    begun = run.create_time.ToJsonString()
    return f"{run.run_id}  {state:<9}  {begun}  child {run.child_id}  {run.last_sequence} events\n"


def _complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _forgive_encoding() -> None:
    # A terminal that lacks a letter of a story shows "?" for it instead of breaking off.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    # The interpreter flushes stdout when it ends, and would complain about the closed pipe once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    words = sys.argv[1:] if arguments is None else list(arguments)
    if any(word.encode(errors="replace").decode() != word for word in words):
        parser.error("the arguments must be UTF-8")
    options = parser.parse_args(words)
    if options.run is _tell and not (options.theme.strip() or options.story_id):
        parser.error("say what the story is about, or name the --story-id to continue")
    return options


def _number(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**31:
        raise ValueError("not a 32-bit number")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fabula", description="Tells a child a story while it is being written.")
    parser.add_argument("--address", default=DEFAULT_ADDRESS, metavar="HOST:PORT", help="the service (%(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_tell(commands.add_parser("tell", help="tell a story about THEME"))
    _add_watch(commands.add_parser("watch", help="watch a run, from its first event or after another"))
    runs = commands.add_parser("runs", help="list the runs, newest first")
    runs.add_argument("--child-id", default="", help="only this child's")
    runs.set_defaults(run=_runs)
    cancel = commands.add_parser("cancel", help="cancel a run")
    cancel.add_argument("run_id", metavar="RUN_ID")
    cancel.set_defaults(run=_cancel)
    return parser


def _add_tell(tell: argparse.ArgumentParser) -> None:
    tell.add_argument("theme", nargs="?", default="", metavar="THEME", help='for example "a fox who fears the dark"')
    tell.add_argument("--age", type=_number, help="the reader's age in years, 3 to 12")
    tell.add_argument("--child-id", default="1", help="the child to whom it is told (%(default)s)")
    tell.add_argument("--title", default="", help="the story's title")
    tell.add_argument("--chapter", type=_number, default=0, help="which chapter, 1 to 100 (1)")
    tell.add_argument("--story-id", default="", help="the story to continue")
    turn = tell.add_mutually_exclusive_group()
    turn.add_argument("--choice-id", help="the choice with which it goes on")
    turn.add_argument("--turn", metavar="TEXT", help="how it goes on, in your own words")
    tell.add_argument("--release", choices=_RELEASES, default="sentence", help="how soon text comes (%(default)s)")
    tell.add_argument("--request-id", help="the same id attaches to the same run")
    _add_json(tell)
    tell.set_defaults(run=_tell)


def _add_watch(watch: argparse.ArgumentParser) -> None:
    watch.add_argument("run_id", metavar="RUN_ID")
    watch.add_argument("--after", type=_number, default=0, metavar="N", help="begin after this sequence")
    _add_json(watch)
    watch.set_defaults(run=_watch)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print each event as one line of JSON")


if __name__ == "__main__":
    sys.exit(main())
