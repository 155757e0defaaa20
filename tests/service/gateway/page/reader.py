"""A child at the page, with a parent who looks at the console."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.harness import WITHIN, Served

PAGE = {"http_address": "127.0.0.1:0"}
"""The setting that serves the page."""

HASTE = 20
"""How many times as fast as usual the page's timers run: its pace is for children, and tests have none to wait for."""

_HASTE = f"""
const unhurried = window.setTimeout;
window.setTimeout = (run, wait = 0, ...rest) => unhurried(run, wait / {HASTE}, ...rest);
"""

_VOICE = """
window.said = [];
let timer = 0;
const voices = [{ lang: "en-GB", localService: true, name: "test", default: true }];
class Words { constructor(text) { this.text = text; } }
Object.defineProperty(window, "SpeechSynthesisUtterance", { value: Words });
Object.defineProperty(window, "speechSynthesis", { value: {
  getVoices: () => voices,
  cancel: () => clearTimeout(timer),
  speak: (words) => {
    window.said.push(words.text);
    window.spoken = () => words.onend();
    if (!window.slow) timer = setTimeout(window.spoken, 1);
  },
} });
"""
"""A voice that needs no sound card. With `slow` set a sentence lasts until the test calls `spoken`."""


class Reader:
    """Plays the page at `url`."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.story = page.locator(".story")
        self.sentences = page.locator(".sentence:not(.leaving)")
        self.sign = page.locator(".sign")
        self.choices = page.locator("button.choice")
        self.trouble = page.locator(".trouble")

    async def choose_reader(self) -> None:
        await self.page.goto(f"{self.url}/#/readers")
        await self.page.locator("button.reader").last.click()
        await self.page.locator(".theme").first.wait_for()

    async def begin(self, theme: str = "a fox who fears the dark", *, chapters: int | None = None) -> None:
        """Chooses the reader, says what the story shall be about, and has it told."""
        await self.choose_reader()
        if chapters is not None:
            await self.page.locator(f"input[name=length][value='{chapters}']").check()
        await self.page.fill("#theme", theme)
        await self.press("Tell it")

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def follow(self, name: str) -> None:
        await self.page.get_by_role("link", name=name).click()

    async def see(self, count: int) -> list[str]:
        """Waits until so many sentences stand; answers all that do."""
        await self.sentences.nth(count - 1).wait_for()
        return await self.sentences.all_text_contents()

    async def finish(self) -> str:
        """Waits for the end of the chapter; answers its text, of which white space counts as one space."""
        await self.page.locator(".turns, .the-end").first.wait_for()
        return await self.text()

    async def text(self) -> str:
        return plain(" ".join(await self.page.locator(".story p").all_inner_texts()))

    async def heading(self, name: str) -> None:
        """Waits for a heading."""
        await expect(self.page.get_by_role("heading", name=name)).to_be_visible()

    async def run_id(self) -> str:
        """The run that is being read, once the page knows it."""
        await self.page.wait_for_function("JSON.parse(sessionStorage['fabula.telling'] || '{}').runId")
        return str(await self.page.evaluate("JSON.parse(sessionStorage['fabula.telling']).runId"))

    async def reach(self, name: str) -> None:
        """Presses Tab until what has the focus is so named. Fails when a round through the page has no such thing."""
        names: list[str] = []
        while name not in names:
            await self.page.keyboard.press("Tab")
            names.append((await self.page.evaluate("document.activeElement.textContent")).strip())
            assert len(names) < 60, f"{name!r} is not among {names}"

    async def stored(self) -> list[str]:
        """The chapters of the newest story on the shelf, as they are kept."""
        child = await self.page.evaluate("JSON.parse(sessionStorage['fabula.telling']).about.child.child_id")
        newest = (await self.fetch(f"/api/v1/stories?child_id={child}"))["stories"][0]
        story = (await self.fetch(f"/api/v1/stories/{newest['story_id']}"))["story"]
        return [each["story_content"] for each in story["chapters"]]

    async def fetch(self, path: str) -> Any:
        """What the gateway answers the page."""
        return json.loads(await self.page.evaluate("async (path) => (await fetch(path)).text()", path))


def page_of(served: Served) -> str:
    """Where the page of a service is."""
    assert served.app.http is not None
    return served.app.http.url


def plain(text: str) -> str:
    """The text with each run of white space as one space."""
    return re.sub(r"\s+", " ", text).strip()


@asynccontextmanager
async def reading(
    browser: Browser, url: str, *, width: int = 390, height: int = 844, awaiting: str = "button.reader"
) -> AsyncIterator[Reader]:
    """Opens the page as somebody new, and waits for what it shows first.

    Leaving it fails if a script failed or the page broke its own policy.
    """
    faults: list[str] = []
    context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.set_default_timeout(WITHIN * 1000)
    await context.add_init_script(_HASTE + _VOICE)
    page = await context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: _note(faults, message))
    try:
        await page.goto(url)
        await page.locator(awaiting).last.wait_for()
        yield Reader(page, url)
    finally:
        await context.close()
    assert faults == []


def _note(faults: list[str], message: ConsoleMessage) -> None:
    if "Content Security Policy" in message.text:
        faults.append(message.text)
