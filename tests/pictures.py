"""The pictures in docs/pictures, taken of a real hall: `python tests/pictures.py`."""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from playwright.async_api import Browser

from browser import NOT_FOUND, browser, chromium
from callers import server as callers_server
from callers.app import CallerApp
from displays import server
from floor import api, door
from floor.catalogue import load
from floor.door import DevGate, Floor
from floor.follow import opened
from timeline import SAMPLE, VERBS

MONDAY_10 = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in the hall.
ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
SCORE = ROOT / "demo" / "score.html"

MORNING = """
opens 1
opens 3
opens 4
opens 6
opens 9
opens 12
opens 14
opens 19
takes zonghe 9
takes budongchan 4
takes shebao 7
takes yibao 3
takes huji 5
takes shenfenzheng 12
takes churujing 2
takes qiyekaiban 1
takes banshui 11
takes fapiao 6
takes minsheng 2
takes banbucheng 1
calls 19
starts 19
calls 6
starts 6
calls 9
no-show 9
calls 14
calls 4
starts 4
calls 1
starts 1
finishes 1
calls 12
calls 1
recalls 1
"""


@asynccontextmanager
async def morning() -> AsyncIterator[str]:
    """A hall in mid-morning behind a port; gives its URL."""

    def clock() -> datetime:
        return MONDAY_10

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.db"
        async with opened(path, load(SAMPLE), clock()) as (hall, feed):
            floor = Floor(feed, hall, clock, DevGate(), b"k" * 32)
            for line in MORNING.strip().splitlines():
                verb, *words = line.split()
                times = int(words.pop()) if verb == "takes" else 1
                for _ in range(times):
                    await floor.do(VERBS[verb](words))
            rooms = (api, server, callers_server)
            routes = [route for room in rooms for route in room.routes(floor)]
            app = door.application(floor, routes)
            async with door.running(app, door.listen("127.0.0.1", 0)) as url:
                yield url


async def take_pictures(running: Browser, url: str, folder: Path) -> None:
    """Open each page as its visitor sees it, and keep the picture."""
    page = await running.new_page(viewport={"width": 1920, "height": 1080})
    await page.clock.set_fixed_time(MONDAY_10)
    await page.goto(f"{url}/screens/hall")
    await page.wait_for_selector("#calls li")
    await page.screenshot(path=folder / "hall.png")

    page = await running.new_page(viewport={"width": 1080, "height": 1920})
    await page.goto(f"{url}/kiosk")
    await page.wait_for_selector("#items button")
    await page.screenshot(path=folder / "kiosk.png")

    page = await running.new_page(viewport={"width": 1280, "height": 800})
    await page.goto(f"{url}/rate/A001")
    await page.screenshot(path=folder / "rate.png")


async def take_terminal(running: Browser, url: str, folder: Path) -> None:
    """The clerk's terminal at a window, drawn by its own SVG."""
    app = CallerApp(url, "1", "c1")
    async with app.run_test(size=(84, 24)) as pilot:
        for _ in range(50):
            await pilot.pause(0.05)
        svg = app.export_screenshot(title="叫号终端")
    # The SVG squeezes Chinese into half its width (it counts letters, not cells); in
    # a font whose letters are half an em, the text falls into its cells by itself.
    svg = re.sub(r'textLength="[^"]*"', "", svg)
    svg = re.sub(r'clip-path="[^"]*line[^"]*"', "", svg)
    svg = svg.replace("font-variant-east-asian: full-width;", "")
    svg = svg.replace("Fira Code", "Noto Sans Mono CJK SC")
    svg = svg.replace("font-size: 20px", "font-size: 24.4px")
    page = await running.new_page(viewport={"width": 1080, "height": 680})
    await page.set_content(f"<body style='margin:0'>{svg}</body>")
    await page.locator("svg").screenshot(path=folder / "caller.png")


async def take_score(running: Browser, folder: Path) -> None:
    """The assessment of the last demo day."""
    if not SCORE.exists():
        sys.exit("No demo day to take a picture of: run `make demo ONCE=1` first.")
    page = await running.new_page(viewport={"width": 1280, "height": 1130})
    await page.goto(SCORE.as_uri())
    await page.screenshot(path=folder / "score.png")


async def main() -> None:
    """Take all pictures."""
    path = chromium()
    if path is None:
        sys.exit(NOT_FOUND)
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with morning() as url, browser(path) as running:
        await take_pictures(running, url, PICTURES)
        await take_terminal(running, url, PICTURES)
        await take_score(running, PICTURES)


if __name__ == "__main__":
    asyncio.run(main())
