"""The screen hub (屏幕): every frame to every screen, and the pages beside it.

The hub hears of each durable fact once, makes its frame once, and hands the same text
to one bounded queue for each screen. Whoever stalls is cut off and comes back by
itself to a new snapshot; it never delays the hall.
"""

import asyncio
import logging
import re
from collections.abc import Sequence

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from displays import frames, pages
from floor import refusals
from floor.day import Day
from floor.door import Floor, Right, until_gone
from floor.facts import Entry
from floor.follow import Feed

# Four full commits of the hall, each told at once, or a rush of 20 s: a screen that far
# behind has stalled, and a snapshot brings it back sooner. Screens share the text.
QUEUE_MAX = 1_024
# Pages take 4.5 s of silence for a lost hall, so one beat may come late.
BEAT_S = 2.0

WS_BAD_NAME = 4000
WS_STALLED = 4008  # Come back: the first frame is a snapshot.

logger = logging.getLogger(__name__)


def routes(floor: Floor) -> Sequence[BaseRoute]:
    """The routes of `/ws/screen/{name}` and of every page for visitors."""
    hub = Hub(floor.feed)

    async def show(socket: WebSocket) -> None:
        try:
            floor.gate.admit(socket, Right.VISIT)
        except refusals.NotAllowed:
            await socket.close(1008)
            return
        await _show(hub, socket)

    return [WebSocketRoute("/ws/screen/{name}", show), *pages.routes(floor)]


class Hub:
    """All screens of a hall, and the one watcher that tells them.

    Args:
        feed: what has become durable; watched from now on.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._screens: set[Screen] = set()
        self._snapshot = ""  # Made for the first who joins after a fact, kept for all.
        feed.watch(self._hear)

    def join(self, name: str) -> "Screen":
        """A screen that has a snapshot first, then every frame after it."""
        if not self._snapshot:
            shown = frames.snapshot(self._feed.day, self._feed.position)
            self._snapshot = frames.encode(shown)
        screen = Screen(name)
        # Nothing is awaited between the two, so no fact falls between them.
        screen.offer(self._snapshot)
        self._screens.add(screen)
        return screen

    def leave(self, screen: "Screen") -> None:
        self._screens.discard(screen)

    def beat(self) -> str:
        """The frame of a quiet hall."""
        return frames.encode(frames.Beat(position=self._feed.position))

    def _hear(self, day: Day, entry: Entry | None) -> None:
        self._snapshot = ""
        frame = (
            frames.frame(day, entry)
            if entry is not None
            else frames.snapshot(day, self._feed.position)
        )
        if frame is None:
            return
        text = frames.encode(frame)
        for screen in tuple(self._screens):
            if not screen.offer(text):
                logger.warning("Screen %s stalled and is cut off", screen.name)
                self.leave(screen)


class Screen:
    """One screen's frames on their way to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._frames: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_MAX)

    def offer(self, text: str) -> bool:
        """Hand over a frame, or give the screen up and say False."""
        try:
            self._frames.put_nowait(text)
        except asyncio.QueueFull:
            while not self._frames.empty():
                self._frames.get_nowait()
            self._frames.put_nowait(None)
            return False
        return True

    async def next(self) -> str | None:
        """The next frame; None when the screen was given up."""
        return await self._frames.get()


async def _show(hub: Hub, socket: WebSocket) -> None:
    name = socket.path_params["name"]
    await socket.accept()
    if not re.fullmatch(pages.SCREEN_NAME, name):
        await socket.close(WS_BAD_NAME, "A screen name is 1 to 40 of A-Z a-z 0-9 _ -")
        return
    screen = hub.join(name)
    try:
        await until_gone(socket, _send_frames(hub, screen, socket))
    finally:
        hub.leave(screen)


async def _send_frames(hub: Hub, screen: Screen, socket: WebSocket) -> None:
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                text = await screen.next()
        except TimeoutError:
            text = hub.beat()
        if text is None:
            await socket.close(WS_STALLED, "stalled; come back to a new snapshot")
            return
        await socket.send_text(text)
