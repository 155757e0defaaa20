"""The command line of the terminal program."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from fabula import commands, minting
from fabula.channel import is_loopback
from fabula.child.v1 import child_pb2
from fabula.confirm import can_ask
from fabula.run.v1 import run_pb2
from fabula.target import DEFAULT_ADDRESS, Target, kept_token
from fabula.teller import DEFAULT_CHILD

_RELEASES = {
    "sentence": run_pb2.RELEASE_SENTENCE,
    "paragraph": run_pb2.RELEASE_PARAGRAPH,
    "chapter": run_pb2.RELEASE_CHAPTER,
    "token": run_pb2.RELEASE_TOKEN,
}
_LEVELS = {
    "by-age": child_pb2.READING_LEVEL_UNSPECIFIED,
    "beginner": child_pb2.READING_LEVEL_BEGINNER,
    "intermediate": child_pb2.READING_LEVEL_INTERMEDIATE,
    "advanced": child_pb2.READING_LEVEL_ADVANCED,
}
_PROFILE = ("nickname", "age", "level", "interests", "language", "avoid_topics")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, with the command's coroutine function as `run` and `target`; SystemExit with code 2 for wrong usage.

    `erases` is what the command erases and has to be asked for first, empty when there is nothing to ask.
    """
    parser = _parser()
    words = sys.argv[1:] if arguments is None else list(arguments)
    if any(word.encode(errors="replace").decode() != word for word in words):
        parser.error("the arguments must be UTF-8")
    options = parser.parse_args(words)
    options.target = Target(options.address, options.tls, options.ca)
    if options.run is not minting.token:  # which talks to nobody
        _check_target(parser, options.target)
    if options.run is commands.tell:
        _check_tell(parser, options)
    if options.run is commands.change_child and all(getattr(options, name) is None for name in _PROFILE):
        parser.error("say what to change")
    options.erases = "" if options.yes else options.erases.format(**vars(options))
    if options.erases and not can_ask():
        parser.error("there is no terminal to ask on: say --yes if it is to be erased")
    return options


def _check_target(parser: argparse.ArgumentParser, target: Target) -> None:
    if target.ca and not target.tls:
        parser.error("--ca says whom to trust with --tls: say that, too")
    if kept_token() and not target.tls and not is_loopback(target.address):
        parser.error(f"FABULA_TOKEN would go to {target.address} for everyone on the way to read: say --tls")
    try:
        target.credentials()
    except OSError as error:
        parser.error(f"--ca {target.ca} can't be read: {error.strerror}")


