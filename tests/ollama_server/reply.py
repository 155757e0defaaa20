"""What a test wants the model to say, and how the saying goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAILURES: Mapping[int, str] = {
    500: "llama runner process has terminated: exit status 2",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
"""Ollama's own words for a status, the two spaces included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer of `/api/chat`.

    The fields named `..._after` count streamed lines, thinking included; a number beyond the last line means "after
    the last line, before the done line", so that a scripted fault never silently fails to happen.
    """

    content: str | Mapping[str, Any] | None = None
    """The text; a mapping is written as JSON; None follows the request's `format`, or is the plain story."""

    ensure_ascii: bool = False
    r"""Write a JSON content with `\u00e9` and `\ud83e\udd8a` escapes, as some models do. Lines may split them."""

    thinking: str | None = None
    """Streamed before the content as `message.thinking`, unless the request says `think: false`."""

    chunk_chars: int = 4
    """Characters in a streamed line."""

    delay_seconds: float = 0.0
    """Silence before every line."""

    tokens_per_second: float | None = None
    """Lines a second, kept without drift; adds to `delay_seconds`."""

    stall_after: int | None = None
    """Fall silent after this many lines, until the client leaves or `server.release()`; then go on."""

    stall_before_headers: bool = False
    """Fall silent before anything at all is sent, as when a model is being loaded."""

    cut_after: int | None = None
    """Close the TCP connection after this many lines, in the middle of the body, as when the server dies."""

    end_without_done: bool = False
    """End the body as HTTP wants it, but without the done line."""

    error_line_after: int | None = None
    """After this many lines send an `{"error": ...}` line under HTTP 200 and end. Unstreamed it is a status 500."""

    malformed_line_after: int | None = None
    """After this many lines send a line that is not JSON and end."""

    malformed_line: str | None = None
    """What that line says; None is one that breaks off."""

    huge_line_after: int | None = None
    """After this many lines send 64 MB without an end of line, as far as the client takes them, and end."""

    endless_after: int | None = None
    """After this many lines send the line that comes next for ever, whatever `num_predict` says."""

    status: int = 200
    """Anything else is answered with `{"error": ...}` and no line at all."""

    retry_after: str | None = None
    """The header Retry-After of such an answer."""

    error: str | None = None
    """The text of the error; None is what Ollama says."""

    done_reason: str = "stop"
    """Of the done line. A `num_predict` that cuts the answer makes it "length"."""

    def __post_init__(self) -> None:
        """Refuse a script that could not be played."""
        if self.chunk_chars < 1:
            raise ValueError("chunk_chars must be at least 1")
        if self.tokens_per_second is not None and self.tokens_per_second <= 0:
            raise ValueError("tokens_per_second must be positive")

    @property
    def interval(self) -> float:
        """Seconds from one line to the next."""
        return self.delay_seconds + (1 / self.tokens_per_second if self.tokens_per_second else 0.0)

    def error_text(self, model: str) -> str:
        """The error in the test's words or in Ollama's."""
        if self.error is not None:
            return self.error
        return not_found(model) if self.status == 404 else FAILURES.get(self.status, FAILURES[500])


def not_found(model: str) -> str:
    """Ollama's wording for a model that it does not have."""
    return f"model '{model}' not found"
