"""Path templates of google.api.http: which paths they match, and which fields they fill."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

_PART = re.compile(
    r"\{(?P<field>[A-Za-z_][\w.]*)(?:=(?P<within>[^{}]+))?\}|(?P<deep>\*\*)|(?P<one>\*)|(?P<text>[^{}*]+)"
)

# A segment ends at a slash, and before a verb: "/runs/{run_id}:cancel".
_SEGMENT, _SEGMENTS = "[^/:]+", "[^:]+"


class Template:
    """One template, for example "/api/v1/runs/{run_id}:cancel"."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields: list[str] = []
        self._pattern = re.compile("".join(self._patterns(text)))

    def match(self, raw_path: str) -> Mapping[str, str] | None:
        """The fields that this path fills, by their dotted names; None when it does not match.

        Takes the path as it was sent, so that an escaped slash is no slash. Raises UnicodeDecodeError when what is
        escaped is not UTF-8.
        """
        found = self._pattern.fullmatch(raw_path)
        if found is None:
            return None
        texts = zip(self.fields, found.groups(), strict=True)
        return {name: unquote_to_bytes(text).decode("utf-8") for name, text in texts}

    @property
    def precedence(self) -> tuple[int, int]:
        """Sorts templates so that the plainer one comes first: "/stories/generate" before "/stories/{story_id}"."""
        return len(self.fields), -len(self.text)

    def _patterns(self, text: str) -> Iterator[str]:
        end = 0
        for part in _PART.finditer(text):
            if part.start() != end:
                break
            end = part.end()
            yield self._pattern_of(part)
        if end != len(text) or not text.startswith("/"):
            raise ValueError(f"{text} is not a path template")

    def _pattern_of(self, part: re.Match[str]) -> str:
        if part["field"]:
            self.fields.append(part["field"])
            return f"({_within(part['within'] or '*')})"
        return _within(part[0])


def _within(text: str) -> str:
    return re.escape(text).replace(r"\*\*", _SEGMENTS).replace(r"\*", _SEGMENT)
