"""One Chromium for many tests: it starts once, and each test connects with a context of its own."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tools import required

_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
"""Chromium asks for nothing but what the page asks for, and needs no screen."""

_LISTENS = re.compile(r"DevTools listening on (ws://\S+)")


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """Starts Chromium with this folder for its profile, and yields the address that Playwright connects to."""
    command = [required("chromium"), "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    # Chromium's sandbox can't be had by root, as whom a container runs.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [*command, *_QUIET, *sandbox, "about:blank"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        yield _address(process)
    finally:
        process.kill()
        process.communicate()


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        if found := _LISTENS.search(line):
            return found[1]
        said.append(line)
    raise RuntimeError(f"Chromium did not start: {''.join(said)}")
