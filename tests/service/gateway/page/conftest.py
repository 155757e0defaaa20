"""A real Chromium, and a reader who plays the page in it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.harness import WITHIN
from tests.service.gateway.page.chromium import chromium
from tests.service.gateway.page.reader import Reader, reading

expect.set_options(timeout=WITHIN * 1000)


class Play(Protocol):
    """Opens the page at an address, as a reader of its own: `async with play(url) as reader`."""

    def __call__(
        self, url: str, *, width: int = 390, height: int = 844, awaiting: str = "button.reader"
    ) -> AbstractAsyncContextManager[Reader]: ...


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where one Chromium, shared by the tests of this process, is reached."""
    with chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def browser(endpoint: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(endpoint)


@pytest.fixture
def play(browser: Browser) -> Play:
    return partial(reading, browser)
