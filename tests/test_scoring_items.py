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


def lost(floor: FloorDay, window: str, code: str, as_of: datetime | None = None) -> int:
    got = mark(floor, window, code, as_of)
    return got.points_max - got.points


def topics(floor: FloorDay, got: Mark) -> list[str]:
    """The kinds of the facts that a mark names."""
    by_position = {entry.position: entry.topic for entry in floor.entries}
    return [by_position[position] for position in got.evidence]


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


def called_after(waits_s: list[int]) -> FloorDay:
    """Tickets for window 4 taken a minute apart and called after so many seconds."""
    floor = FloorDay().play("09:00:00 opens 4")
    told: list[tuple[datetime, commands.Command]] = []
    for i, wait_s in enumerate(waits_s):
        taken = floor.at("09:00:00") + timedelta(minutes=i)
        called = taken + timedelta(seconds=wait_s)
        told.append((taken, commands.TakeTicket(item="budongchan")))
        told.append((called, commands.CallNext(window="4")))
        told.append((called + timedelta(seconds=5), commands.DeclareNoShow(window="4")))
    for at, command in sorted(told, key=lambda row: row[0]):
        floor.do(command, at)
    return floor


@pytest.mark.parametrize(
    ("late", "n", "points"),
    [
        (0, 40, 0),
        (2, 40, 0),  # 95 % exactly.
        (3, 40, 9),  # 92.5 %: 2.5 points short, three started.
        (3, 60, 0),
        (4, 60, 6),  # 93.3 %
        (40, 40, 60),  # Never below zero.
        (29, 29, 0),  # Fewer than 30 cost nothing.
        (30, 30, 60),
    ],
)
def test_b1_share_called_within_the_promise(late: int, n: int, points: int) -> None:
    floor = called_after([1801] * late + [1800] * (n - late))
    got = mark(floor, "4", "B1")
    assert got.points_max - got.points == points
    assert len(got.evidence) == 2 * late
    assert set(topics(floor, got)) <= {"TicketTaken", "TicketCalled"}


def test_b1_says_that_a_small_number_costs_nothing() -> None:
    got = mark(called_after([1801]), "4", "B1")
    assert got.reason == "已叫号 1 件，达标 0 件（0%），不足 30 件，比率不扣分"
    assert "fewer than 30" in got.reason_en


