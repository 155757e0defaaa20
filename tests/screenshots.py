"""Takes the pictures of the page that README shows: `python -m tests.screenshots`."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.harness import serving
from tests.journal import begin_journal
from tests.service.gateway.page.chromium import chromium
from tests.service.gateway.page.reader import PAGE, Reader, page_of, reading

FOLDER = Path(__file__).parent.parent / "docs"


async def _shoot(reader: Reader, name: str) -> None:
    await reader.page.mouse.move(0, 0)  # nothing is lifted under a pointer that the picture does not show
    # The page is at rest when nothing on it moves any more.
    await reader.page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})))")
    await reader.page.screenshot(path=FOLDER / f"{name}.png")


async def _phone(browser: Browser, url: str) -> None:
    async with reading(browser, url, width=390, height=844) as reader:
        await reader.choose_reader()
        await _shoot(reader, "phone-choose")
        await reader.page.emulate_media(color_scheme="dark")
        await reader.press("A shy fox")
        await reader.see(6)
        await reader.press("Pause")
        await _shoot(reader, "phone-bedtime")


async def _desktop(browser: Browser, url: str) -> None:
    async with reading(browser, url, width=1280, height=800) as reader:
        await reader.choose_reader()
        await _shoot(reader, "desktop-choose")
        await reader.page.evaluate("window.slow = true")
        await reader.press("A singing whale")
        await reader.finish()
        await reader.press("Read aloud")
        await reader.page.locator(".spoken").wait_for()
        await reader.page.evaluate("spoken()")
        await _shoot(reader, "desktop-aloud")
        await reader.press("Stop reading")
        await reader.page.locator(".turns").scroll_into_view_if_needed()
        await _shoot(reader, "desktop-choices")


async def main() -> None:
    """Serves the embedded storyteller, and plays the page before the camera."""
    begin_journal()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as endpoint:
        async with AsyncExitStack() as stack:
            playwright = await stack.enter_async_context(async_playwright())
            browser = await playwright.chromium.connect_over_cdp(endpoint)
            served = await stack.enter_async_context(serving(**PAGE, embedded_tokens_per_second=25))
            await _phone(browser, page_of(served))
            await _desktop(browser, page_of(served))


if __name__ == "__main__":
    asyncio.run(main())
