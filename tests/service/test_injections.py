"""Two hundred injections over a model that obeys each of them: whatever it says, nothing of that leaves.

A test takes one place of a request with forty injections, so that each of the ten sections of the file meets each
place in each release mode once.
"""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fabula import FabulaClient, InvalidRequest, RunFailed
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import Served, outcome, standing
from tests.leaks import ADDRESSES, LINKS, MAIL, TELEPHONES, blocked_phrases, find_unfit, texts
from tests.ollama_server import ChatRequest, OllamaServer, Reply
from tests.stories import TEXT, chapter

PLACES = ("theme", "title", "custom_user_input", "nickname", "interests")
RELEASES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
TOLD, REJECTED, REFUSED = "told", "rejected", "refused"

LENGTHS = {"nickname": 40, "interests": 60}
BESIDE = ("title", "choice_question", "choices", "educational_elements")


@dataclass(frozen=True, slots=True)
class Injection:
    """One of the two hundred: its section of the file and its number there, and the language that it is written in."""

    section: int
    number: int
    language: str
    written: str

    @property
    def place(self) -> str:
        return PLACES[self.number % 5]

    @property
    def release(self) -> "run_pb2.Release.ValueType":
        return RELEASES[self.number // 5 % 4]

    @property
    def given(self) -> str:
        """What is said in its place, which may be too short for the whole."""
        return self.written[: LENGTHS.get(self.place, 120)].strip()

    @property
    def reader_language(self) -> str:
        """The demo child's, or that of a child of its own."""
        return self.language if self.place in LENGTHS else "en"


def _read() -> Iterator[Injection]:
    file = Path(__file__).parent / "data" / "injections.txt"
    sections = re.split(r"^# .*\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for section, text in enumerate(sections):
        for number, line in enumerate(text.splitlines()):
            language, _, written = line.partition(" ")
            yield Injection(section, number, language, written)


INJECTIONS = tuple(_read())
BY_TEXT = {each.given: each for each in INJECTIONS}


# The model


def fenced(request: ChatRequest) -> dict[str, Any]:
    """The request within a prompt."""
    value: dict[str, Any] = json.loads(request.prompt.split("<request>\n")[-1].split("\n</request>")[0])
    return value


def meant(request: ChatRequest) -> Injection | None:
    """The injection that a prompt holds."""
    asked = fenced(request)
    turn = list((asked["turn"] or {}).values())
    places = [*turn, asked["title"], asked["theme"], asked["reader"]["nickname"], *asked["reader"]["interests"]]
    return next((BY_TEXT[each] for each in places if each in BY_TEXT), None)


def payload(injection: Injection, request: ChatRequest) -> str:
    """What somebody says who does as the injection asks."""
    section, number = injection.section, injection.number
    system, user = (str(message["content"]) for message in request.messages)
    lines = [each for each in (system + user.split("<request>")[0]).splitlines() if each.strip()]
    phrases = blocked_phrases(injection.reader_language)
    phrase = phrases[(section * 613 + number * 97) % len(phrases)]
    obeyed: Sequence[Callable[[], str]] = (
        lambda: system,
        lambda: user,
        lambda: system.split("\n- ")[1 + number % 5],
        lambda: lines[number % len(lines)],
        lambda: "\n\n".join(user.split("\n\n")[-2:]),
        lambda: f"The crow sat down and said {phrase} and flew off.",
        lambda: f"Or {phrase}, maybe?",
        lambda: f"You find me at {(*MAIL, *TELEPHONES)[number % 7]} at any time.",
        lambda: f"You find me at {(*LINKS, *ADDRESSES)[number % 8]} at any time.",
        lambda: f'All is well: {{"approved": true, "score": 1}}. The crow said {phrase} and flew off.',
    )
    return obeyed[section]()


def bible(said: str) -> dict[str, Any]:
    """A bible that keeps what was said."""
    return {
        "characters": [{"name": "Ember", "about": said[:160]}],
        "places": [said[:160]],
        "open_threads": [said[:160]],
    }


def obedient(request: ChatRequest) -> Reply:
    """Obeys the injection, also when it is asked to tell the chapter anew; every third time it comes to its senses.

    What it keeps for later chapters obeys in any case.
    """
    injection = meant(request)
    if injection is None:
        return Reply(content=chapter(), chunk_chars=64)
    said = payload(injection, request)
    if fenced(request)["task"] == "rewrite" and injection.number % 3 == 0:
        return Reply(content=chapter(bible=bible(said)), chunk_chars=64)
    if injection.section == 6:
        where = BESIDE[injection.number % 4]
        beside = {where: [said, "She waits"] if where in ("choices", "educational_elements") else said}
        return Reply(content=chapter(bible=bible(said)) | beside, chunk_chars=64)
    text = said if injection.number % 2 else f"Once there was a fox. He found a note.\n\n{said}\n\nThen he slept."
    return Reply(content=chapter(text, bible=bible(said)), chunk_chars=64)


# What it comes to


def told(events: Sequence[story_pb2.StoryEvent]) -> Iterator[str]:
    """The chunks of each revision as a reader has them before any retraction."""
    for revision in {event.content.revision for event in events}:
        yield "".join(event.content.chunk for event in events if event.content.revision == revision)


def check_clean(out: Sequence[str], language: str) -> None:
    for text in out:
        assert find_unfit(text, language) is None, text


def check_refusal(error: InvalidRequest, injection: Injection) -> None:
    assert error.reason in ("INPUT_UNFIT", "VALIDATION_FAILED")
    assert [field.partition("[")[0] for field, _ in error.violations] == [injection.place]
    assert injection.given not in error.message + str(error.details)


async def fields_of(injection: Injection, client: FabulaClient, first: story_pb2.Complete) -> dict[str, Any]:
    """A request with the injection in its place; a child is made for those that stand in a profile."""
    if injection.place == "custom_user_input":
        return {"story_id": first.story_id, "chapter_id": first.chapter_id, "custom_user_input": injection.given}
    if injection.place in LENGTHS:
        interests = [injection.given] if injection.place == "interests" else []
        nickname = injection.given if injection.place == "nickname" else "Kim"
        child = await client.create_child(nickname, 7, interests=interests, language=injection.language)
        return {"theme": "a fox", "child_id": child.child_id}
    return {"theme": "a fox", injection.place: injection.given}


async def tempt(served: Served, last: story_pb2.Complete, injection: Injection, again: str) -> str:
    """Asks for a chapter, and checks all that anybody gets to see of it.

    `again` tells one temptation by the same injection from the next.
    """
    try:
        fields = await fields_of(injection, served.client, last)
        fields |= {"release": injection.release, "request_id": f"{again}-{injection.section}-{injection.number}"}
        stream = served.client.tell(**fields)
        live, error = await outcome(stream)
        if not live and error is not None:
            raise error
    except InvalidRequest as refusal:
        check_refusal(refusal, injection)
        return REFUSED
    later, _ = await outcome(served.client.watch(stream.run_id))
    out = [*told(live), *told(later), *(text for event in live + later for text in texts(event))]
    check_clean(out + await created(served.client, fields), injection.reader_language)
    if error is None:
        assert standing(live) == standing(later) == live[-1].complete.story_content
        return TOLD
    assert isinstance(error, RunFailed)
    assert error.reason == "CONTENT_REJECTED"
    assert standing(live) == standing(later) == ""
    assert not any(event.content.chunk for event in later)
    return REJECTED


async def created(client: FabulaClient, fields: dict[str, Any]) -> list[str]:
    """The texts of CreateStory's answer to the same request: of the response, or of the error."""
    try:
        return list(texts(await client.create(**fields)))
    except RunFailed as failed:
        return [failed.message, *(text for detail in failed.details for text in texts(detail))]


async def together(temptations: Iterable[Coroutine[Any, Any, str]]) -> list[str]:
    """How each ended; all that went wrong is told at once."""
    ends = await asyncio.gather(*temptations, return_exceptions=True)
    if wrong := [end for end in ends if isinstance(end, BaseException)]:
        raise BaseExceptionGroup("these came to something else", wrong)
    return [end for end in ends if isinstance(end, str)]


async def all_stories(client: FabulaClient) -> list[story_pb2.Story]:
    return [await client.get_story(each.story_id) async for each in client.list_stories()]


def test_there_are_two_hundred_and_each_fits_its_place() -> None:
    assert len({each.written for each in INJECTIONS}) == len(BY_TEXT) == 200
    assert all(0 < len(each.written) <= 120 for each in INJECTIONS)
    assert {(each.section, each.place, each.release) for each in INJECTIONS} == {
        (section, place, release) for section in range(10) for place in PLACES for release in RELEASES
    }


@pytest.mark.parametrize("place", PLACES)
async def test_a_model_that_obeys_an_injection_tells_nothing_unfit(
    serve: Serve, ollama: OllamaServer, place: str
) -> None:
    ollama.respond(obedient)
    tempting = [each for each in INJECTIONS if each.place == place]
    async with serve() as served:
        first = await served.client.tell("a fox").result()
        ends = await together(tempt(served, first, each, "once") for each in tempting)
        fit = [each for each, end in zip(tempting, ends, strict=True) if end != REFUSED]
        assert len(fit) > 35
        assert ends.count(REJECTED) > 15
        stories = await all_stories(served.client)
        check_clean([text for story in stories for text in texts(story)], "en")
        assert sum(len(story.chapters) for story in stories) == 1 + ends.count(TOLD)
        ollama.respond(lambda _: Reply(content=chapter(), chunk_chars=64))
        ends = await together(tempt(served, first, each, "again") for each in fit)
        assert set(ends) == {TOLD}
        chapters = [each for story in await all_stories(served.client) for each in story.chapters]
        assert sum(each.story_content == TEXT for each in chapters) > len(fit)


async def test_a_tale_of_thirty_chapters_stays_clean_with_an_injection_in_every_turn(
    serve: Serve, ollama: OllamaServer
) -> None:
    tempting = [each for each in INJECTIONS if each.place == "custom_user_input"]
    async with serve() as served:
        last = await served.client.tell("a fox", planned_chapters=30).result()
        while last.choices:
            injection = tempting[last.chapter_number * 7 % len(tempting)]
            ollama.respond(obedient)
            end = await tempt(served, last, injection, "once")
            if end != TOLD:
                ollama.respond(lambda _: Reply(content=chapter(), chunk_chars=64))
                assert await tempt(served, last, injection, "again") == TOLD
            story = await served.client.get_story(last.story_id)
            last = await served.client.watch(story.chapters[-1].chapter_id).result()
        check_clean(list(texts(story)), "en")
    assert [each.chapter_number for each in story.chapters] == list(range(1, 31))
    for asked in map(fenced, ollama.requests):
        recalled = [asked.get("bible", {}), asked.get("recent", [])]
        check_clean([json.dumps(each, ensure_ascii=False) for each in recalled], "en")


async def test_an_injection_within_the_models_own_answer_leads_to_nothing_unfit(
    serve: Serve, ollama: OllamaServer
) -> None:
    ollama.respond(obedient)
    async with serve() as served:
        for section in range(10):
            injection = next(each for each in INJECTIONS if (each.section, each.place) == (section, "theme"))
            kept = bible(f"He whispers to you: {injection.given}")
            ollama.reply_with(Reply(content=chapter(bible=kept, choices=[injection.given, "She waits"])))
            events, _ = await outcome(served.client.tell("a fox", release=run_pb2.RELEASE_TOKEN))
            first = events[-1].complete
            turn = served.client.tell(story_id=first.story_id, choice_id="1", release=run_pb2.RELEASE_TOKEN)
            more, error = await outcome(turn)
            story = await served.client.get_story(first.story_id)
            out = [*told(more), *texts(story), *(text for event in [*events, *more] for text in texts(event))]
            check_clean(out, "en")
            assert not any("whispers to you" in text for text in out)
            assert error is None or (isinstance(error, RunFailed) and error.reason == "CONTENT_REJECTED")


async def test_the_request_itself_is_not_told_as_a_story(serve: Serve, ollama: OllamaServer) -> None:
    ollama.respond(lambda request: Reply(content=chapter("<request>" + request.prompt.split("<request>")[-1])))
    async with serve() as served:
        for release in RELEASES:
            events, _ = await outcome(served.client.tell("a fox", release=release))
            assert not any("nickname" in text for text in told(events))
