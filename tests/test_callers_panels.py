"""Panels drawn from a day: what stands where, in terminal cells."""

from datetime import timedelta
from typing import get_args

import msgspec
import pytest
from rich.cells import cell_len

from callers import boards, keys
from callers.client import Link
from callers.labels import Label, Lang
from callers.messages import Board
from callers.panels import (
    BARS,
    HandPanel,
    KeyLines,
    LinePanel,
    LinkBar,
    Panel,
    SaidPanel,
    TopBar,
    View,
)
from floor.day import WindowState
from timeline import FloorDay

PANELS = (TopBar, LinkBar, HandPanel, LinePanel, SaidPanel, KeyLines)


def board_of(floor: FloorDay, clock: str = "10:00:00", window: str = "3") -> Board:
    board = boards.board(floor.day, floor.day.position, window, floor.at(clock))
    assert board is not None
    return board


def view_of(board: Board | None, lang: Lang = "zh", link: Link = "online") -> View:
    return View(
        lang=lang,
        window="3",
        link=link,
        board=board,
        now=board.now if board else None,
        said=Label("已呼叫 A001", "Called A001"),
        tone="done",
    )


def drawn(panel: type[Panel], view: View, width: int, height: int) -> list[str]:
    return panel().draw(view, width, height).plain.split("\n")


def test_tickets_stand_in_columns_whatever_the_language(floor: FloorDay) -> None:
    """
    08:10:00 takes zonghe
    09:50:00 takes xuke
    09:59:30 takes zonghe
    """
    for lang in get_args(Lang):
        _, *rows = drawn(LinePanel, view_of(board_of(floor), lang), 30, 16)
        assert {cell_len(row) for row in rows if row} == {30}
        assert [row[:5] for row in rows[3:]] == ["A001 ", "J001 ", "A002 "]
    rows = drawn(LinePanel, view_of(board_of(floor)), 30, 16)
    assert rows[0] == "等候 3 人"
    assert rows[1].split() == ["综合受理", "2"]
    assert rows[4].endswith("110 分")
    assert rows[6].endswith("刚到")


def test_the_line_is_in_the_order_of_the_hall(floor: FloorDay) -> None:
    """
    09:00:00 takes xuke
    09:00:01 takes zonghe
    09:00:02 takes minsheng
    09:00:03 takes xuke
    09:00:04 takes zonghe
    """
    waiting = [ticket.ticket for ticket in board_of(floor).waiting]
    assert waiting == ["J001", "A001", "J002", "A002"]  # 3 has no minsheng.


@pytest.mark.parametrize("height", [3, 6, 8, 16, 40])
def test_who_does_not_fit_is_counted(height: int) -> None:
    floor = FloorDay().play("\n".join(["09:00:00 takes zonghe"] * 30))
    rows = drawn(LinePanel, view_of(board_of(floor)), 30, height)
    shown = [row for row in rows if row.startswith("A")]
    assert rows[-1] == f"后面还有 {30 - len(shown)} 人"
    assert len(rows) <= max(height, 5)


def test_many_items_become_a_few_rows() -> None:
    floor = FloorDay().play("09:00:00 takes zonghe\n09:00:00 takes xuke")
    board = board_of(floor)
    many = tuple(
        msgspec.structs.replace(board.lines[0], item=str(n), name=f"事{n}", waiting=n)
        for n in range(10)
    )
    rows = drawn(LinePanel, view_of(msgspec.structs.replace(board, lines=many)), 30, 16)
    assert rows[0] == "等候 45 人"
    assert [row.split() for row in rows[1:4]] == [
        ["事9", "9"],
        ["事8", "8"],
        ["事7", "7"],
    ]
    assert rows[4] == "另有 7 个事项 21 人"


