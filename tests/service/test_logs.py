"""Logs are one JSON object a line, and hold no text of a story, a request or an exception."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

WORDS = "the-childs-words"
"""Stands in the scripts below for what must never be logged."""

PREAMBLE = f"""
import asyncio, gc, logging, sys, threading, warnings
import structlog
from service.logs import configure_logs
WORDS = {WORDS!r}
configure_logs(sys.argv[1])
log = structlog.get_logger("test")
library = logging.getLogger("some.library")
"""


def logged(script: str, level: str = "debug", status: int = 0) -> list[dict[str, Any]]:
    """The objects that a process logs which runs the script, once it is sure that they tell nothing secret."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script, level],
        env=os.environ | {"PYTHONWARNINGS": "default"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout == ""
    assert WORDS not in done.stderr
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_is_one_object_with_its_facts_its_level_and_its_time() -> None:
    (line,) = logged('log.info("run_ended", run_id="r1", events=7, seconds=0.5, places=["a", "b"])')
    assert line.pop("timestamp").endswith("Z")
    facts = {"run_id": "r1", "events": 7, "seconds": 0.5, "places": ["a", "b"]}
    assert line == facts | {"event": "run_ended", "level": "info"}


def test_what_is_bound_to_the_context_is_in_every_line() -> None:
    lines = logged('structlog.contextvars.bind_contextvars(request_id="q1"); log.info("a"); log.info("b")')
    assert [line["request_id"] for line in lines] == ["q1", "q1"]


def test_line_breaks_accents_and_halves_of_emoji_keep_a_line_one_line() -> None:
    (line,) = logged(r'log.info("a\nb\r\n", name="Zoë 🦊", half="\udd8a")')
    assert (line["event"], line["name"], line["half"]) == ("a\nb\r\n", "Zoë 🦊", "\udd8a")


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_a_level_lets_pass_itself_and_what_is_graver(level: str, kept: list[str]) -> None:
    lines = logged('log.debug("a"); log.info("a"); log.warning("a"); log.error("a")', level)
    assert [line["level"] for line in lines] == kept


def test_of_an_object_only_its_type_is_logged() -> None:
    script = "log.info('a', error=ValueError(WORDS), raw=WORDS.encode(), exc_info=ValueError(WORDS))"
    (line,) = logged(script)
    assert (line["error"], line["raw"], line["exc_info"]) == ("ValueError", "bytes", "ValueError")


def test_of_an_exception_at_hand_no_text_is_logged() -> None:
    (line,) = logged("""
try:
    raise ValueError(WORDS)
except ValueError:
    log.exception("failed")
""")
    assert (line["event"], line["level"]) == ("failed", "error")


def test_a_library_is_quoted_by_its_name_and_place_alone() -> None:
    script = 'library.warning("secret %s", WORDS); library.error(WORDS, stack_info=True)'
    first, second = logged(script)
    assert first.pop("place").startswith("<string>:")
    assert first == {"level": "warning", "event": "library", "logger": "some.library", "error": None, "places": []}
    assert second["level"] == "error"


def test_a_librarys_exception_is_its_type_alone() -> None:
    (line,) = logged("""
try:
    raise KeyError(WORDS) from ValueError(WORDS)
except KeyError:
    library.exception("secret %s", WORDS)
""")
    assert (line["logger"], line["error"]) == ("some.library", "KeyError")


def test_libraries_are_heard_from_warnings_upwards_whatever_the_level() -> None:
    assert logged('library.debug("a"); library.info("a")', "debug") == []
    assert len(logged('library.warning("a")', "error")) == 1


def test_the_handlers_that_a_library_had_before_are_gone() -> None:
    script = "logging.basicConfig(format='%(message)s', force=True); configure_logs('info'); library.warning(WORDS)"
    assert len(logged(script)) == 1


def test_a_task_whose_exception_nobody_took_shows_its_type_alone() -> None:
    (line,) = logged("""
async def fail():
    raise RuntimeError(WORDS)
async def main():
    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    del task
    gc.collect()
asyncio.run(main())
""")
    assert (line["logger"], line["error"]) == ("asyncio", "RuntimeError")


def test_a_warning_of_python_shows_its_type_and_place_alone() -> None:
    (line,) = logged("warnings.warn(WORDS, DeprecationWarning)")
    assert (line["level"], line["logger"], line["error"]) == ("warning", "warnings", "DeprecationWarning")
    assert line["place"].startswith("<string>:")


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("def fail(): raise OSError(WORDS)\nfail()", 1),
        ("def fail(): raise OSError(WORDS)\nthread = threading.Thread(target=fail)\nthread.start()\nthread.join()", 0),
        ("class Gone:\n    def __del__(self): raise OSError(WORDS)\nGone()", 0),
    ],
)
def test_an_exception_that_nobody_caught_shows_its_type_and_places_alone(script: str, status: int) -> None:
    (line,) = logged(script, status=status)
    assert (line["event"], line["level"], line["error"]) == ("uncaught", "critical", "OSError")
    assert line["places"][-1].startswith("<string>:")
