"""The terminal program `fabula`: tells, watches, lists and erases stories, and looks after the children.

The text of stories and what is listed go to stdout, all else to stderr. Exit codes: 0 done, 1 refused or failed,
2 wrong usage, 130 stopped by Ctrl-C.
"""

import asyncio
import io
import os
import sys
from collections.abc import Sequence

from fabula.arguments import parse
from fabula.confirm import confirmed
from fabula.errors import FabulaError
from fabula.teller import complaint
from fabula.terminal import harmless


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program with these arguments (those of the process by default) and returns its exit code."""
    options = parse(arguments)
    _forgive_encoding()
    try:
        # Before the event loop runs: within it, Ctrl-C would not end the wait for the answer.
        if options.erases and not confirmed(options.erases):
            return _complain("Nothing is erased.")
        asyncio.run(options.run(options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except FabulaError as error:
        return _complain(complaint(error, options.target))
    except BrokenPipeError:
        _silence_stdout()
        return 1
    return 0


def _complain(line: str) -> int:
    sys.stderr.write(f"{harmless(line)}\n")
    return 1


def _forgive_encoding() -> None:
    # A terminal that lacks a letter of a story shows "?" for it instead of breaking off.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    # The interpreter flushes stdout when it ends, and would complain about the closed pipe once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