def _check_tell(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if not (options.theme.strip() or options.story_id):
        parser.error("say what the story is about, or name the --story-id to continue")
    options.release = _RELEASES[options.release]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fabula", description="Tells a child a story while it is being written.")
    parser.add_argument("--address", default=DEFAULT_ADDRESS, metavar="HOST:PORT", help="the service (%(default)s)")
    parser.add_argument("--tls", action="store_true", help="talk to it by TLS, as a token needs beyond this machine")
    parser.add_argument(
        "--ca", default="", metavar="FILE", help="with --tls: trust this authority, in PEM, and no other"
    )
    parser.set_defaults(erases="", yes=False)
    added = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_tell(added.add_parser("tell", help="tell a chapter about THEME, or the next one of a story"))
    _add_runs(added)
    _add_stories(added)
    _add_children(added)
    _add_token(added.add_parser("token", help="make a token for development, with FABULA_AUTH_SECRET"))
    return parser


def _add_tell(tell: argparse.ArgumentParser) -> None:
    tell.add_argument("theme", nargs="?", default="", metavar="THEME", help='for example "a fox who fears the dark"')
    tell.add_argument("--age", type=_number, help="the reader's age in years, 3 to 12")
    tell.add_argument("--child-id", default=DEFAULT_CHILD, help="the child to whom it is told (%(default)s)")
    tell.add_argument("--title", default="", help="the story's title")
    tell.add_argument("--chapters", type=_number, default=0, metavar="N", help="after how many a new tale ends")
    tell.add_argument("--chapter", type=_number, default=0, metavar="N", help="which chapter, 1 to 100 (the next)")
    tell.add_argument("--story-id", default="", help="the story to continue")
    tell.add_argument("--chapter-id", default="", help="the chapter to continue (the newest)")
    turn = tell.add_mutually_exclusive_group()
    turn.add_argument("--choice-id", help="the choice with which it goes on")
    turn.add_argument("--turn", metavar="TEXT", help="how it goes on, in your own words")
    tell.add_argument("--release", choices=_RELEASES, default="sentence", help="how soon text comes (%(default)s)")
    tell.add_argument("--request-id", help="the same id attaches to the same run")
    _add_json(tell, "print each event as one line of JSON")
    tell.set_defaults(run=commands.tell)


def _add_runs(added: Any) -> None:
    watch = added.add_parser("watch", help="watch a run, from its first event or after another")
    watch.add_argument("run_id", metavar="RUN_ID")
    watch.add_argument("--after", type=_number, default=0, metavar="N", help="begin after this sequence")
    _add_json(watch, "print each event as one line of JSON")
    watch.set_defaults(run=commands.watch)
    runs = added.add_parser("runs", help="list the runs, newest first")
    runs.add_argument("--child-id", default="", help="only this child's")
    runs.set_defaults(run=commands.runs)
    cancel = added.add_parser("cancel", help="cancel a run")
    cancel.add_argument("run_id", metavar="RUN_ID")
    cancel.set_defaults(run=commands.cancel)
    pause = added.add_parser("pause", help="pause a run")
    pause.add_argument("run_id", metavar="RUN_ID")
    pause.set_defaults(run=commands.pause)
    go_on = added.add_parser("continue", help="go on with a paused run")
    go_on.add_argument("run_id", metavar="RUN_ID")
    go_on.set_defaults(run=commands.go_on)


def _add_stories(added: Any) -> None:
    stories = added.add_parser("stories", help="list the stories, newest first")
    stories.add_argument("--child-id", default="", help="only this child's")
    stories.set_defaults(run=commands.stories)
    story = added.add_parser("story", help="print the newest branch of a story")
    story.add_argument("story_id", metavar="STORY_ID")
    _add_json(story, "print the whole story, with every branch, as one line of JSON")
    story.set_defaults(run=commands.story)
    delete = added.add_parser("delete-story", help="erase a story with its runs")
    delete.add_argument("story_id", metavar="STORY_ID")
    _add_yes(delete)
    delete.set_defaults(run=commands.delete_story, erases="Story {story_id} with its runs")


def _add_children(added: Any) -> None:
    children = added.add_parser("children", help="list the children, newest first")
    children.set_defaults(run=commands.children)
    add = added.add_parser("add-child", help="add a child")
    add.add_argument("nickname", metavar="NICKNAME", help="how stories address the child, not a full name")
    add.add_argument("--age", type=_number, required=True, help="in years, 3 to 12")
    _add_taste(add)
    add.set_defaults(run=commands.add_child, level=_LEVELS["by-age"], interests=[], language="", avoid_topics=[])
    change = added.add_parser("change-child", help="change what is named of a child")
    change.add_argument("child_id", metavar="CHILD_ID")
    change.add_argument("--nickname", help="how stories address the child, not a full name")
    change.add_argument("--age", type=_number, help="in years, 3 to 12")
    likes, avoids = _add_taste(change)
    likes.add_argument("--no-interests", dest="interests", action="store_const", const=[], help="none any more")
    avoids.add_argument("--avoid-nothing", dest="avoid_topics", action="store_const", const=[], help="none any more")
    change.set_defaults(run=commands.change_child)
    delete = added.add_parser("delete-child", help="erase a child with all its stories and runs")
    delete.add_argument("child_id", metavar="CHILD_ID")
    _add_yes(delete)
    delete.set_defaults(run=commands.delete_child, erases="Child {child_id} with all its stories and runs")


def _add_token(token: argparse.ArgumentParser) -> None:
    token.add_argument("account", metavar="ACCOUNT", help="whose children and stories the token opens")
    token.add_argument(
        "--scope", dest="scopes", action="append", choices=minting.SCOPES, help="what it allows; may be repeated (all)"
    )
    token.add_argument("--minutes", type=_number, default=60, metavar="N", help="how long it holds (%(default)s)")
    token.set_defaults(run=minting.token)


def _add_taste(profile: argparse.ArgumentParser) -> tuple[Any, Any]:
    profile.add_argument("--level", type=_level, metavar="LEVEL", help=f"how the child reads: {', '.join(_LEVELS)}")
    profile.add_argument("--language", metavar="TAG", help="the language of the stories, for example en")
    likes, avoids = profile.add_mutually_exclusive_group(), profile.add_mutually_exclusive_group()
    likes.add_argument("--interest", dest="interests", action="append", metavar="X", help="likes it; may be repeated")
    avoids.add_argument(
        "--avoid", dest="avoid_topics", action="append", metavar="X", help="never that; may be repeated"
    )
    return likes, avoids


def _add_json(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--json", action="store_true", help=what)


def _add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="do not ask")


def _number(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**31:
        raise ValueError("not a 32-bit number")
    return value


def _level(text: str) -> "child_pb2.ReadingLevel.ValueType":
    if text not in _LEVELS:
        raise argparse.ArgumentTypeError(f"choose one of {', '.join(_LEVELS)}")
    return _LEVELS[text]
