"""Writing one draft: what broke off is brought to its end, and never passed off as whole."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from google.protobuf.message import Message

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.errors import ModelOutputInvalid, ModelOutputTruncated
from service.runtime.model import Prompt, Schema, TextChunk
from service.workflows.story.decoding import Draft
from service.workflows.story.narrator import Narrator
from service.workflows.story.prompts import Prompts
from service.workflows.story.retrying import NO_RETRIES, Teller
from service.workflows.story.task import StoryTask
from service.workflows.story.writing import Writer
from tests.service.workflows.story.samples import CLEAN, make_task
from tests.stories import TEXT, chapter

MODES = [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_PARAGRAPH, run_pb2.RELEASE_CHAPTER, run_pb2.RELEASE_TOKEN]
LAST = make_task(chapter_number=5)
WHOLE = json.dumps(chapter())


class Speaker:
    """Implements LanguageModel and Emitter: says these answers, a cut one up to where it is cut; hears the events."""

    name = "scripted:speaker"
    run_id = "run"

    def __init__(self, *answers: str | tuple[str, int]) -> None:
        self.answers = list(answers)
        self.prompts: list[Prompt] = []
        self.contents: list[story_pb2.Content] = []

    async def stream(self, prompt: Prompt, schema: Schema) -> AsyncGenerator[TextChunk, None]:
        self.prompts.append(prompt)
        assert schema["title"] == "Chapter"
        answer = self.answers.pop(0)
        text = answer if isinstance(answer, str) else answer[0][: answer[1]]
        for at in range(0, len(text), 5):
            yield TextChunk(text[at : at + 5])
        if not isinstance(answer, str):
            yield TextChunk("", truncated=True)

    async def emit(self, body: Message, progress_percent: int = 0) -> None:
        assert 0 <= progress_percent <= 100
        if isinstance(body, story_pb2.Content):
            self.contents.append(body)


async def write(speaker: Speaker, task: StoryTask | None = None) -> tuple[Draft, str]:
    """The draft, and the text that has left once it is approved."""
    task = task or make_task()
    narrator = Narrator(speaker, CLEAN, task.release)
    narrator.begin_revision()
    prompts = Prompts(task, CLEAN, 8_192, 2_048)
    draft = await Writer(task, Teller([speaker], NO_RETRIES, lambda: 60), prompts, narrator).write(
        prompts.tell(), 5, 60
    )
    await narrator.approve(draft.story_content, 70)
    return draft, "".join(each.chunk for each in speaker.contents)


def ending(text: str, **changes: Any) -> str:
    return json.dumps(chapter(text, **changes))


def cut_after(words: str) -> tuple[str, int]:
    return WHOLE, WHOLE.index(words) + len(words)


@pytest.mark.parametrize("release", MODES)
async def test_a_whole_answer_is_the_draft(release: run_pb2.Release.ValueType) -> None:
    speaker = Speaker(WHOLE)
    draft, left = await write(speaker, make_task(release=release))
    assert draft.story_content == left == TEXT
    assert len(speaker.prompts) == 1


@pytest.mark.parametrize("release", [run_pb2.RELEASE_SENTENCE, run_pb2.RELEASE_CHAPTER])
async def test_a_chapter_that_was_cut_short_is_finished_from_its_last_whole_sentence(
    release: run_pb2.Release.ValueType,
) -> None:
    speaker = Speaker(cut_after("There hung the st"), ending("And all was well.", title="The End"))
    draft, left = await write(speaker, make_task(release=release))
    assert draft.story_content == left == TEXT[: TEXT.index(" There hung")] + " And all was well."
    assert draft.title == "The End"
    asked = speaker.prompts[1].user
    assert '"task": "finish"' in asked
    assert "climbed the hill together" in asked
    assert "There hung" not in asked


async def test_where_words_have_left_the_chapter_goes_on_behind_the_last_of_them() -> None:
    speaker = Speaker(cut_after("There hung the st"), ending(" lights of heaven."))
    draft, left = await write(speaker, make_task(release=run_pb2.RELEASE_TOKEN))
    assert draft.story_content == left
    assert left.startswith(TEXT[: TEXT.index("There hung")])
    assert left.endswith(" lights of heaven.")


@pytest.mark.parametrize(
    ("cut", "rest", "joined"),
    [
        ("There hung the st", "ars.", "There hung the stars."),
        ("There hung the st", "And so.", "There hung the st And so."),
        ("one and all.", "Then.", "one and all. Then."),
        ("one and all.", " Then.", "one and all. Then."),
    ],
)
async def test_where_words_have_left_a_continuation_is_parted_from_them_when_it_is_a_sentence(
    cut: str, rest: str, joined: str
) -> None:
    speaker = Speaker(cut_after(cut), ending(rest))
    _, left = await write(speaker, make_task(release=run_pb2.RELEASE_TOKEN))
    assert left.endswith(joined)


async def test_only_whole_paragraphs_stand_where_paragraphs_leave() -> None:
    speaker = Speaker(cut_after("There hung the st"), ending("And all was well."))
    draft, left = await write(speaker, make_task(release=run_pb2.RELEASE_PARAGRAPH))
    assert draft.story_content == left == TEXT[: TEXT.index("\n\nSo they")] + "\n\nAnd all was well."


async def test_the_segments_and_the_end_are_told_as_if_nothing_had_been_cut() -> None:
    speaker = Speaker(cut_after("There hung the st"), ending("And all was well."))
    await write(speaker)
    assert [each.segment for each in speaker.contents] == list(range(1, len(speaker.contents) + 1))
    assert {each.revision for each in speaker.contents} == {1}
    assert [each.is_complete for each in speaker.contents[:-1]] == [False] * (len(speaker.contents) - 1)
    assert speaker.contents[-1].is_complete


async def test_a_whole_text_whose_rest_was_cut_is_kept_and_the_rest_asked_for() -> None:
    speaker = Speaker(cut_after('"title": "Emb'), ending("Something more.", title="The Rest"))
    draft, left = await write(speaker)
    assert draft.story_content == left == TEXT
    assert (draft.title, draft.choices) == ("The Rest", chapter()["choices"])
    assert '"whole": true' in speaker.prompts[1].user


async def test_a_tale_that_goes_on_asks_for_the_choices_that_were_forgotten() -> None:
    speaker = Speaker(ending(TEXT, choices=["one"]), ending("", choices=["one", "two"]))
    draft, left = await write(speaker)
    assert (draft.choices, left) == (["one", "two"], TEXT)


async def test_without_choices_the_second_time_the_answer_is_unusable() -> None:
    with pytest.raises(ModelOutputInvalid):
        await write(Speaker(ending(TEXT, choices=[]), ending("", choices=[])))


async def test_the_last_chapter_has_no_choices_and_needs_none() -> None:
    speaker = Speaker(WHOLE)
    draft, _ = await write(speaker, LAST)
    assert (draft.choices, draft.choice_question) == ([], "")
    draft, _ = await write(Speaker(ending(TEXT, choices=[])), LAST)
    assert draft.choices == []


@pytest.mark.parametrize(
    "answers",
    [
        (cut_after("There hung"), cut_after("Once there")),
        (cut_after("There hung"), (ending("And all."), 40)),
        (cut_after("Once there was a sm"),),
        (cut_after('{"story_con'),),
    ],
)
async def test_what_can_not_be_finished_is_told_as_cut_short(answers: tuple[tuple[str, int], ...]) -> None:
    speaker = Speaker(*answers)
    with pytest.raises(ModelOutputTruncated):
        await write(speaker)
    assert not speaker.answers


@pytest.mark.parametrize("release", MODES)
@pytest.mark.parametrize("rest", ["", " \n"])
async def test_an_end_that_does_not_come_is_not_passed_off_as_one(
    release: run_pb2.Release.ValueType, rest: str
) -> None:
    with pytest.raises(ModelOutputTruncated):
        await write(Speaker(cut_after("There hung the st"), ending(rest)), make_task(release=release))


async def test_blank_and_equal_choices_are_none() -> None:
    speaker = Speaker(ending(TEXT, choices=["", "  ", "go", " go "]), ending("", choices=["go", "stay"]))
    draft, _ = await write(speaker)
    assert draft.choices == ["go", "stay"]


async def test_a_story_without_text_is_unusable() -> None:
    for text in ("", "  \n"):
        with pytest.raises(ModelOutputInvalid):
            await write(Speaker(ending(text)))


async def test_a_cut_that_was_none_counts_as_whole() -> None:
    speaker = Speaker((WHOLE, len(WHOLE)))
    draft, _ = await write(speaker)
    assert draft.story_content == TEXT
