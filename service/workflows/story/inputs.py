"""Whether what a caller gave is fit for the child: refused kindly, with the field named and never its text."""

from collections.abc import Iterable, Iterator, Mapping

from fabula.child.v1 import child_pb2
from fabula.story.v1 import story_pb2
from service.errors import InputUnfit
from service.safety.policy import Policy
from service.safety.screen import Screen


def check_request(request: story_pb2.GenerateStoryRequest, screen: Screen) -> None:
    """Raises InputUnfit when the theme, the title or the reader's own words are not fit for this screen's reader."""
    _check(
        [("theme", request.theme), ("title", request.title), ("custom_user_input", request.custom_user_input)], screen
    )


def check_choice(text: str, screen: Screen) -> None:
    """Raises InputUnfit for a choice that is not fit for this reader any more: what to avoid may have changed."""
    _check([("choice_id", text)], screen)


class ProfileCheck:
    """Screens what a profile would hold, at the child's own age.

    The topics to avoid are not screened: what is unfit is named there for a reason.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, child: child_pb2.Child, given: Mapping[str, str]) -> None:
        """Raises InputUnfit for the fields that were given, named by their paths in the request.

        When the age or the language was given, all are looked at.
        """
        texts = _profile_texts(child, given, everything=bool({"age", "language"} & given.keys()))
        _check(texts, self._policy.screen(child.age, child.language))


def _profile_texts(child: child_pb2.Child, given: Mapping[str, str], *, everything: bool) -> Iterator[tuple[str, str]]:
    if everything or "nickname" in given:
        yield given.get("nickname", "nickname"), child.nickname
    if everything or "interests" in given:
        for index, interest in enumerate(child.interests):
            yield f"{given.get('interests', 'interests')}[{index}]", interest


def _check(texts: Iterable[tuple[str, str]], screen: Screen) -> None:
    violations = [
        (field, f"holds something that is not fit for this reader ({findings[0].category.replace('_', ' ')})")
        for field, text in texts
        if (findings := screen.find(text))
    ]
    if violations:
        raise InputUnfit(violations)
