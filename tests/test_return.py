"""A server killed in a busy hall: screens and terminals come back and miss nothing."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from browser import browser_page  # noqa: F401 (a fixture)
from callers.client import WindowClient
from displays import follower
from displays.follower import Lost
from displays.frames import CallFrame, Snapshot
from floor import log
from floor.day import days

ROOT = Path(__file__).parent.parent
WAIT_S = 30


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@asynccontextmanager
async def serving(path: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """`main.py serve`, as an operator starts it; killed at the end of the block."""
    words = ("main.py", "serve", "--dev", "--log", str(path), "--port", str(port))
    running = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for _ in range(WAIT_S * 20):
            assert running.returncode is None, "The server did not start."
            with contextlib.suppress(httpx.TransportError):
                await http.get("/api/hall")
                break
            await asyncio.sleep(0.05)
    try:
        yield running
    finally:
        if running.returncode is None:
            os.kill(running.pid, signal.SIGKILL)
        await running.wait()


async def heard(url: str, seen: list[Snapshot | CallFrame | Lost]) -> None:
    """A screen that keeps what it was told."""
    async with aclosing(follower.follow(url, "test")) as frames:
        async for frame in frames:
            if isinstance(frame, Snapshot | CallFrame | Lost):
                seen.append(frame)


@pytest.mark.timeout(150)
async def test_screens_and_terminals_come_back_by_themselves(
    tmp_path: Path, page: Page
) -> None:
    path, port = tmp_path / "events.db", free_port()
    url = f"http://127.0.0.1:{port}"
    seen: list[Snapshot | CallFrame | Lost] = []
    acknowledged: list[str] = []
    enough = asyncio.Event()
    no_signal = page.get_by_text("信号中断").first

    async def take(http: httpx.AsyncClient) -> None:
        with contextlib.suppress(httpx.TransportError):
            answer = await http.post("/api/tickets", json={"item": "zonghe"})
            acknowledged.append(answer.json()["ticket"])
            if len(acknowledged) >= 20:
                enough.set()

    async with contextlib.AsyncExitStack() as stack:
        limits = httpx.Limits(max_connections=40)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, limits=limits)
        )
        async with serving(path, port) as first:
            screen = asyncio.create_task(heard(url, seen))
            stack.callback(screen.cancel)
            window = await stack.enter_async_context(WindowClient(url, "1"))
            await page.goto(f"{url}/screens/hall")
            for _ in range(3):
                await take(http)
            await window.say("open", clerk="2001")
            await window.say("call")
            await expect(page.locator("body")).to_contain_text("A001")
            rush = [asyncio.create_task(take(http)) for _ in range(60)]
            await enough.wait()
            os.kill(first.pid, signal.SIGKILL)
            await asyncio.gather(*rush)
        await expect(no_signal).to_be_visible(timeout=8000)

        async with serving(path, port):
            # Called through the other door while they may still be away.
            for word in ("start", "finish", "call"):
                done = await http.post(f"/api/windows/1/{word}")
                assert done.status_code == 200, done.text
            await expect(page.locator("body")).to_contain_text(
                "A002", timeout=WAIT_S * 1000
            )
            await expect(no_signal).to_be_hidden()
            for _ in range(WAIT_S * 20):
                board = window.board
                back = board and board.in_hand and board.in_hand.ticket == "A002"
                if back and window.link == "online" and shows(seen, "A002"):
                    break
                await asyncio.sleep(0.05)
            assert shows(seen, "A002"), "The screen missed the call made meanwhile."
            assert any(isinstance(frame, Lost) for frame in seen)
            await window.say("start", ticket="A002")

    (day,) = days(log.read(path))
    assert set(acknowledged) <= set(day.tickets)
    assert list(day.tickets) == [f"A{n:03d}" for n in range(1, len(day.tickets) + 1)]
    assert len(acknowledged) == len(set(acknowledged)) >= 20
    assert day.tickets["A002"].state == "serving"


def shows(seen: list[Snapshot | CallFrame | Lost], ticket: str) -> bool:
    """Whether the screen, by its last frames, knows of the call of a ticket."""
    for frame in reversed(seen):
        if isinstance(frame, Lost):
            return False
        if isinstance(frame, CallFrame) and frame.call.ticket == ticket:
            return True
        if isinstance(frame, Snapshot):
            return any(call.ticket == ticket for call in frame.calls)
    return False
