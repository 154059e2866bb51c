"""LED strips above the windows (窗口屏): follow the hall, show what has changed.

A strip on a shared serial line takes 80 ms to redraw, so only strips whose text has
changed are sent anything.
"""

import sys
from contextlib import aclosing
from typing import Literal, Protocol, TextIO

from rich.cells import set_cell_size

from displays import wording
from displays.follower import Lost, follow
from displays.frames import CallFrame, ChangeFrame, Snapshot, WindowStrip
from displays.wording import Lang
from floor.day import WindowState

# Ten Chinese characters on a strip of 160 x 16 dots, the common size above a window.
STRIP_CELLS = 20
LABEL_CELLS = 10

StripState = Literal[WindowState, "lost"]
COLOURS: dict[StripState, str] = {
    "called": "1;31",
    "serving": "32",
    "free": "33",
    "paused": "33",
    "closed": "2",
    "lost": "7;31",
}


class Panel(Protocol):
    """The strips of a hall, whatever they are made of."""

    async def show(self, window: str, text: str, state: StripState) -> None:
        """Show a text on the strip of a window.

        Args:
            window: id of the window.
            text: what its strip shows from now on.
            state: `lost` when the text may be out of date since the signal is lost.
        """


class ConsolePanel:
    """Strips as lines on a terminal, one line each time a strip changes.

    Args:
        out: standard output when not given; colour is for terminals only.
    """

    def __init__(self, out: TextIO | None = None, lang: Lang = "zh") -> None:
        self._out = out or sys.stdout
        self._lang = lang
        self._colour = self._out.isatty()

    async def show(self, window: str, text: str, state: StripState) -> None:
        label = _clean(wording.window_label(window, self._lang))
        strip = set_cell_size(_clean(text), STRIP_CELLS)
        if self._colour:
            strip = f"\x1b[{COLOURS[state]}m{strip}\x1b[0m"
        mark = f" {wording.SIGNAL_LOST[self._lang]}" if state == "lost" else ""
        line = f"{set_cell_size(label, LABEL_CELLS)} [{strip}]{mark}"
        print(line, file=self._out, flush=True)


async def run(url: str, panel: Panel, *, name: str = "led", lang: Lang = "zh") -> None:
    """Show on the panel what the hall's windows say, until cancelled.

    Args:
        url: of the hall, `http://127.0.0.1:8000`.
        panel: where the strips are.
        name: by which the hall knows this gateway.
        lang: the language of the strips.

    Raises:
        Unusable: the URL is none.
    """
    strips = Strips(panel, lang)
    async with aclosing(follow(url, name)) as following:
        async for frame in following:
            match frame:
                case Snapshot():
                    await strips.replace(frame.windows)
                case CallFrame():
                    await strips.change(frame.strip)
                case ChangeFrame() if frame.strip:
                    await strips.change(frame.strip)
                case Lost():
                    await strips.mark_lost()


class Strips:
    """What each strip of a panel shows now."""

    def __init__(self, panel: Panel, lang: Lang = "zh") -> None:
        self._panel = panel
        self._lang = lang
        self._shown: dict[str, tuple[str, StripState]] = {}

    async def replace(self, strips: tuple[WindowStrip, ...]) -> None:
        """Show these strips and no others; those that already do are left alone."""
        known = {strip.window for strip in strips}
        for window in self._shown.keys() - known:
            del self._shown[window]
        for strip in strips:
            await self.change(strip)

    async def change(self, strip: WindowStrip) -> None:
        """Show a strip as it is now."""
        text = wording.strip(strip.state, strip.ticket, strip.window, self._lang)
        await self._show(strip.window, text, strip.state)

    async def mark_lost(self) -> None:
        """Mark all strips as possibly out of date.

        They keep their text: somebody may be on the way to that window.
        """
        for window, (text, _) in tuple(self._shown.items()):
            await self._show(window, text, "lost")

    async def _show(self, window: str, text: str, state: StripState) -> None:
        if self._shown.get(window) != (text, state):
            self._shown[window] = (text, state)
            await self._panel.show(window, text, state)


def _clean(text: str) -> str:
    """Without control characters, which could move a terminal's cursor."""
    return "".join(char if char.isprintable() else " " for char in text)
