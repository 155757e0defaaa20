"""A terminal on which a story and a status line share the screen."""

import re
import shutil
from collections.abc import Callable
from typing import TextIO

_PIECES = re.compile(r"\n|[^\S\n]+|\S+")
_LONGEST_HELD_WORD = 30
_CLEAR_LINE = "\r\x1b[K"
# All but line feed and tab: a terminal would obey them, and neither a model nor a title is to command it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """The text without what a terminal would obey."""
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """The same on one line."""
    return harmless(re.sub(r"[\n\t]+", " ", text))


def terminal_width() -> int:
    """Columns of the terminal, 80 when it does not say."""
    return shutil.get_terminal_size().columns


class WordWrap:
    """Breaks text into lines of whole words while it arrives in arbitrary pieces."""

    def __init__(self, width: Callable[[], int] = terminal_width) -> None:
        self._width = width
        self._word = ""
        self._gap = ""
        self.column = 0

    def feed(self, text: str) -> str:
        """What to print now. A word whose end has not come is held back, unless it is very long."""
        out = "".join(self._take(piece) for piece in _PIECES.findall(text))
        return out if self._is_half() else out + self.flush()

    def flush(self) -> str:
        """The word that was held back, if any."""
        word, self._word = self._word, ""
        if not word:
            return ""
        gap, self._gap = self._gap, ""
        if gap and self.column + len(gap) + len(word) > self._width():
            gap, self.column = "\n", 0
        self.column += len(word) + (len(gap) if gap != "\n" else 0)
        return gap + word

    def end_line(self) -> str:
        """The rest of the line and its end; empty at the beginning of a line."""
        rest = self.flush()
        self._gap = ""
        if not self.column:
            return rest
        self.column = 0
        return rest + "\n"

    def break_line(self) -> str:
        """Ends the line before the word that is held back; empty at the beginning of a line."""
        if not self.column:
            return ""
        self._gap, self.column = "", 0
        return "\n"

    def _take(self, piece: str) -> str:
        if piece == "\n":
            rest = self.flush()
            self._gap, self.column = "", 0
            return rest + "\n"
        if piece.isspace():
            rest = self.flush()
            self._gap = " " if self.column else ""
            return rest
        self._word += piece
        return ""

    def _is_half(self) -> bool:
        # A sentence ends with its point, so that only a word cut in two ends like this.
        last = self._word[-1:]
        return (last.isalnum() or last in ("'", "’", "-")) and len(self._word) < _LONGEST_HELD_WORD


class Terminal:
    """Story text on `out`, all else on `err`.

    On a terminal the text is wrapped and the status is one line, redrawn; it is drawn only while no line of the story
    is begun, as it would overwrite it. Elsewhere the text is passed on byte for byte and each status is a line.
    Control characters reach neither a terminal nor `err`.
    """

    def __init__(self, out: TextIO, err: TextIO, width: Callable[[], int] = terminal_width) -> None:
        self._out = out
        self._err = err
        self._width = width
        self._wrap = WordWrap(width)
        self._wraps = out.isatty()
        self._redraws = err.isatty()
        self._drawn = False
        self._open_line = False

    def story(self, text: str) -> None:
        """Prints the next piece of the story."""
        self._clear()
        self._print(self._wrap.feed(harmless(text)) if self._wraps else text)

    def end_line(self) -> None:
        """Ends the line of the story that is begun, if one is."""
        rest = self._wrap.end_line() if self._wraps else "\n" * self._open_line
        if rest:
            self._clear()
        self._print(rest)

    def status(self, line: str) -> None:
        """Says how far things are."""
        line = harmless(line)
        if not self._redraws:
            self._tell(f"{line}\n")
        elif not (self._wraps and self._open_line):
            self._tell(_CLEAR_LINE + line[: self._width() - 1])
            self._drawn = True

    def interrupt(self, line: str) -> None:
        """A status that can't wait until the line of the story that is begun has ended: on a terminal it breaks it."""
        if self._wraps and self._redraws:
            self._print(self._wrap.break_line())
        self.status(line)

    def say(self, line: str) -> None:
        """A line that stays."""
        self.end_line()
        self._clear()
        self._tell(f"{harmless(line)}\n")

    def _print(self, text: str) -> None:
        if text:
            self._open_line = not text.endswith("\n")
            self._out.write(text)
            self._out.flush()

    def _tell(self, text: str) -> None:
        self._err.write(text)
        self._err.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._tell(_CLEAR_LINE)
            self._drawn = False
