"""Decodes the model's JSON answer while it is written: the story's text at once, the rest at the end.

The text is decoded piece by piece, each character once, however the answer is cut into chunks: in the middle of an
escape and between the halves of a surrogate pair too. At the end the whole answer is parsed by `json` and must agree.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PrivateAttr

from service.errors import ModelOutputInvalid, ModelOutputTruncated
from service.workflows.story.tale import Bible

MAX_BYTES = 3_500_000
"""Longer answers are refused: the whole text must fit into one message, and most clients take 4 MiB at the most."""

_MAX_HEAD = 4_000  # characters before the story's text; when it is not found in these it is given at the end

_TEXT_FIELD = "story_content"
_START = re.compile(rf'\A[^{{]*\{{\s*"{_TEXT_FIELD}"\s*:\s*"')
_PLAIN = re.compile(r'[^"\\]+')
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_PAIR = re.compile(_HIGH + _LOW)
_SINGLE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
_UNFINISHED = re.compile(rf"(?:{_HIGH})?(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?\Z")
_REPLACEMENT = "\ufffd"


def _distinct(texts: list[str]) -> list[str]:
    """The texts without white space around them, each once and none blank: a blank choice is none."""
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


class Draft(BaseModel):
    """A chapter as the model answered it; `story_content` is blank only where the rest of a whole chapter was asked."""

    story_content: str
    title: str = Field(default="", max_length=300)
    choice_question: str = Field(default="", max_length=500)
    choices: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=10), AfterValidator(_distinct)] = (
        Field(default_factory=list)
    )
    educational_elements: list[Annotated[str, Field(max_length=200)]] = Field(default_factory=list, max_length=10)
    bible: Annotated[Bible, BeforeValidator(Bible.lenient)] = Bible()
    _told_by: str = PrivateAttr(default="")

    @property
    def told_by(self) -> str:
        """The name of the model that answered, from who asked it; empty while nobody said it."""
        return self._told_by

    def signed(self, name: str) -> "Draft":
        """The same chapter, told by the model of this name."""
        draft = self.model_copy()
        draft._told_by = name
        return draft


class DraftDecoder:
    """Takes the answer in chunks; gives the story's text as it grows, and the Draft at the end."""

    def __init__(self) -> None:
        self._raw: list[str] = []
        self._size = 0
        self._head: str | None = ""
        self._string = StringDecoder()
        self._given: list[str] = []

    @property
    def text_ended(self) -> bool:
        """Whether the story's text has come to the end of its string."""
        return self._string.ended

    def feed(self, chunk: str) -> str:
        """The story's text that this chunk adds; possibly none.

        Raises ModelOutputInvalid on an unknown escape, and on an answer without end.
        """
        self._raw.append(chunk)
        self._size += len(chunk) if chunk.isascii() else len(chunk.encode("utf-8", "surrogatepass"))
        if self._size > MAX_BYTES:
            raise ModelOutputInvalid(f"The model's answer is longer than {MAX_BYTES} bytes.")
        if self._head is not None:
            if len(self._head) > _MAX_HEAD:
                return ""
            self._head += chunk
            match = _START.match(self._head, 0, _MAX_HEAD)
            if match is None:
                return ""
            chunk, self._head = self._head[match.end() :], None
        text = self._string.feed(chunk)
        self._given.append(text)
        return text

    def finish(self, *, truncated: bool) -> tuple[str, Draft]:
        """The text not yet given (all of it when the story did not come first), and the whole answer.

        Raises ModelOutputTruncated when the answer was cut and is not whole, ModelOutputInvalid when it is not the
        JSON that was asked for.
        """
        raw = "".join(self._raw)
        try:
            value, _ = _JSON.raw_decode(raw, max(raw.find("{"), 0))
            draft = Draft.model_validate(_clean(value))
        except (ValueError, RecursionError):
            if truncated:
                raise ModelOutputTruncated("The model reached its token limit before the story's end.") from None
            raise ModelOutputInvalid("The model's answer is not the JSON object that was asked for.") from None
        given = "".join(self._given)
        if self._head is None and given != draft.story_content:
            raise ModelOutputInvalid("The model's answer is not the text that it began with.")
        return draft.story_content[len(given) :], draft


class StringDecoder:
    """Decodes a JSON string from behind its opening quote, in chunks; what follows the closing quote is ignored."""

    def __init__(self) -> None:
        self._pending = ""
        self.ended = False

    def feed(self, chunk: str) -> str:
        """The characters that are decided now. An unpaired half of a surrogate pair becomes U+FFFD."""
        if self.ended:
            return ""
        source, self._pending = self._pending + chunk, ""
        parts: list[str] = []
        position = 0
        while position < len(source) and not self.ended:
            if plain := _PLAIN.match(source, position):
                parts.append(plain[0])
                position = plain.end()
            elif source[position] == '"':
                self.ended = True
            else:
                decoded, length = _escape(source, position)
                if length == 0:
                    self._pending = source[position:]
                    break
                parts.append(decoded)
                position += length
        return _scrub("".join(parts))


def _escape(source: str, start: int) -> tuple[str, int]:
    """The character of the escape at `start` and the escape's length; length 0 while it is not whole."""
    if _UNFINISHED.match(source, start):
        return "", 0
    match = _PAIR.match(source, start) or _SINGLE.match(source, start)
    if match is None:
        raise ModelOutputInvalid("The model's answer holds an escape that JSON does not know.")
    return json.loads(f'"{match[0]}"'), len(match[0])


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ModelOutputInvalid("The model's answer holds a key more than once.")
    return value


_JSON = json.JSONDecoder(strict=False, object_pairs_hook=_unique)


def _scrub(text: str) -> str:
    """Unpaired surrogates can't be sent: UTF-8 has no bytes for them."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", _REPLACEMENT, text)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _scrub(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    return value
