"""What costs points: each clause of the rubric, on both sides of its threshold."""

from datetime import datetime, timedelta

import pytest

from floor import commands, facts
from floor.facts import Level
from scoring import rulebook
from scoring.assessment import Assessment, assess
from scoring.items import Mark, NotApplicable, NotMeasured, Result
from test_scoring_visits import tell
from timeline import FloorDay

BOOK = rulebook.load()


def result(
    floor: FloorDay, window: str, code: str, as_of: datetime | None = None
) -> Result:
    return found(assess(floor.entries, BOOK, as_of=as_of), window, code)


def found(assessment: Assessment, window: str, code: str) -> Result:
    score = next(w for w in assessment.windows if w.window == window)
    return next(line.result for line in score.lines if line.item.code == code)


def mark(
    floor: FloorDay, window: str, code: str, as_of: datetime | None = None
) -> Mark:
    got = result(floor, window, code, as_of)
    assert isinstance(got, Mark), got
    return got


def lost(
    floor: FloorDay, window: str, code: str, as_of: datetime | None = None
) -> int:
    got = mark(floor, window, code, as_of)
    return got.points_max - got.points


def topics(floor: FloorDay, got: Mark) -> list[str]:
    """The kinds of the facts that a mark names."""
    by_position = {entry.position: entry.topic for entry in floor.entries}
    return [by_position[position] for position in got.evidence]


def serve(
    floor: FloorDay,
    window: str,
    item: str,
    *,
    at: str,
    wait_s: int = 60,
    service_s: int = 60,
    level: Level | None = None,
) -> None:
    """A ticket from taking to rating, at an open window."""
    taken = floor.at(at)
    called = taken + timedelta(seconds=wait_s)
    finished = called + timedelta(seconds=10 + service_s)
    ticket = floor.do(commands.TakeTicket(item=item), taken)
    assert isinstance(ticket, facts.TicketTaken)
    floor.do(commands.CallNext(window=window), called)
    floor.do(commands.StartService(window=window), called + timedelta(seconds=10))
    floor.do(commands.FinishService(window=window), finished)
    floor.do(commands.InviteEvaluation(window=window), finished)
    if level is not None:
        floor.do(commands.Evaluate(ticket=ticket.ticket, level=level), finished)


# ── A1 准时开窗、不早退 ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("opens", "points"),
    [
        ("08:59:59", 0),
        ("09:00:00", 0),
        ("09:00:01", 3),
        ("09:10:00", 3),
        ("09:10:01", 7),
        ("09:30:00", 7),
        ("09:30:01", 0),  # Beyond 30 minutes it is an absence, which A2 would charge.
        ("14:00:00", 0),
    ],
)
def test_a1_opening_late(opens: str, points: int) -> None:
    floor = FloorDay().play(f"{opens} opens 1")
    assert lost(floor, "1", "A1") == points


@pytest.mark.parametrize(
    ("closes", "points"),
    [
        ("16:29:59", 0),
        ("16:30:00", 7),
        ("16:49:59", 7),
        ("16:50:00", 3),
        ("16:59:59", 3),
        ("17:00:00", 0),
        ("17:20:00", 0),
    ],
)
def test_a1_closing_early(closes: str, points: int) -> None:
    floor = FloorDay().play(f"08:59:00 opens 1\n{closes} closes 1")
    assert lost(floor, "1", "A1") == points


def test_a1_names_the_facts_of_a_late_opening_and_an_early_close(
    floor: FloorDay,
) -> None:
    """
    09:05:00 opens 1
    16:55:00 closes 1
    """
    got = mark(floor, "1", "A1")
    assert got.points == 34
    assert topics(floor, got) == ["WindowOpened", "WindowClosed"]


def test_a1_signing_out_for_lunch_is_no_early_close(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    12:00:00 closes 1
    13:30:00 opens 1
    17:00:00 closes 1
    """
    assert lost(floor, "1", "A1") == 0


def test_a1_closing_the_hall_early_closes_its_windows(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    16:55:00 closes-hall
    """
    got = mark(floor, "1", "A1")
    assert got.points == 37
    assert "HallClosed" in topics(floor, got)


def test_a1_a_window_still_open_is_no_early_close(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    16:55:00 takes zonghe
    """
    assert lost(floor, "1", "A1") == 0


def test_a1_does_not_apply_on_a_day_off(floor: FloorDay) -> None:
    """
    +5 10:00:00 opens 1
    +5 10:00:00 takes zonghe
    """
    assert isinstance(result(floor, "1", "A1"), NotApplicable)
    assert isinstance(result(floor, "1", "B2"), Mark)


def test_a_window_that_was_never_opened_is_neither_zero_nor_full(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    """
    score = assess(floor.entries, BOOK).windows[1]
    assert not list(score.marks)
    assert (score.total, score.points_max) == (0, 0)


# ── B1 等候达标率 ───────────────────────────────────────────────────────────


def waits(n: int, late: int) -> FloorDay:
    """`n` calls at window 4, `late` of them one second beyond the promise."""
    floor = FloorDay().play("09:00:00 opens 4")
    for i in range(n):
        at = f"{9 + i // 60:02}:{i % 60:02}:00"
        floor.play(f"{at} takes budongchan")
    for i in range(n):
        wait = timedelta(seconds=1801 if i < late else 60)
        if i >= late:
            break
        floor.do(
            commands.CallNext(window="4"), floor.at(f"09:{i:02}:00") + wait
        )
        floor.do(
            commands.DeclareNoShow(window="4"), floor.at(f"09:{i:02}:10") + wait
        )
    return floor


def with_shares(n: int, late: int) -> FloorDay:
    """`n` services at window 4; `late` waited a second too long."""
    floor = FloorDay().play("09:00:00 opens 4")
    clock = floor.at("09:00:00")
    for i in range(n):
        wait_s = 1801 if i < late else 1800
        at = clock.astimezone(floor.catalogue.zone)
        if at.hour >= 16:
            clock += timedelta(hours=17)
            at = clock.astimezone(floor.catalogue.zone)
            days = (at.date() - floor.at("00:00:00").date()).days - 1
            floor.play(f"+{days} {at:%H:%M:%S} opens 4")
        taken = clock
        floor.do(commands.TakeTicket(item="budongchan"), taken)
        called = taken + timedelta(seconds=wait_s)
        floor.do(commands.CallNext(window="4"), called)
        floor.do(commands.StartService(window="4"), called)
        clock = called + timedelta(seconds=60)
        floor.do(commands.FinishService(window="4"), clock)
        floor.do(commands.InviteEvaluation(window="4"), clock)
    return floor
