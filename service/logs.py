"""Logs: one JSON object a line on standard error. No text of a story, a request or an exception ever goes in."""

import json
import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """Sets up structlog, and keeps libraries to their warnings."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _LibraryFormatter(logging.Formatter):
    """Where a library warned and of what type, never its message: that may quote a prompt or an answer."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        facts = {"level": record.levelname.lower(), "event": "library", "logger": record.name, "error": error}
        return json.dumps(facts | {"place": f"{record.pathname}:{record.lineno}"})
