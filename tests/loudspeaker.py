"""A loudspeaker for tests: a hall's day, and an announcer that hears of its facts."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from displays import frames
from displays.follower import Lost
from displays.frames import Beat
from displays.sound import Announcement, Output
from displays.speaker import Speaker
from displays.voice import Announcer
from timeline import MONDAY, FloorDay

OPEN = """
09:00:00 opens 1 c1
09:00:01 opens 2 c2
09:00:02 opens 3 c3
"""
TAKE = "09:00:10 takes zonghe\n"


class Loudspeaker:
    """A hall's day, and an announcer that hears of each fact as it happens."""

    def __init__(self, speaking: Speaker, output: Output) -> None:
        self.day = FloorDay()
        self.now = MONDAY
        self.told: list[Announcement] = []
        self.announcer = Announcer(
            speaking, output, lambda: self.now, on_event=self.told.append
        )

    def play(self, lines: str, heard: bool = True) -> None:
        """Facts that the announcer hears of, or not while its signal is lost."""
        for line in lines.strip().splitlines():
            self.day.play(line)
            entry = self.day.entries[-1]
            self.now = entry.fact.at
            frame = frames.frame(self.day.day, entry)
            if heard and frame and not isinstance(frame, Beat):
                self.announcer.hear(frame)

    def join(self) -> None:
        position = self.day.entries[-1].position
        self.announcer.hear(frames.snapshot(self.day.day, position))

    def lose(self) -> None:
        self.announcer.hear(Lost("the cable is out"))

    async def say_all(self) -> None:
        async with asyncio.timeout(30):
            while await self.announcer.say_next():
                pass

    def became(self, event: str = "finished") -> list[str]:
        return [
            f"{a.ticket} {a.window} {a.outcome}{' repeat' if a.repeat else ''}"
            for a in self.told
            if a.event == event
        ]


async def until(true: Callable[[], bool], wait_s: float = 20) -> None:
    async with asyncio.timeout(wait_s):
        while not true():  # noqa: ASYNC110 - what is waited for may be anything.
            await asyncio.sleep(0.01)


def journal(tmp_path: Path) -> list[dict[str, object]]:
    lines = (tmp_path / "wav" / "announcements.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
