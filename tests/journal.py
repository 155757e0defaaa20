"""All that the service logs while the tests run: in this process, and in those that it is started in."""

import io

import structlog

_JOURNAL = io.StringIO()


def begin_journal() -> None:
    """Has what is logged in this process written here, as one JSON object a line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=repr),
        ],
        logger_factory=structlog.WriteLoggerFactory(_JOURNAL),
    )


def write_journal(line: str) -> None:
    """Adds a line that another process logged."""
    _JOURNAL.write(line)


def take_journal() -> str:
    """All that was logged since it was last taken."""
    text = _JOURNAL.getvalue()
    _JOURNAL.seek(0)
    _JOURNAL.truncate()
    return text
