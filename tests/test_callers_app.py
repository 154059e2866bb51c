"""The clerk's terminal on a real hall, key by key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

import callers.client
import callers.server
from callers import labels
from callers.app import CallerApp
from callers.dialogs import Help, SignIn
from callers.keys import CONFIRM_S
from callers.labels import Label
from callers.panels import (
    HandPanel,
    KeyLines,
    LinePanel,
    LinkBar,
    Panel,
    SaidPanel,
    TopBar,
)
from conftest import Served, ServeHall
from test_callers_client import until
from test_callers_server import NoClerks, post, take

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 09:00 in the hall.


class Time:
    """The hall's clock and the terminal's, which go on when the test says so."""

    def __init__(self) -> None:
        self.s = 0.0

    def hall(self) -> datetime:
        return NINE + timedelta(seconds=self.s)

    def terminal(self) -> float:
        return 1_000 + self.s


class Clerk:
    """A clerk in front of the terminal: presses keys and reads."""

    def __init__(self, pilot: Pilot[None], time: Time) -> None:
        self.pilot = pilot
        self.time = time

    async def press(self, *keys: str) -> None:
        """Press keys, with enough time between them to be meant."""
        for key in keys:
            self.time.s += 2
            await self.pilot.press(key)

    def reads(self, panel: type[Panel]) -> str:
        """What stands in a part of the screen, under whatever dialog."""
        shown = self.pilot.app.screen_stack[0].query_one(panel)
        return str(shown.render())

    @property
    def said(self) -> str:
        return self.reads(SaidPanel)

    async def hears(self, said: str | Label) -> None:
        """Wait for an answer; fails with the one that stands there."""
        text = said if isinstance(said, str) else said.zh
        try:
            await until(lambda: self.said == text)
        except TimeoutError:
            pytest.fail(f"{self.said!r} instead of {text!r}")

    async def sees(self, panel: type[Panel], text: str) -> None:
        try:
            await until(lambda: text in self.reads(panel))
        except TimeoutError:
            pytest.fail(f"{text!r} is not in {self.reads(panel)!r}")


@asynccontextmanager
async def at_window(
    url: str, window: str = "3", clerk: str = "c3", time: Time | None = None
) -> AsyncIterator[Clerk]:
    time = time or Time()
    app = CallerApp(url, window, clerk, monotonic=time.terminal)
    async with app.run_test(size=(80, 24)) as pilot:
        yield Clerk(pilot, time)


@asynccontextmanager
async def open_window(
    serve_hall: ServeHall, tickets: int = 2
) -> AsyncIterator[tuple[Served, Clerk]]:
    """A clerk at the open window 3, and tickets waiting for it."""
    time = Time()
    async with serve_hall(callers.server.routes, clock=time.hall) as served:
        await take(served, "zonghe", tickets)
        async with at_window(served.url, time=time) as clerk:
            await clerk.sees(TopBar, "已连接")
            await clerk.press("o")
            await clerk.hears("已开窗，可以叫号")
            yield served, clerk


# ── Every key ───────────────────────────────────────────────────────────────

# Each row: the keys that do it, one after the other, and what is said.
DAY = (
    (("c", "2", "f2", "C"), "已呼叫 {ticket}"),
    (("r", "3", "f3", "R"), "已再次呼叫 {ticket}"),
    (("s", "4", "f4", "S"), "{ticket} 开始办理"),
    (("f", "5", "f5", "F"), "{ticket} 已办结"),
    (("e", "8", "f8", "E"), "已邀请 {ticket} 评价"),
    (("p", "7", "f7", "P"), "已暂停叫号"),
    (("p", "7", "f7", "P"), "已恢复叫号"),
)


async def test_a_day_at_the_window_by_letters_digits_and_function_keys(
    serve_hall: ServeHall,
) -> None:
    async with open_window(serve_hall, 5) as (served, clerk):
        for visit in range(4):
            for keys, said in DAY:
                await clerk.press(keys[visit])
                await clerk.hears(said.format(ticket=f"A{visit + 1:03d}"))
        await clerk.press("c", "n", "enter")
        await clerk.hears("A005 已过号")
        await clerk.press("x", "enter")
        await clerk.hears("已关窗，辛苦了")
        places = served.floor.feed.day.places
        assert places["3"].state == "closed"
        await clerk.press("f9")
        await clerk.hears("已开窗，可以叫号")
        await clerk.press("0", "0")
        await clerk.hears("已关窗，辛苦了")


async def test_every_refusal_is_a_sentence_in_the_clerks_language(
    serve_hall: ServeHall,
) -> None:
    async with open_window(serve_hall, 1) as (_, clerk):
        for key in "rsf":
            await clerk.press(key)
            await clerk.hears("3号窗口现在没有叫号")
        await clerk.press("e")
        await clerk.hears("3号窗口还没有办结的号，无法邀评")
        await clerk.press("o")
        await clerk.hears("3号窗口已由c3开窗")
        await clerk.press("c", "c")
        await clerk.hears("3号窗口还有A001号未办结")
        await clerk.press("f")
        await clerk.hears("A001号还没有开始办理")
        await clerk.press("l")
        await clerk.hears("Service of ticket A001 has not started")
        await clerk.press("x")  # Refused anyway, so nothing is asked.
        await clerk.hears("Window 3 still has ticket A001")
        await clerk.press("s", "n")
        await clerk.hears("Ticket A001 is already being served at window 3")
        await clerk.press("f", "l", "c")
        await clerk.hears("3号窗口没有人等候")
        await clerk.press("p", "c")
        await clerk.hears("3号窗口正在暂停，请先恢复")
        await clerk.press("x", "enter", "c")
        await clerk.hears("3号窗口还没有开窗")


async def test_every_part_of_the_screen_follows_the_hall(
    serve_hall: ServeHall,
) -> None:
    async with open_window(serve_hall, 2) as (served, clerk):
        await post(served, "tickets", item="xuke", kind="priority")
        await clerk.sees(LinePanel, "等候 3 人")
        await clerk.sees(LinePanel, "J001")
        await clerk.sees(TopBar, "青禾县政务服务中心  3号窗口 综合窗口  工号 c3")
        await clerk.sees(HandPanel, "按 C 呼叫下一位")
        # Called at the other door: the terminal shows it like its own.
        await post(served, "windows/3/call")
        await clerk.sees(HandPanel, "A001  综合受理")
        await clerk.sees(HandPanel, "第 1 次呼叫")
        await clerk.sees(LinePanel, "等候 2 人")
        await post(served, "windows/3/start")
        clerk.time.s += 125
        await clerk.sees(HandPanel, "已办理 2:05 / 标准 15:00")
        await clerk.sees(LinePanel, "2 分")
        clerk.time.s += 900
        await clerk.sees(HandPanel, "超出标准时长")
        await post(served, "windows/3/finish")
        await clerk.sees(HandPanel, "上一号 A001：未邀评")
        await post(served, "windows/3/invite")
        await clerk.sees(HandPanel, "上一号 A001：已邀评，尚未评价")
        await post(served, "tickets/A001/evaluation", level="dissatisfied")
        await clerk.sees(HandPanel, "上一号 A001：已评价")
        await post(served, "windows/3/pause")
        await clerk.sees(HandPanel, "暂停服务")
        await clerk.sees(KeyLines, "7 P 恢复")
        await post(served, "hall/close")
        await clerk.sees(HandPanel, "今天已闭厅")


# ── Presses that do not count ───────────────────────────────────────────────


async def test_a_double_press_has_one_effect(serve_hall: ServeHall) -> None:
    async with open_window(serve_hall) as (served, clerk):
        await clerk.press("c")
        await clerk.hears("已呼叫 A001")
        position = served.floor.feed.position
        await clerk.press("r")
        for _ in range(5):
            clerk.time.s += 0.2
            await clerk.pilot.press("r", "f3", "3")
        await clerk.hears(labels.DOUBLE)
        assert served.floor.feed.position == position + 1


async def test_a_no_show_is_asked_about_and_escape_means_no(
    serve_hall: ServeHall,
) -> None:
    async with open_window(serve_hall) as (served, clerk):
        await clerk.press("c", "n")
        await clerk.hears("A001 确定过号？按回车或再按一次 N 确认")
        await clerk.press("escape", "enter")
        await clerk.hears("")
        assert served.floor.feed.day.places["3"].ticket == "A001"
        await clerk.press("n")
        clerk.time.s += CONFIRM_S
        await clerk.hears("")
        await clerk.press("n")
        await clerk.hears("A001 确定过号？按回车或再按一次 N 确认")
        await clerk.press("n")
        await clerk.hears("A001 已过号")


async def test_a_question_about_a_ticket_that_is_gone_is_withdrawn(
    serve_hall: ServeHall,
) -> None:
    async with open_window(serve_hall) as (served, clerk):
        await clerk.press("c", "n")
        await post(served, "windows/3/no-show")
        await post(served, "windows/3/call")
        await clerk.sees(HandPanel, "A002")
        await clerk.pilot.press("enter")
        await clerk.pilot.pause(0.2)
        assert served.floor.feed.day.tickets["A002"].state == "called"


async def test_no_step_is_taken_on_a_ticket_that_is_not_in_view(
    serve_hall: ServeHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Slow boards: the terminal goes on showing A001 when A002 is in hand already.
    monkeypatch.setattr(callers.server, "BOARD_GAP_S", 10.0)
    async with open_window(serve_hall) as (served, clerk):
        await clerk.press("c")
        await clerk.sees(HandPanel, "A001")
        for word in ("no-show", "call", "start"):
            await post(served, f"windows/3/{word}")
        await clerk.press("f")
        await clerk.hears("3号窗口现在办的是A002号，不是A001号")


# ── The hall cannot be reached ──────────────────────────────────────────────


async def test_without_the_hall_keys_are_refused_and_nothing_is_sent_later(
    serve_hall: ServeHall,
) -> None:
    time = Time()
    async with serve_hall(callers.server.routes, clock=time.hall) as served:
        port = int(served.url.rpartition(":")[2])
        await take(served, "zonghe", 3)
    async with at_window(served.url, time=time) as clerk:
        await clerk.sees(TopBar, "已断开")
        await clerk.sees(LinkBar, "与服务器断开，正在重连… 按键无效")
        await clerk.press("o")
        await clerk.hears("“开窗”没有发送，恢复连接后请重新按键")
        async with serve_hall(callers.server.routes, clock=time.hall, port=port):
            await clerk.sees(TopBar, "已连接")
            await clerk.press("o")
            await clerk.hears("已开窗，可以叫号")
            await clerk.press("c")
            await clerk.hears("已呼叫 A001")
        await clerk.sees(TopBar, "已断开")
        assert "A001" in clerk.reads(HandPanel)  # The last that is known, dimmed.
        assert clerk.pilot.app.screen.has_class("cut")
        for key, step in (("s", "开始"), ("f4", "开始"), ("c", "叫号"), ("n", "过号")):
            await clerk.press(key)
            await clerk.hears(f"“{step}”没有发送，恢复连接后请重新按键")
        async with serve_hall(
            callers.server.routes, clock=time.hall, port=port
        ) as served:
            position = served.floor.feed.position
            await clerk.hears("已恢复连接")
            assert not clerk.pilot.app.screen.has_class("cut")
            await clerk.pilot.pause(0.3)
            assert served.floor.feed.position == position
            assert served.floor.feed.day.tickets["A001"].state == "called"
            await clerk.press("s")
            await clerk.hears("A001 开始办理")


async def test_a_hall_that_does_not_answer_is_said_to_be_so(
    serve_hall: ServeHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers.client, "ANSWER_S_MAX", 0.5)
    async with open_window(serve_hall) as (served, clerk):

        async def never(command: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(served.floor, "do", never)
        await clerk.press("c")
        await clerk.press("r")
        await clerk.hears(labels.BUSY)
        await clerk.hears(labels.UNANSWERED)
        await clerk.sees(TopBar, "已连接")
        await clerk.hears(labels.UNANSWERED)  # Still there after the reconnection.


async def test_a_device_without_the_right_is_told_so(serve_hall: ServeHall) -> None:
    async with serve_hall(callers.server.routes) as served:
        served.floor.gate = NoClerks()
        async with at_window(served.url) as clerk:
            await clerk.sees(LinkBar, "设备未授权，请联系管理员 按键无效")
            await clerk.press("c")
            await clerk.hears("“叫号”没有发送，恢复连接后请重新按键")


async def test_a_window_that_the_hall_does_not_have(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        at_window(served.url, "99") as clerk,
    ):
        await clerk.sees(LinkBar, "大厅没有99号窗口，请检查启动参数 按键无效")
        await clerk.press("l")
        await clerk.sees(LinkBar, "The hall has no window 99")


async def test_before_the_first_board_every_key_is_harmless() -> None:
    async with at_window("http://127.0.0.1:1") as clerk:
        await clerk.press(*"crsfnpeox", "enter", "escape", "l", "l", "f1", "escape")
        await clerk.press("ctrl+c")
        await clerk.hears("按 Ctrl+Q 退出")


# ── Dialogs ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("given", ["", "no such id"])
async def test_who_has_no_id_yet_is_asked_for_it(
    serve_hall: ServeHall, given: str
) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        at_window(served.url, clerk=given) as clerk,
    ):
        app = clerk.pilot.app
        await clerk.sees(TopBar, "已连接")
        await clerk.press("o")
        assert isinstance(app.screen, SignIn)
        await clerk.press("a", "space", "b", "enter")
        assert isinstance(app.screen, SignIn)  # It says what an id is.
        app.screen.query_one(Input).value = "张三-2"
        await clerk.press("enter")
        await clerk.hears("已开窗，可以叫号")
        assert served.floor.feed.day.places["3"].clerk == "张三-2"
        # Whoever was let in is not asked again.
        await clerk.press("x", "enter", "o")
        await clerk.hears("已开窗，可以叫号")


async def test_signing_in_can_be_given_up(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        at_window(served.url, clerk="") as clerk,
    ):
        await clerk.sees(TopBar, "已连接")
        await clerk.press("o", "c", "9", "escape")
        assert not isinstance(clerk.pilot.app.screen, SignIn)
        await clerk.pilot.pause(0.2)
        assert served.floor.feed.day.version == 0


async def test_under_a_dialog_boards_and_the_end_of_the_hall_are_shown_too(
    serve_hall: ServeHall,
) -> None:
    async with AsyncExitStack() as hall:
        served = await hall.enter_async_context(serve_hall(callers.server.routes))
        await take(served, "zonghe")
        await post(served, "windows/3/open", clerk="c3")
        async with at_window(served.url) as clerk:
            await clerk.sees(TopBar, "已连接")
            await clerk.press("f1")
            assert isinstance(clerk.pilot.app.screen, Help)
            await clerk.press("c", "f2")  # No steps while help is open.
            assert served.floor.feed.day.places["3"].state == "free"
            await post(served, "windows/3/call")
            await clerk.sees(HandPanel, "A001")
            await hall.aclose()
            await clerk.sees(TopBar, "已断开")
            await clerk.press("escape")
            assert not isinstance(clerk.pilot.app.screen, Help)


async def test_an_answer_that_comes_under_a_dialog_is_there_afterwards(
    serve_hall: ServeHall,
) -> None:
    async with open_window(serve_hall) as (_, clerk):
        await clerk.pilot.press("c", "question_mark")
        await clerk.hears("已呼叫 A001")
        await clerk.press("1")
        assert not isinstance(clerk.pilot.app.screen, Help)


async def test_the_program_can_end_at_any_moment(serve_hall: ServeHall) -> None:
    async with serve_hall(callers.server.routes) as served:
        for wait_s in (0.0, 0.02, 0.05, 0.1, 0.3):
            async with at_window(served.url) as clerk:
                await clerk.pilot.press("o", "c", "f1")
                await asyncio.sleep(wait_s)
                await clerk.pilot.press("ctrl+q")
            assert clerk.pilot.app.return_code == 0
