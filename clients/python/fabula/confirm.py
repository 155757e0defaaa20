"""Asks before something is erased."""

import io
import sys

from fabula.terminal import one_line


def can_ask() -> bool:
    """Whether somebody reads the question and can answer it."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())


def confirmed(what: str) -> bool:
    """Asks whether to erase that; only the word yes is a yes."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    sys.stderr.write(f"{one_line(what)} will be erased, and nothing brings it back. Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"