def test_b1_does_not_apply_without_a_call(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    """
    got = result(floor, "1", "B1")
    assert isinstance(got, NotApplicable)
    assert got.reason == "本期没有叫号"


def waited_ms(floor: FloorDay) -> list[int]:
    """What B1 saw, by way of the lines of its evidence when all were late."""
    causes = mark(floor, "1", "B1").causes
    return [cause.lasted_ms or 0 for cause in causes]


def test_b1_lunch_is_no_waiting(floor: FloorDay) -> None:
    """
    11:00:00 opens 1
    11:50:00 takes zonghe
    13:55:00 calls 1
    """
    assert waited_ms(floor) == [35 * 60_000]


def test_b1_time_before_the_doors_open_is_no_waiting(floor: FloorDay) -> None:
    """
    08:00:00 takes zonghe
    09:00:00 opens 1
    09:31:00 calls 1
    """
    assert waited_ms(floor) == [31 * 60_000]


def test_b1_waiting_ends_with_the_first_call(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:31:00 calls 1
    09:35:00 no-show 1
    """
    tell(floor, facts.TicketRequeued(at=floor.at("10:00:00"), ticket="A001", place=0))
    floor.play("11:00:00 calls 1\n11:01:00 starts 1")
    assert waited_ms(floor) == [31 * 60_000]


def test_b1_each_leg_of_a_transfer_waits_by_itself(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:31:00 calls 1
    09:32:00 starts 1
    """
    moved = facts.TicketTransferred(
        at=floor.at("09:40:00"), ticket="A001", window="1", item="minsheng"
    )
    tell(floor, moved)
    floor.play("10:12:00 calls 1")
    assert waited_ms(floor) == [31 * 60_000, 32 * 60_000]


def test_b1_an_outage_is_nobodys_waiting(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:50:00 calls 1
    """
    outage = facts.OutageDeclared(
        at=floor.at("10:00:00"),
        from_at=floor.at("09:10:00"),
        to_at=floor.at("09:29:00"),
        reason="power",
    )
    assert waited_ms(floor) == [50 * 60_000]
    tell(floor, outage)
    assert waited_ms(floor) == [31 * 60_000]


# ── B2 超长等候 ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("called", "points"), [("10:00:00", 0), ("10:00:01", 2)])
def test_b2_beyond_twice_the_promise(called: str, points: int) -> None:
    floor = FloorDay().play(
        f"09:00:00 opens 1\n09:00:00 takes zonghe\n{called} calls 1"
    )
    got = mark(floor, "1", "B2")
    assert got.points == 30 - points
    if points:
        assert topics(floor, got) == ["WindowOpened", "TicketTaken", "TicketCalled"]


def test_b2_is_shared_by_the_windows_that_were_able(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 2
    09:00:00 opens 3
    09:00:00 opens 4
    09:00:00 takes zonghe
    09:50:00 pauses 3
    10:10:00 calls 1
    """
    assert [lost(floor, window, "B2") for window in "124"] == [1, 1, 0]
    assert lost(floor, "3", "B2") == 0  # On pause for all of it.
    assert mark(floor, "1", "B2").reason == (
        "等候超过时限两倍 1 次（分担 0.5 次），扣 1 分"
    )


def test_b2_shares_of_three_add_up_and_are_rounded_once(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 2
    09:00:00 opens 3
    09:00:00 takes zonghe
    10:10:00 calls 1
    """
    marks = [mark(floor, window, "B2") for window in "123"]
    assert [got.points for got in marks] == [29, 29, 29]
    assert marks[0].reason == (
        "等候超过时限两倍 1 次（分担 0.333 次），扣 0.666 分；合计 0.666 分，按 1 分计"
    )
    assert "0.334" in marks[2].reason


def test_b2_a_window_that_opened_while_it_was_too_long_shares(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    10:05:00 opens 2
    10:10:00 calls 1
    """
    assert [lost(floor, window, "B2") for window in "12"] == [1, 1]


def test_b2_a_window_that_opened_only_to_call_it_is_not_charged(
    floor: FloorDay,
) -> None:
    """
    09:00:00 takes zonghe
    10:10:00 opens 1
    10:10:00 calls 1
    """
    assert lost(floor, "1", "B2") == 0


def test_b2_with_no_window_able_nobody_is_charged(floor: FloorDay) -> None:
    """
    09:00:00 opens 4
    09:00:00 takes zonghe
    11:00:00 abandons A001
    11:30:00 opens 1
    """
    assessment = assess(floor.entries, BOOK)
    assert [window.window for window in assessment.windows if not window.window] == []
    assert lost(floor, "1", "B2") == lost(floor, "4", "B2") == 0


def test_b2_a_visitor_who_gave_up_counts(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    10:10:00 abandons A001
    """
    got = mark(floor, "1", "B2")
    assert got.points == 28
    assert "TicketAbandoned" in topics(floor, got)


def test_b2_a_visitor_sent_home_at_closing_counts(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    15:00:00 takes zonghe
    17:00:00 closes-hall
    """
    assert "HallClosed" in topics(floor, mark(floor, "1", "B2"))


def test_b2_deadlines_pass_without_a_fact(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    """
    assert lost(floor, "1", "B2", floor.at("10:00:00")) == 0
    assert lost(floor, "1", "B2", floor.at("10:00:01")) == 2
    assert lost(floor, "1", "B2", floor.at("23:00:00")) == 2


def test_b2_lunch_does_not_count(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    11:30:00 takes zonghe
    13:59:00 calls 1
    """
    assert lost(floor, "1", "B2") == 0


# ── B3 叫号规范 ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("recalls", "declared", "points"),
    [
        (2, "09:11:00", 0),  # Three calls, 60 seconds.
        (2, "09:10:59", 2),
        (1, "09:20:00", 2),
        (0, "09:10:30", 2),  # Both at once are charged once.
        (3, "09:20:00", 0),
    ],
)
def test_b3_no_show_declared_too_early(
    recalls: int, declared: str, points: int
) -> None:
    floor = FloorDay().play("09:00:00 opens 1\n09:00:00 takes zonghe\n09:10:00 calls 1")
    for _ in range(recalls):
        floor.play("09:10:20 recalls 1")
    floor.play(f"{declared} no-show 1")
    got = mark(floor, "1", "B3")
    assert got.points == 30 - points
    if points:
        assert topics(floor, got)[0] == "TicketCalled"
        assert topics(floor, got)[-1] == "NoShowDeclared"
        assert len(got.evidence) == 2 + recalls


def test_b3_a_call_by_hand_wants_a_reason(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:00:01 takes zonghe
    09:10:00 calls 1 A002
    09:11:00 starts 1
    """
    got = mark(floor, "1", "B3")
    assert got.points == 27
    assert topics(floor, got) == ["TicketCalled"]


@pytest.mark.parametrize(("reason", "points"), [("老人优先", 0), ("", 3), ("   ", 3)])
def test_b3_a_blank_is_no_reason(reason: str, points: int) -> None:
    floor = FloorDay().play("09:00:00 opens 1\n09:00:00 takes zonghe")
    call = commands.CallTicket(window="1", ticket="A001", reason=reason)
    floor.do(call, floor.at("09:10:00"))
    assert lost(floor, "1", "B3") == points


# ── B4 空叫、压号、虚办 ─────────────────────────────────────────────────────


@pytest.mark.parametrize(("starts", "points"), [("09:04:00", 0), ("09:04:01", 1)])
def test_b4_a_call_is_answered_within_three_minutes(starts: str, points: int) -> None:
    floor = FloorDay().play(
        f"""
        09:00:30 opens 1
        09:00:30 takes zonghe
        09:01:00 calls 1
        {starts} starts 1
        """
    )
    got = mark(floor, "1", "B4")
    assert got.points == 30 - points
    assert topics(floor, got) == (["TicketCalled", "ServiceStarted"] if points else [])


def test_b4_a_late_no_show_left_the_call_standing(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 recalls 1
    09:03:00 recalls 1
    09:05:00 no-show 1
    """
    assert lost(floor, "1", "B4") == 1
    assert lost(floor, "1", "B3") == 0


def test_b4_a_call_left_standing_is_seen_when_the_time_is_up(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    """
    assert lost(floor, "1", "B4", floor.at("09:04:00")) == 0
    assert lost(floor, "1", "B4", floor.at("09:04:01")) == 1


def test_b4_a_transfer_after_service_began_was_answered(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 starts 1
    """
    moved = facts.TicketTransferred(
        at=floor.at("09:20:00"), ticket="A001", window="1", item="xuke"
    )
    tell(floor, moved)
    assert lost(floor, "1", "B4") == 0


@pytest.mark.parametrize(
    ("finishes", "rated", "points"),
    [("09:02:09", False, 1), ("09:02:10", False, 0), ("09:02:03", True, 0)],
)
def test_b4_a_service_of_a_few_seconds(finishes: str, rated: bool, points: int) -> None:
    floor = FloorDay().play(
        f"""
        09:00:00 opens 1
        09:00:00 takes zonghe
        09:01:00 calls 1
        09:02:00 starts 1
        {finishes} finishes 1
        """
    )
    if rated:
        floor.play("09:03:00 rates A001 satisfied")
    got = mark(floor, "1", "B4")
    assert got.points == 30 - points
    if points:
        assert topics(floor, got) == ["ServiceStarted", "ServiceFinished"]


def test_b4_an_unrecorded_service_has_no_duration(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 starts 1
    """
    finish = commands.FinishService(window="1", outcome="unrecorded")
    floor.do(finish, floor.at("09:02:00"))
    assert lost(floor, "1", "B4") == 0
    assert isinstance(result(floor, "1", "C3"), NotApplicable)
    assert isinstance(result(floor, "1", "D1"), Mark)


@pytest.mark.parametrize(("calls", "points"), [("09:14:59", 0), ("09:15:00", 2)])
def test_b4_free_while_the_line_waits(calls: str, points: int) -> None:
    floor = FloorDay().play(
        f"""
        09:00:00 opens 1
        09:10:00 takes minsheng
        {calls} calls 1
        """
    )
    got = mark(floor, "1", "B4")
    assert got.points == 30 - points
    if points:
        assert topics(floor, got) == ["WindowOpened", "TicketTaken", "TicketCalled"]


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        ("09:06:00 takes budongchan", 0),  # Not this window's line.
        ("09:04:00 pauses 1", 0),
        ("09:06:00 pauses 1", 2),
        ("09:06:00 closes 1", 2),
        ("09:06:00 abandons A001", 2),
        ("09:04:00 abandons A001", 0),
        ("09:04:00 opens 2\n09:04:00 calls 2", 0),  # Another window took it.
    ],
)
def test_b4_what_ends_being_idle(lines: str, points: int) -> None:
    told = "09:00:00 opens 1\n"
    told += "" if "budongchan" in lines else "09:00:00 takes zonghe\n"
    floor = FloorDay().play(told + lines)
    assert lost(floor, "1", "B4", floor.entries[-1].fact.at) == points


def test_b4_idle_time_is_counted_from_the_service_before(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:00:00 calls 1
    09:00:00 starts 1
    09:01:00 takes zonghe
    09:30:00 finishes 1
    09:30:01 invites 1
    09:34:59 calls 1
    """
    assert lost(floor, "1", "B4") == 0


def test_b4_one_visitor_after_another_is_one_stretch_of_idleness(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:03:00 takes zonghe
    09:03:30 abandons A001
    09:06:00 calls 1
    """
    assert lost(floor, "1", "B4") == 2


def test_b4_an_empty_line_between_begins_anew(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:03:00 abandons A001
    09:03:00 takes zonghe
    09:06:00 calls 1
    """
    assert lost(floor, "1", "B4") == 0


def test_b4_lunch_is_no_idleness_and_still_idle_is_seen(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    11:58:00 takes zonghe
    """
    assert lost(floor, "1", "B4", floor.at("13:32:59")) == 0
    assert lost(floor, "1", "B4", floor.at("13:33:00")) == 2


# ── C3 单号办理时长达标率 ───────────────────────────────────────────────────


def served_for(services_s: list[int], levels: list[Level | None]) -> FloorDay:
    """Services at window 6 (shebao, standard 720 s), a quarter of an hour apart."""
    floor = FloorDay()
    for i, (service_s, level) in enumerate(zip(services_s, levels, strict=True)):
        days, place = divmod(i, 28)
        if place == 0:
            floor.play(f"+{days} 09:00:00 opens 6")
        start = floor.at("09:00:00") + timedelta(days=days, minutes=15 * place)
        ticket = floor.do(commands.TakeTicket(item="shebao"), start)
        assert isinstance(ticket, facts.TicketTaken)
        floor.do(commands.CallNext(window="6"), start)
        floor.do(commands.StartService(window="6"), start)
        end = start + timedelta(seconds=service_s)
        floor.do(commands.FinishService(window="6"), end)
        floor.do(commands.InviteEvaluation(window="6"), end)
        if level is not None:
            floor.do(commands.Evaluate(ticket=ticket.ticket, level=level), end)
    return floor


@pytest.mark.parametrize(
    ("slow", "n", "points"),
    [(3, 30, 0), (4, 30, 8), (29, 29, 0), (30, 30, 40)],
)
def test_c3_share_served_within_the_standard(slow: int, n: int, points: int) -> None:
    floor = served_for([721] * slow + [720] * (n - slow), [None] * n)
    got = mark(floor, "6", "C3")
    assert got.points_max - got.points == points
    assert len(got.evidence) == 2 * slow
    assert set(topics(floor, got)) == {"ServiceStarted", "ServiceFinished"}


# ── D1 评价邀请与覆盖 ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("then", "points"),
    [
        ("", 2),
        ("09:30:00 invites 1", 0),
        ("09:30:00 rates A001 satisfied", 0),  # Rated by itself: no need to invite.
    ],
)
def test_d1_each_served_visitor_is_invited(then: str, points: int) -> None:
    floor = FloorDay().play(
        f"""
        09:00:00 opens 1
        09:00:00 takes zonghe
        09:01:00 calls 1
        09:02:00 starts 1
        09:20:00 finishes 1
        {then}
        """
    )
    got = mark(floor, "1", "D1")
    assert got.points_max - got.points == points
    if points:
        assert topics(floor, got) == ["ServiceFinished"]


@pytest.mark.parametrize(
    ("unrated", "n", "points"),
    [(6, 30, 0), (7, 30, 4), (29, 29, 0), (30, 30, 50)],
)
def test_d1_share_of_visitors_who_rated(unrated: int, n: int, points: int) -> None:
    levels = [None] * unrated + [Level.SATISFIED] * (n - unrated)
    assert lost(served_for([60] * n, levels), "6", "D1") == points


def test_d1_an_invitation_that_ran_out_is_no_rating(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 starts 1
    09:20:00 finishes 1
    09:20:00 invites 1
    """
    lapsed = facts.EvaluationLapsed(at=floor.at("09:21:00"), ticket="A001", window="1")
    tell(floor, lapsed)
    assert "达标 0 件" in mark(floor, "1", "D1").reason
    assert isinstance(result(floor, "1", "D3"), NotApplicable)


def test_d1_does_not_apply_when_nobody_was_served(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:10 no-show 1
    """
    assert isinstance(result(floor, "1", "D1"), NotApplicable)
    assert isinstance(result(floor, "1", "D2"), NotApplicable)


# ── D2 差评, D3 满意度指数 ──────────────────────────────────────────────────


@pytest.mark.parametrize("level", list(Level))
def test_d2_a_bad_rating_is_pending_until_verified(level: Level) -> None:
    floor = served_for([60], [level])
    got = mark(floor, "6", "D2")
    rated = floor.position_of(facts.EvaluationGiven)
    bad = level in (Level.DISSATISFIED, Level.VERY_DISSATISFIED)
    assert (got.points, got.evidence) == (100, ())
    assert got.pending == ((rated,) if bad else ())
    assert ("待核实" in got.reason) == bad


@pytest.mark.parametrize(
    ("levels", "points"),
    [
        ([Level.VERY_SATISFIED] * 30, 0),
        ([Level.VERY_SATISFIED] * 23 + [Level.SATISFIED] * 7, 0),  # 95.33
        ([Level.VERY_SATISFIED] * 22 + [Level.SATISFIED] * 8, 3),  # 94.67
        ([Level.VERY_SATISFIED] * 24 + [Level.BASICALLY_SATISFIED] * 6, 9),  # 92
        ([Level.VERY_SATISFIED] * 24 + [Level.DISSATISFIED] * 6, 27),  # 86
        ([Level.VERY_SATISFIED] * 27 + [Level.VERY_DISSATISFIED] * 3, 15),  # 90
        ([Level.VERY_DISSATISFIED] * 30, 50),
    ],
)
def test_d3_index_of_ratings(levels: list[Level], points: int) -> None:
    floor = served_for([60] * len(levels), list(levels))
    got = mark(floor, "6", "D3")
    assert got.points_max - got.points == points
    lower = sum(level is not Level.VERY_SATISFIED for level in levels)
    assert len(got.evidence) == lower
    assert set(topics(floor, got)) <= {"EvaluationGiven"}


@pytest.mark.impossible
def test_d3_few_ratings_are_pooled_with_the_department() -> None:
    """Windows 6 and 7 belong to one department, window 8 to another."""
    floor = served_for([60] * 28, [Level.SATISFIED] * 28)
    assert lost(floor, "6", "D3") == 0  # 28 ratings, alone in the department.
    assert "仍不足 30 条" in mark(floor, "6", "D3").reason
    floor.play("+1 09:00:00 opens 7\n+1 09:00:00 opens 8")
    for minute in (1, 10):
        for window in "78":
            floor.play(
                f"""
                +1 09:{minute:02}:00 takes yibao
                +1 09:{minute:02}:00 calls {window}
                +1 09:{minute:02}:00 starts {window}
                +1 09:{minute + 1:02}:00 finishes {window}
                """
            )
            ticket = floor.day.places[window].last
            floor.play(f"+1 09:{minute + 1:02}:10 rates {ticket} satisfied")
    assert lost(floor, "6", "D3") == lost(floor, "7", "D3") == 45  # 30 at 80.
    assert "改按人力资源和社会保障局全部 30 条计" in mark(floor, "7", "D3").reason
    assert lost(floor, "8", "D3") == 0


# ── What is not measured ────────────────────────────────────────────────────


def test_unmeasured_items_are_in_no_sum(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 starts 1
    09:20:00 finishes 1
    09:20:00 invites 1
    """
    assessment = assess(floor.entries, BOOK)
    score = assessment.windows[0]
    missing = [line for line in score.lines if isinstance(line.result, NotMeasured)]
    assert [line.item.code for line in missing] == [
        "A2", "A3", "A4", "C1", "C2", "C4", "D4",
        "E1", "E2", "E3", "E4", "F1", "F2", "F3",
    ]  # fmt: skip
    assert sum(line.item.points for line in missing) == 570
    # D3 does not apply: nobody rated. 40+60+30+30+30+40+50+100 are left.
    assert score.points_max == 380
    assert score.total == sum(got.points for _, got in score.marks) == 380
    assert all(line.result.reason for line in missing)
