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


async def all_named_and_legible(page: Page) -> None:
    """Whoever only hears the page, and whoever sees little, can use it."""
    assert await page.evaluate(NAMELESS) == []
    assert await page.evaluate(PALE) == []


async def overflowing(page: Page) -> list[str]:
    """What sticks out of the screen to the side or below."""
    out: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(e => {
            const box = e.getBoundingClientRect();
            return box.width > 1 && (box.right > innerWidth + 1 ||
                box.bottom > innerHeight + 1 || box.left < -1);
        }).map(e => e.outerHTML.slice(0, 80))"""
    )
    return out


#: What can be touched or seen and has no words for those who hear the page.
NAMELESS = """() => [...document.querySelectorAll("a, button, img, svg")].filter(e =>
    e.tagName === "svg" ? !e.ariaHidden
    : e.tagName === "IMG" ? !e.alt
    : e.checkVisibility() && !e.textContent.trim() && !e.ariaLabel
).map(e => e.outerHTML.slice(0, 80))"""

#: Words with a contrast below 4.5 to 1 (WCAG 2.2, 1.4.3).
PALE = """() => {
    const rgba = text => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return { r, g, b, a };
    };
    const light = ({ r, g, b }) => {
        const [x, y, z] = [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = e => {
        for (; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour.a === 1) return colour;
        }
        return { r: 255, g: 255, b: 255 };
    };
    const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    return [...document.querySelectorAll("body *")]
        .filter(e => own(e) && e.checkVisibility() && e.closest("template") === null)
        .map(e => {
            const a = light(rgba(getComputedStyle(e).color)), b = light(ground(e));
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            return [contrast, e.outerHTML.slice(0, 80)];
        })
        .filter(([contrast]) => contrast < 4.5);
}"""
