"""One call, from the key in the clerk's terminal to the mark that it changes.

Everything is real: server, log, terminal, browser, strip, voice.
"""

import array
import asyncio
import io
import json
import math
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page, expect
from starlette.routing import BaseRoute
from textual.pilot import Pilot

import callers.server
import displays.led
import displays.server
import displays.voice
import scoring.server
from browser import browser_page  # noqa: F401 (a fixture)
from callers.app import CallerApp
from conftest import ServeHall
from floor import facts, log
from floor.door import Floor

WAIT_S = 20


async def until(done: Callable[[], bool], what: str) -> None:
    """Wait for something to become true."""
    for _ in range(WAIT_S * 50):
        if done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"It did not happen: {what}")


@asynccontextmanager
async def beside(job: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def mark(http: httpx.AsyncClient, window: str, code: str) -> dict[str, Any]:
    windows = (await http.get("/api/score")).json()["windows"]
    items = next(each["items"] for each in windows if each["window"] == window)
    return dict(next(item for item in items if item["code"] == code))


def loudness(path: Path) -> float:
    """Root mean square of a WAV, of full scale."""
    with wave.open(str(path)) as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    return math.sqrt(sum(s * s for s in samples) / len(samples)) / 32768


async def test_a_call_from_key_to_score(
    serve_hall: ServeHall, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "events.db"

    def score_routes(floor: Floor) -> Sequence[BaseRoute]:
        return scoring.server.routes(floor, lambda: log.read(path))

    rooms = (callers.server.routes, displays.server.routes, score_routes)
    wav = tmp_path / "wav"
    strips = io.StringIO()
    async with (
        serve_hall(*rooms, path=path) as served,
        httpx.AsyncClient(base_url=served.url) as http,
        beside(displays.led.run(served.url, displays.led.ConsolePanel(strips))),
        beside(
            displays.voice.run(
                served.url,
                wav=wav,
                cache=tmp_path / "cache",
                clock=lambda: datetime.now(UTC),  # noqa: TID251
            )
        ),
    ):
        await page.goto(f"{served.url}/screens/hall")
        taken = (await http.post("/api/tickets", json={"item": "zonghe"})).json()
        assert (taken["ticket"], taken["ahead"]) == ("A001", 0)
        assert (await mark(http, "1", "D1"))["status"] == "not_applicable"

        app = CallerApp(served.url, "1", "2001")
        async with app.run_test(size=(100, 30)) as pilot:
            await press_until(pilot, "o", served.path, facts.WindowOpened)
            called_at = await press_until(pilot, "f2", served.path, facts.TicketCalled)

            await expect(page.locator("body")).to_contain_text("A001")
            row = page.get_by_text("A001").first
            await expect(row).to_be_visible()
            await until(lambda: "请A001到1号窗口" in strips.getvalue(), "the strip")
            await until(lambda: bool(list(wav.glob("*.wav"))), "the voice")

            await press_until(pilot, "s", served.path, facts.ServiceStarted)
            finished_at = await press_until(
                pilot, "f", served.path, facts.ServiceFinished
            )

        called = next(e for e in log.read(path) if e.position == called_at)
        assert isinstance(called.fact, facts.TicketCalled)
        assert (called.fact.ticket, called.fact.window) == ("A001", "1")
        assert called.fact.policy == "first_come"

        (sound,) = wav.glob("*.wav")
        assert sound.name == f"{called_at:06d}-A001-1.wav"
        assert loudness(sound) > 0.02
        said = json.loads((wav / "announcements.jsonl").read_text().splitlines()[-1])
        assert said["sentence"] == "请A001号到1号窗口办理"
        assert "A零零幺号到一号窗口" in said["spoken"]

        # Served and not invited to rate: two points of D1, and the facts say why.
        d1 = await mark(http, "1", "D1")
        assert (d1["points"], d1["points_max"]) == (48, 50)
        assert finished_at in d1["evidence"]
        # The visitor rates all the same: the points come back with the fact.
        await http.post("/api/tickets/A001/evaluation", json={"level": "非常满意"})
        d1 = await mark(http, "1", "D1")
        assert d1["points"] == 50


async def press_until(
    pilot: "Pilot[None]", key: str, path: Path, fact: type[facts.Fact]
) -> int:
    """Press a key once its moment has come; gives the position of its fact."""

    def found() -> list[int]:
        return [e.position for e in log.read(path) if isinstance(e.fact, fact)]

    app = pilot.app
    assert isinstance(app, CallerApp)
    await until(lambda: app._hall.link == "online", "the terminal is connected")
    await asyncio.sleep(0.1)
    await pilot.press(key)
    await until(lambda: bool(found()), f"{fact.__name__} after {key}")
    await pilot.pause(0.1)
    return found()[-1]