def test_the_timer_runs_from_the_call_and_then_from_the_start(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    09:00:10 opens 3
    09:01:00 calls 3
    09:01:30 recalls 3
    """
    rows = drawn(HandPanel, view_of(board_of(floor, "09:02:05")), 46, 16)
    assert rows[0] == "已呼叫，等候群众到窗口"
    assert "A001  综合受理  " in rows
    assert "第 2 次呼叫  已呼叫 1:05" in rows
    floor.play("09:02:10 starts 3")
    rows = drawn(HandPanel, view_of(board_of(floor, "09:17:10")), 46, 16)
    assert "已办理 15:00 / 标准 15:00" in rows
    assert "超出标准时长" not in rows
    rows = drawn(HandPanel, view_of(board_of(floor, "09:17:11")), 46, 16)
    assert "超出标准时长" in rows


def test_a_clock_behind_the_halls_never_shows_a_time_below_nothing(
    floor: FloorDay,
) -> None:
    """
    09:00:00 takes zonghe
    09:00:10 opens 3
    09:01:00 calls 3
    """
    rows = drawn(HandPanel, view_of(board_of(floor, "08:00:00")), 46, 16)
    assert "第 1 次呼叫  已呼叫 0:00" in rows


@pytest.mark.parametrize(
    ("ticket", "width", "cells"),
    [("A002", 46, 46), ("A002", 45, 23), ("A1000", 46, 28), ("ABC1000", 46, 40)],
)
def test_the_number_is_as_large_as_there_is_room(
    floor: FloorDay, ticket: str, width: int, cells: int
) -> None:
    """
    09:00:00 takes zonghe
    09:00:10 opens 3
    09:01:00 calls 3
    """
    board = board_of(floor)
    assert board.in_hand is not None
    held = msgspec.structs.replace(board.in_hand, ticket=ticket)
    board = msgspec.structs.replace(board, in_hand=held)
    rows = drawn(HandPanel, view_of(board), width, 16)
    assert {cell_len(row) for row in rows[2:7]} == {cells}


def test_a_number_that_has_no_room_is_at_least_written(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    09:00:10 opens 3
    09:01:00 calls 3
    """
    assert "A001" in drawn(HandPanel, view_of(board_of(floor)), 10, 16)


STATES = {
    "closed": "",
    "free": "09:00:00 opens 3",
    "called": "09:00:00 opens 3\n09:00:00 takes zonghe\n09:01:00 calls 3",
    "serving": "09:00:00 opens 3\n09:00:00 takes zonghe\n09:01:00 calls 3\n"
    "09:02:00 starts 3",
    "paused": "09:00:00 opens 3\n09:00:00 pauses 3",
}


@pytest.mark.parametrize("lang", get_args(Lang))
@pytest.mark.parametrize("state", STATES)
def test_nothing_is_wider_than_80_columns_in_any_state(
    lang: Lang, state: WindowState
) -> None:
    board = board_of(FloorDay().play(STATES[state]))
    assert board.state == state
    for link in get_args(Link):
        view = view_of(board, lang, link)
        for panel in (TopBar, LinkBar, SaidPanel, KeyLines):
            for row in drawn(panel, view, 78, 2):
                assert cell_len(row) <= 78
        assert all(cell_len(row) <= 46 for row in drawn(HandPanel, view, 46, 16))
        assert all(cell_len(row) <= 29 for row in drawn(LinePanel, view, 29, 16))


def test_bright_are_the_keys_that_make_sense_now() -> None:
    for state, timeline in STATES.items():
        view = view_of(board_of(FloorDay().play(timeline)))
        content = KeyLines().draw(view, 78, 2)
        for key in keys.STEPS:
            at = content.plain.index(f"{key.shown} ")
            styles = [str(s.style) for s in content.spans if s.start <= at < s.end]
            bold = any("bold" in style for style in styles)
            assert bold == (state in key.states), (state, key.word)


def test_keys_stand_in_columns(floor: FloorDay) -> None:
    first, second = drawn(KeyLines, view_of(board_of(floor)), 78, 2)
    assert cell_len(first[: first.index("7 P")]) == 65
    assert cell_len(second[: second.index("Ctrl+Q")]) == 65


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_can_be_drawn_before_the_first_board(panel: type[Panel]) -> None:
    for link in get_args(Link):
        drawn(panel, view_of(None, link=link), 78, 16)


def test_every_link_but_online_says_why_keys_are_off() -> None:
    assert set(BARS) == set(get_args(Link)) - {"online"}


def test_ages_grow_with_the_halls_clock(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    """
    view = view_of(board_of(floor, "09:00:59"))
    assert drawn(LinePanel, view, 30, 16)[-1].endswith("刚到")
    assert view.now is not None
    later = msgspec.structs.replace(view, now=view.now + timedelta(seconds=1))
    assert drawn(LinePanel, later, 30, 16)[-1].endswith(" 1 分")
