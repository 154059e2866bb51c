"""The strips above the windows, cell by cell."""

import asyncio
import io
import re
from collections.abc import Callable

import pytest
from rich.cells import cell_len

import displays.server
from conftest import ServeHall
from displays import frames, led
from displays.led import ConsolePanel, Strips
from floor import commands
from timeline import FloorDay


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


async def test_lines_on_a_console_are_cell_by_cell_what_was_asked() -> None:
    out = io.StringIO()
    panel = ConsolePanel(out)
    await panel.show("3", "请A012到3号窗口", "called")
    await panel.show("12", "欢迎光临", "free")
    await panel.show("东厅接待处一号", "A012 办理中", "serving")
    await panel.show("VIP", "请A1000到办不成事反映窗口窗口", "called")
    assert out.getvalue().splitlines() == [
        "3号        [请A012到3号窗口     ]",
        "12号       [欢迎光临            ]",
        "东厅接待处 [A012 办理中         ]",
        "VIP        [请A1000到办不成事反 ]",
    ]
    assert {cell_len(line) for line in out.getvalue().splitlines()} == {33}


async def test_a_lost_signal_is_marked_behind_the_text() -> None:
    out = io.StringIO()
    await ConsolePanel(out).show("3", "请A012到3号窗口", "lost")
    assert out.getvalue() == "3号        [请A012到3号窗口     ] 信号中断\n"


async def test_colour_is_for_terminals_only() -> None:
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        await ConsolePanel(out).show("3", "欢迎光临", "free")
    assert "\x1b[33m" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()
    assert re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue()) == file.getvalue()


async def test_control_characters_do_not_reach_the_terminal() -> None:
    out = io.StringIO()
    await ConsolePanel(out).show("3\x1b[2J", "请A\n012\x07", "called")
    assert out.getvalue() == "3 [2J      [请A 012             ]\n"


async def test_only_changed_strips_are_sent() -> None:
    day = FloorDay().play(
        """
        09:00:00 opens 3 c3
        09:01:00 takes zonghe
        """
    )
    out = io.StringIO()
    strips = Strips(ConsolePanel(out))

    async def lines() -> list[str]:
        snapshot = frames.snapshot(day.day, day.entries[-1].position)
        await strips.replace(snapshot.windows)
        said = out.getvalue().splitlines()
        out.truncate(0)
        out.seek(0)
        return said

    first = await lines()
    assert len(first) == len(day.catalogue.windows)
    assert "3号        [欢迎光临            ]" in first
    assert "4号        [未开窗              ]" in first
    assert await lines() == []
    day.play("09:02:00 calls 3")
    assert await lines() == ["3号        [请A001到3号窗口     ]"]
    day.play("09:03:00 starts 3")
    assert await lines() == ["3号        [A001 办理中         ]"]
    day.play("09:04:00 finishes 3")
    day.play("09:05:00 pauses 3 午餐")
    assert await lines() == ["3号        [暂停服务            ]"]
    await strips.mark_lost()
    await strips.mark_lost()
    marked = out.getvalue().splitlines()
    assert len(marked) == len(first)
    assert all(line.endswith("] 信号中断") for line in marked)
    out.truncate(0)
    out.seek(0)
    assert len(await lines()) == len(first)


async def test_a_window_that_the_catalogue_drops_is_forgotten() -> None:
    day = FloorDay()
    out = io.StringIO()
    strips = Strips(ConsolePanel(out))
    windows = frames.snapshot(day.day, 1).windows
    await strips.replace(windows)
    await strips.replace(windows[:2])
    await strips.mark_lost()
    assert out.getvalue().count("信号中断") == 2


async def test_strips_of_a_real_hall_that_goes_and_comes_back(
    serve_hall: ServeHall,
) -> None:
    out = io.StringIO()

    async def until(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110 - a terminal has no event.
                await asyncio.sleep(0.01)

    async with serve_hall(displays.server.routes) as served:
        showing = asyncio.create_task(led.run(served.url, ConsolePanel(out)))
        await until(lambda: "19号" in out.getvalue())
        await served.floor.do(commands.OpenWindow(window="3", clerk="c3"))
        await served.floor.do(commands.TakeTicket(item="zonghe"))
        await served.floor.do(commands.CallNext(window="3"))
        await until(lambda: "3号        [请A001到3号窗口     ]\n" in out.getvalue())
        assert out.getvalue().count("\n") == 19 + 2  # Each window, 欢迎光临, the call.
        port = int(served.url.rpartition(":")[2])
    await until(lambda: out.getvalue().count("信号中断") == 19)
    assert "3号        [请A001到3号窗口     ] 信号中断\n" in out.getvalue()
    async with serve_hall(displays.server.routes, port=port) as served:
        await until(lambda: out.getvalue().count("\n") == 19 + 2 + 19 + 19)
        await served.floor.do(commands.StartService(window="3"))
        await until(lambda: out.getvalue().endswith("[A001 办理中         ]\n"))
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
