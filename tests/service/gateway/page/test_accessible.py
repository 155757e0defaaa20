"""axe-core finds no fault in any state of the page, and fingers find every button."""

from typing import Any

import pytest

from tests.harness import serving
from tests.service.gateway.page.conftest import Play
from tests.service.gateway.page.reader import PAGE, Reader, page_of
from tests.tools import needed_module

SMALLEST_TARGET = 44
"""Pixels: what a child's finger hits. WCAG 2.5.5."""

_FAULTS = """
axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
    .then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map((each) => each.target.join(" "))]))
"""
_SMALL = """(least) => [...document.querySelectorAll("a[href], button")]
    .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden, .skip"))
    .map((each) => [each.textContent, each.getBoundingClientRect()])
    .filter(([, box]) => box.height < least || box.width < least).map(([text]) => text)
"""


class Inspector:
    """Looks at each state of the page that it is shown."""

    def __init__(self, reader: Reader, axe: str) -> None:
        self._reader = reader
        self._axe = axe
        self.found: dict[str, Any] = {}

    async def look(self, name: str) -> None:
        page = self._reader.page
        # What is still fading has the contrast of neither state.
        await page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})))")
        faults = await page.evaluate(f"{self._axe};{_FAULTS}")
        small = await page.evaluate(_SMALL, SMALLEST_TARGET)
        wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        if faults or small or wide:
            self.found[name] = {"faults": faults, "too small": small, "scrolls sideways": wide}


# Contrast hangs on the light, and the size of what is pressed on the width.
@pytest.mark.parametrize(("light", "width", "height"), [("dark", 390, 844), ("light", 1280, 800)])
async def test_no_state_of_the_page_has_a_fault(play: Play, light: Any, width: int, height: int) -> None:
    axe = (needed_module("axe-core") / "axe.min.js").read_text(encoding="utf-8")
    async with serving(**PAGE) as served, play(page_of(served), width=width, height=height) as reader:
        await reader.page.emulate_media(color_scheme=light)
        inspector = Inspector(reader, axe)
        await _tour(reader, inspector)
    assert inspector.found == {}


async def _tour(reader: Reader, inspector: Inspector) -> None:
    page = reader.page
    await inspector.look("readers")
    await reader.follow("Add a reader")
    await inspector.look("form")
    await reader.choose_reader()
    await inspector.look("themes")
    await reader.press("Text and light")
    await inspector.look("settings")
    await page.keyboard.press("Escape")
    await reader.press("A shy fox")
    await reader.see(1)
    await inspector.look("reading")
    await reader.finish()
    await inspector.look("choices")
    await reader.follow("Shelf")
    await page.locator(".book").first.wait_for()
    await inspector.look("shelf")
    await page.get_by_role("button", name="Put away").click()
    await inspector.look("confirmation")
    await page.keyboard.press("Escape")
    await page.locator(".cover").first.click()
    await page.locator(".entry").first.wait_for()
    await inspector.look("story")
    await page.locator(".entry a").first.click()
    await reader.finish()
    await inspector.look("chapter")
    await reader.begin("a fox is stabbed")
    await reader.trouble.wait_for()
    await inspector.look("trouble")
