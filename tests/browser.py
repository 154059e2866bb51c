"""A real browser for tests: the installed Chromium, driven by Playwright.

    from browser import browser_page  # noqa: F401

gives a test the fixture `page`, a fresh page without memory. Where there is no browser
the test is skipped with its reason; with CI in the environment a missing browser is a
failure.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOT_FOUND = "No Chromium: install it, or name it in JIAOHAO_CHROMIUM."


def chromium() -> str | None:
    """Path of the browser; None when there is none."""
    named = os.environ.get("JIAOHAO_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def browser(path: str) -> AsyncIterator[Browser]:
    """The browser at this path, running while the block does."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=ARGS)
        try:
            yield running
        finally:
            await running.close()


@pytest.fixture(name="page")
async def browser_page() -> AsyncIterator[Page]:
    """A fresh page, 1920 by 1080; an error in its scripts fails the test."""
    path = chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(NOT_FOUND)
        pytest.skip(NOT_FOUND)
    errors: list[str] = []
    async with browser(path) as running:
        page = await running.new_page(viewport={"width": 1920, "height": 1080})
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert not errors, f"Scripts of the page failed: {errors}"
