"""Logs: one JSON object a line on standard error. No text of a story, a request or an exception ever goes in."""

import json
import logging
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import TextIO

import structlog

_PLACES = 8


def configure_logs(level: str) -> None:
    """Sets up structlog, keeps libraries to their warnings, and takes over what Python itself would print."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Of an object that is not JSON the type alone: its repr may hold text.
            structlog.processors.JSONRenderer(ensure_ascii=False, default=lambda value: type(value).__name__),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _take_over_hooks()


class _LibraryFormatter(logging.Formatter):
    """Where a library warned and of what type, never its message: that may quote a prompt or an answer."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        facts = {"level": record.levelname.lower(), "event": "library", "logger": record.name, "error": error}
        passed = places(record.exc_info[1]) if record.exc_info else []
        return json.dumps(facts | {"place": f"{record.pathname}:{record.lineno}", "places": passed})


def places(error: BaseException | None) -> list[str]:
    """Where an exception passed, innermost last, as "file:line function"; without any message."""
    return _frames(error.__traceback__) if error is not None else []


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-_PLACES:]]


def _take_over_hooks() -> None:
    log = structlog.get_logger("fabula")

    def uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        del error  # its text stays out
        log.critical("uncaught", error=kind.__name__, places=_frames(trace))

    def warned(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del message, file, line  # text, or where text would go
        log.warning("library", logger="warnings", error=category.__name__, place=f"{filename}:{lineno}")

    warnings.showwarning = warned
    sys.excepthook = uncaught
    threading.excepthook = lambda fault: uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)
    sys.unraisablehook = lambda fault: uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)
