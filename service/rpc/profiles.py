"""Requests to profiles: what is given, tidied."""

from collections.abc import Iterable, Sequence

from fabula.child.v1 import child_pb2
from service.errors import InvalidRequest
from service.rpc.validation import MAX_NAMED

DEFAULT_LANGUAGE = "en"

_BLANK = "must not be blank"


def to_profile(request: child_pb2.CreateChildRequest) -> child_pb2.Child:
    """A profile as a request asks for it; without its id and times. Raises InvalidRequest for what is blank."""
    violations = list[tuple[str, str]]()
    child = child_pb2.Child(
        nickname=_nickname(request.nickname, violations),
        age=request.age,
        reading_level=request.reading_level,
        interests=_topics("interests", request.interests, violations),
        language=request.language or DEFAULT_LANGUAGE,
        avoid_topics=_topics("avoid_topics", request.avoid_topics, violations),
    )
    _refuse(violations)
    return child


class ProfileUpdate:
    """What an UpdateChildRequest changes: what is present in it. Raises InvalidRequest for what is blank."""

    def __init__(self, request: child_pb2.UpdateChildRequest) -> None:
        violations = list[tuple[str, str]]()
        # Each with its path in the request.
        self.given = {
            field.name: f"{field.name}.topics" if field.message_type is not None else field.name
            for field, _ in request.ListFields()
            if field.name != "child_id"
        }
        self._request = request
        self._nickname = _nickname(request.nickname, violations) if request.HasField("nickname") else ""
        self._interests = _topics("interests.topics", request.interests.topics, violations)
        self._avoid_topics = _topics("avoid_topics.topics", request.avoid_topics.topics, violations)
        _refuse(violations)

    def apply(self, child: child_pb2.Child) -> None:
        """Changes the profile."""
        if self._request.HasField("nickname"):
            child.nickname = self._nickname
        if self._request.HasField("age"):
            child.age = self._request.age
        if self._request.HasField("reading_level"):
            child.reading_level = self._request.reading_level
        if self._request.HasField("interests"):
            child.interests[:] = self._interests
        if self._request.HasField("language"):
            child.language = self._request.language
        if self._request.HasField("avoid_topics"):
            child.avoid_topics[:] = self._avoid_topics


def _nickname(text: str, violations: list[tuple[str, str]]) -> str:
    stripped = text.strip()
    if not stripped:
        violations.append(("nickname", _BLANK))
    return stripped


def _topics(field: str, topics: Iterable[str], violations: list[tuple[str, str]]) -> Sequence[str]:
    """The topics without the white space around them, each once."""
    stripped = [topic.strip() for topic in topics]
    violations.extend((f"{field}[{index}]", _BLANK) for index, topic in enumerate(stripped) if not topic)
    return list(dict.fromkeys(stripped))


def _refuse(violations: Sequence[tuple[str, str]]) -> None:
    if violations:
        raise InvalidRequest(violations[:MAX_NAMED])
