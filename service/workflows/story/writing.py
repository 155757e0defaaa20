"""Has a model write one draft: the text to the narrator as it comes, and what broke off brought to its end."""

import re
from contextlib import aclosing

from service.errors import ModelOutputInvalid, ModelOutputTruncated
from service.runtime.model import LanguageModel, Prompt
from service.workflows.story.decoding import Draft, DraftDecoder
from service.workflows.story.narrator import Narrator
from service.workflows.story.prompts import Prompts
from service.workflows.story.retrying import Teller
from service.workflows.story.task import StoryTask

_EXPECTED_CHARACTERS = {3: 900, 6: 1_600, 9: 2_600}
_LEAST_CHOICES = 2


class Writer:
    """Writes the drafts of one run."""

    def __init__(self, task: StoryTask, teller: Teller, prompts: Prompts, narrator: Narrator) -> None:
        self._task = task
        self._teller = teller
        self._prompts = prompts
        self._narrator = narrator
        ages = sorted(_EXPECTED_CHARACTERS.items(), reverse=True)
        self._expected = next(size for age, size in ages if task.reader.age >= age)

    async def write(self, prompt: Prompt, start: int, end: int) -> Draft:
        """The draft that answers the prompt, its text told in full; `start` and `end` are the progress in percent.

        A model that fails before a reader has heard anything of it is asked again, and then the fallback model is.
        An answer that the token limit cut short is finished by one more; so is a chapter without choices in a tale
        that goes on. Raises ModelOutputTruncated when that one is cut short as well, ModelOutputInvalid, and what the
        model raises.
        """
        return await self._teller.ask(
            lambda model: self._attempt(model, prompt, start, end), lambda: self._narrator.is_unheard
        )

    async def _attempt(self, model: LanguageModel, prompt: Prompt, start: int, end: int) -> Draft:
        """See `write`: once, by this model, whatever an attempt before has left behind."""
        self._narrator.begin_again()
        told = _Telling(self._narrator, start, end, self._expected)
        decoder = DraftDecoder()
        truncated = await self._hear(model, prompt, decoder, told)
        try:
            rest, draft = decoder.finish(truncated=truncated)
        except ModelOutputTruncated:
            draft = await self._finish(model, told, whole=decoder.text_ended)
        else:
            await told.tell(rest)
            if not draft.story_content.strip():
                raise ModelOutputInvalid("The model's answer holds no story.")
            if not self._task.is_last and len(draft.choices) < _LEAST_CHOICES:
                draft = await self._finish(model, told, whole=True)
        await self._narrator.end_text(end)
        ended = {"choices": [], "choice_question": ""} if self._task.is_last else {}
        return draft.model_copy(update=ended).signed(model.name)

    async def _hear(self, model: LanguageModel, prompt: Prompt, decoder: DraftDecoder, told: "_Telling | None") -> bool:
        """Lets the decoder take the whole answer; says whether the token limit cut it short."""
        truncated = False
        async with aclosing(model.stream(prompt, self._prompts.schema)) as chunks:
            async for chunk in chunks:
                truncated = truncated or chunk.truncated
                if (text := decoder.feed(chunk.text)) and told is not None:
                    await told.tell(text)
        return truncated

    async def _finish(self, model: LanguageModel, told: "_Telling", *, whole: bool) -> Draft:
        """Asks for what is missing: the end of the text, unless that is whole, and all that comes after it."""
        if not whole:
            told.drop_unfinished()
        if not told.text.strip():
            raise ModelOutputTruncated("The model reached its token limit before anything of the story was whole.")
        decoder, kept = DraftDecoder(), told.text
        prompt = self._prompts.finish(kept, whole=whole)
        # Of a whole chapter there is nothing to add, whatever a model may write.
        truncated = await self._hear(model, prompt, decoder, None if whole else told)
        rest, draft = decoder.finish(truncated=truncated)
        if not whole:
            await told.tell(rest)
            if not told.text[len(kept) :].strip():
                raise ModelOutputTruncated("The model reached its token limit before the story's end.")
        if not self._task.is_last and len(draft.choices) < _LEAST_CHOICES:
            raise ModelOutputInvalid("The model's answer holds no choices.")
        return draft.model_copy(update={"story_content": told.text})


class _Telling:
    """The text of one draft on its way to the narrator."""

    def __init__(self, narrator: Narrator, start: int, end: int, expected: int) -> None:
        self._narrator = narrator
        self._start = start
        self._end = end
        self._expected = expected
        self._parts: list[str] = []
        self._heard = 0
        self._broken_off = False
        self._space = ""

    @property
    def text(self) -> str:
        """All that was told and stands."""
        return "".join(self._parts)

    async def tell(self, text: str) -> None:
        """Goes on with the text."""
        if not text:
            return
        if self._broken_off:
            self._broken_off = False
            text = self._gap(text) + text
        self._parts.append(text)
        self._heard += len(text)
        share = min(self._heard, self._expected) / self._expected
        await self._narrator.hear(text, self._start + int((self._end - self._start) * share))

    def drop_unfinished(self) -> None:
        """The text broke off: drops the sentence that it broke off in, as far as that has not left."""
        dropped = self._narrator.abandon()
        text = self.text
        self._parts = [text[: len(text) - len(dropped)]]
        self._broken_off = True
        self._space = dropped[: len(dropped) - len(dropped.lstrip())]

    def _gap(self, text: str) -> str:
        """What parts a continuation from what stands: few models begin with the white space before a sentence."""
        if self._space or text[0].isspace():
            return "" if text[0].isspace() else self._space
        # Nothing was dropped: either it goes on within a word, or a sentence begins.
        return " " if text[0].isupper() and re.search(r"[\w.!?…]\Z", self.text) else ""
