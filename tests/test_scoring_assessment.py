"""The whole way from a log to an assessment: instants, order, evidence, sums."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from floor import commands, facts, refusals
from floor.catalogue import Catalogue, Hours, Item, Window
from floor.day import advance
from scoring import rulebook
from scoring.assessment import Assessment, NothingToAssess, assess
from scoring.instant import BadInstant, parse_instant
from scoring.items import Mark
from scoring.observations import Measure, observe
from scoring.report import to_json
from scoring.visits import hall_days
from test_scoring_visits import tell
from timeline import FloorDay

BOOK = rulebook.load()
SHANGHAI = ZoneInfo("Asia/Shanghai")


# ── Random days ─────────────────────────────────────────────────────────────

WINDOWS = ("1", "2", "4")
ITEMS = ("zonghe", "minsheng", "budongchan")
PRESSED: list[commands.Command] = [
    *(commands.TakeTicket(item=item) for item in ITEMS * 2),
    *(commands.OpenWindow(window=w, clerk=f"c{w}") for w in WINDOWS),
    *(commands.CallNext(window=w) for w in WINDOWS * 3),
    *(commands.StartService(window=w) for w in WINDOWS * 2),
    *(commands.FinishService(window=w) for w in WINDOWS * 2),
    *(commands.DeclareNoShow(window=w) for w in WINDOWS),
    *(commands.RecallTicket(window=w) for w in WINDOWS),
    *(commands.InviteEvaluation(window=w) for w in WINDOWS),
    *(commands.PauseWindow(window=w) for w in WINDOWS),
    *(commands.ResumeWindow(window=w) for w in WINDOWS),
    *(commands.CloseWindow(window=w) for w in WINDOWS),
    *(commands.CallTicket(window="1", ticket=f"A00{n}") for n in range(1, 10)),
    commands.CallTicket(window="4", ticket="B001", reason="老人"),
    commands.AbandonTicket(ticket="A001"),
    commands.AbandonTicket(ticket="B002"),
    commands.Evaluate(ticket="A001", level=facts.Level.SATISFIED),
    commands.Evaluate(ticket="B001", level=facts.Level.DISSATISFIED),
]

PRESSES = 220
any_day = pytest.mark.parametrize("seed", range(25))


def random_day(seed: int) -> FloorDay:
    """Keys pressed at random for ten hours or so; those refused change nothing."""
    chance = Random(seed)
    floor = FloorDay().play("08:40:00 opens 1\n08:40:00 opens 4")
    at = floor.at("08:50:00")
    for _ in range(PRESSES):
        # Now and then nothing happens for a while, so that deadlines pass.
        at += timedelta(seconds=chance.choice([1, 5, 20, 60, 120, 240, 700]))
        with suppress(refusals.Refused):
            floor.do(chance.choice(PRESSED), at)
    if seed % 2:
        floor.do(commands.CloseHall(), at)
    return floor


def test_random_days_show_every_measure() -> None:
    seen = {
        row.measure
        for seed in range(25)
        for day in hall_days(random_day(seed).entries)
        for row in observe(day, random_day(seed).entries[-1].fact.at)
    }
    assert seen == set(Measure)


@any_day
def test_the_score_at_an_instant_is_the_score_of_the_log_cut_there(seed: int) -> None:
    floor = random_day(seed)
    for after_s in Random(seed).sample(range(12 * 3600), 8):
        at = floor.at("08:30:00") + timedelta(seconds=after_s)
        cut = [entry for entry in floor.entries if entry.fact.at <= at]
        whole = assess(floor.entries, BOOK, as_of=at)
        assert to_json(whole) == to_json(assess(cut, BOOK, as_of=at))
        assert (whole.position, whole.facts) == (cut[-1].position, len(cut))


@any_day
def test_sums_bounds_and_evidence_hold_on_any_day(seed: int) -> None:
    floor = random_day(seed)
    assessment = assess(floor.entries, BOOK)
    positions = {entry.position for entry in floor.entries}
    for window in assessment.windows:
        marks = [mark for _, mark in window.marks]
        assert window.total == sum(mark.points for mark in marks)
        assert window.points_max == sum(mark.points_max for mark in marks)
        for mark in marks:
            assert 0 <= mark.points <= mark.points_max
            assert set(mark.evidence) | set(mark.pending) <= positions
            assert list(mark.evidence) == sorted(set(mark.evidence))
            assert mark.points == mark.points_max or mark.evidence


def open_seconds(floor: FloorDay, since: datetime, to: datetime) -> int:
    """Counted one by one: 9 to 12 and 13:30 to 17 on the hall's clock."""
    midnight = floor.at("00:00:00")
    first, last = ((at - midnight) // timedelta(seconds=1) for at in (since, to))
    return sum(
        9 * 3600 <= second < 12 * 3600 or 13 * 3600 + 1800 <= second < 17 * 3600
        for second in range(first, last)
    )


@any_day
def test_idleness_and_waiting_agree_with_a_replay_of_the_day(seed: int) -> None:
    """The same from the floor's own states, fact by fact, counting seconds."""
    floor = random_day(seed)
    until = floor.entries[-1].fact.at + timedelta(minutes=30)
    idle: dict[str, int] = dict.fromkeys(WINDOWS, 0)
    runs: list[int] = []
    waits: list[int] = []
    day = advance(None, floor.entries[0])
    nexts = [*(entry.fact.at for entry in floor.entries[2:]), until]
    for entry, next_at in zip(floor.entries[1:], nexts, strict=True):
        day = advance(day, entry)
        if isinstance(entry.fact, facts.TicketCalled):
            ticket = day.tickets[entry.fact.ticket]
            waits.append(open_seconds(floor, ticket.taken_at, entry.fact.at))
        for window in WINDOWS:
            place = day.places[window]
            if place.state == "free" and any(day.waiting(place.items)):
                idle[window] += open_seconds(floor, entry.fact.at, next_at)
            elif idle[window]:
                runs.append(idle[window])
                idle[window] = 0
    runs += [seconds for seconds in idle.values() if seconds]
    rows = [row for d in hall_days(floor.entries) for row in observe(d, until)]
    seen_idle = [r.value for r in rows if r.measure is Measure.IDLE_WITH_LINE]
    seen_waits = [r.value for r in rows if r.measure is Measure.WAIT]
    assert sorted(seen_idle) == sorted(run * 1000 for run in runs)
    assert sorted(seen_waits) == sorted(wait * 1000 for wait in waits)


@any_day
def test_shares_of_a_long_wait_make_up_one_whole(seed: int) -> None:
    floor = random_day(seed)
    until = floor.entries[-1].fact.at + timedelta(hours=2)
    shares: dict[str, int] = {}
    for day in hall_days(floor.entries):
        for row in observe(day, until):
            if row.measure is Measure.LONG_WAIT:
                shares[row.ticket] = shares.get(row.ticket, 0) + row.share
    assert set(shares.values()) <= {1000}


# ── Instants ────────────────────────────────────────────────────────────────


def test_deadlines_move_the_score_while_nothing_happens(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    """
    instants = ["09:04:59", "09:05:00", "10:00:00", "10:00:01"]
    totals = []
    for clock in instants:
        assessment = assess(floor.entries, BOOK, as_of=floor.at(clock))
        totals.append(assessment.windows[0].total)
        assert assessment.position == 3
        assert assessment.as_of == floor.at(clock)
    # Idle for five minutes with somebody waiting; then a wait beyond twice 30 minutes.
    assert totals == [100, 98, 98, 96]


def test_without_an_instant_it_is_that_of_the_last_fact(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:30:00 takes zonghe
    """
    at = floor.at("09:30:00")
    assert assess(floor.entries, BOOK) == assess(floor.entries, BOOK, as_of=at)


def test_facts_at_the_very_instant_are_known(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    """
    at = floor.at("09:00:00")
    assert assess(floor.entries, BOOK, as_of=at).position == 3
    just_before = at - timedelta(milliseconds=1)
    assert assess(floor.entries, BOOK, as_of=just_before).position == 1


def test_before_the_first_fact_there_is_nothing_to_assess(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    """
    with pytest.raises(NothingToAssess):
        assess(floor.entries, BOOK, as_of=floor.at("00:00:00") - timedelta(seconds=1))
    with pytest.raises(NothingToAssess):
        assess([], BOOK)


def test_a_catalogue_alone_gives_windows_without_marks(floor: FloorDay) -> None:
    assessment = assess(floor.entries, BOOK)
    assert len(assessment.windows) == 19
    assert {window.points_max for window in assessment.windows} == {0}
    assert assessment.streams == {"hall-1/setup": 1}


def test_a_ticket_left_over_from_yesterday_stops_ageing_at_the_new_day(
    floor: FloorDay,
) -> None:
    """
    16:30:00 opens 1
    16:30:00 takes zonghe
    16:31:00 calls 1
    +1 09:00:00 opens 1
    """
    [call] = [
        row
        for day in hall_days(floor.entries)
        for row in observe(day, floor.at("09:00:00") + timedelta(days=30))
        if row.measure is Measure.CALL
    ]
    night = timedelta(hours=16, minutes=29)
    assert call.value == night // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23", datetime(2026, 11, 23, 15, 59, 59, 999_000, UTC)),
        ("20261123", datetime(2026, 11, 23, 15, 59, 59, 999_000, UTC)),
        (" 2026-11-23T12:00 ", datetime(2026, 11, 23, 4, 0, tzinfo=UTC)),
        ("2026-11-23 12:00:30", datetime(2026, 11, 23, 4, 0, 30, tzinfo=UTC)),
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 12, 0, tzinfo=UTC)),
        ("2026-11-23T12:00:00+09:00", datetime(2026, 11, 23, 3, 0, tzinfo=UTC)),
        ("2026-11-23T12:00:00.250", datetime(2026, 11, 23, 4, 0, 0, 250_000, UTC)),
    ],
)
def test_an_instant_as_people_write_it(text: str, at: datetime) -> None:
    assert parse_instant(text, SHANGHAI) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "昨天",
        "2026-13-01",
        "12:00",
        "0001-01-01T00:00",
        "9999-12-31",
        "2026-11-23T25:00",
        "2026-11-23T12:00:00+99:00",
        "1" * 5000,
        "<script>",
        "\x00",
    ],
)
def test_what_is_no_instant_is_said_in_both_languages(text: str) -> None:
    with pytest.raises(BadInstant) as bad:
        parse_instant(text, SHANGHAI)
    assert "不是时刻" in bad.value.message["zh"]
    assert len(str(bad.value)) < 300


# ── Windows and headers ─────────────────────────────────────────────────────


def test_windows_come_in_natural_order(floor: FloorDay) -> None:
    """
    09:00:00 opens 10
    """
    windows = [window.window for window in assess(floor.entries, BOOK).windows]
    assert windows == [str(number) for number in range(1, 20)]


def test_a_window_that_left_the_catalogue_keeps_its_marks(floor: FloorDay) -> None:
    """
    09:05:00 opens 19
    17:00:00 closes-hall
    """
    smaller = msgspec.structs.replace(
        floor.catalogue,
        items=tuple(i for i in floor.catalogue.items if i.id != "banbucheng"),
        windows=floor.catalogue.windows[:-1],
    )
    at = floor.at("08:00:00") + timedelta(days=1)
    tell(floor, facts.CataloguePublished(at=at, catalogue=smaller))
    last = assess(floor.entries, BOOK).windows[-1]
    assert (last.window, last.name) == ("19", "办不成事反映窗口")
    assert {item.code: mark.points for item, mark in last.marks}["A1"] == 37


def test_the_header_says_what_it_rests_on(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    +1 09:00:00 opens 1
    +1 09:01:00 takes zonghe
    """
    assessment = assess(floor.entries, BOOK)
    assert assessment.streams == {
        "hall-1/2026-11-23": 1,
        "hall-1/2026-11-24": 2,
        "hall-1/setup": 1,
    }
    assert (assessment.position, assessment.facts) == (4, 4)
    assert assessment.rulebook.sha256 == BOOK.sha256


def test_the_log_is_read_once_and_as_a_stream(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    """
    read: list[int] = []

    def once() -> Any:
        for entry in floor.entries:
            read.append(entry.position)
            yield entry

    assert assess(once(), BOOK) == assess(floor.entries, BOOK)
    assert read == [1, 2, 3]


# ── One small day, to the last word ─────────────────────────────────────────

SMALL = Catalogue(
    hall="hall-9",
    name="小厅",
    name_en="Small hall",
    hours=Hours(open="09:00", close="17:00"),
    items=(Item(id="huji", name="户籍", name_en="Households", prefix="A", wait_s=300),),
    windows=(
        Window(
            id="1",
            name="户籍",
            name_en="Households",
            department="公安局",
            items=("huji",),
        ),
    ),
)

SMALL_DAY = """
09:05:00 opens 1 li
09:05:00 takes huji
09:06:00 takes huji
09:10:30 calls 1
09:11:00 no-show 1
09:17:00 calls 1
09:17:20 starts 1
09:30:00 finishes 1
09:30:10 invites 1
09:30:40 rates A002 dissatisfied
17:00:00 closes 1
"""


def item(code: str, points: int, points_max: int, reason: str, **more: Any) -> Any:
    words = {"evidence": [], "pending": [], "status": "measured", **more}
    return {
        "code": code,
        "points": points,
        "points_max": points_max,
        "reason": reason,
        **words,
    }


SMALL_MARKS = [
    item("A1", 37, 40, "迟开窗 10 分钟以内 1 次，扣 3 分", evidence=[2]),
    item(
        "B1",
        60,
        60,
        "已叫号 2 件，达标 0 件（0%），不足 30 件，比率不扣分",
        evidence=[3, 4, 5, 7],
    ),
    item("B2", 28, 30, "等候超过时限两倍 1 次，扣 2 分", evidence=[2, 4, 7]),
    item("B3", 28, 30, "呼叫不满 3 次即过号 1 次，扣 2 分", evidence=[5, 6]),
    item(
        "B4", 26, 30, "空闲满 5 分钟而有人等候 2 次，扣 4 分", evidence=[2, 3, 5, 6, 7]
    ),
    item("C3", 40, 40, "已办结 1 件，达标 1 件（100%），不足 30 件，比率不扣分"),
    item("D1", 50, 50, "已办结 1 件，达标 1 件（100%），不足 30 件，比率不扣分"),
    item("D2", 100, 100, "1 条待核实，暂不扣分（需要差评回访核实记录）", pending=[11]),
    item(
        "D3",
        50,
        50,
        "评价 1 条，不足 30 条，改按公安局全部 1 条计，指数 30，仍不足 30 条，不扣分",
        evidence=[11],
    ),
]


def small() -> Assessment:
    return assess(FloorDay(SMALL).play(SMALL_DAY).entries, BOOK)


def test_one_small_day_to_the_last_word() -> None:
    told = json.loads(to_json(small()))
    [window] = told.pop("windows")
    assert told == {
        "hall": "hall-9",
        "name": "小厅",
        "name_en": "Small hall",
        "rulebook": {
            "name": "政务服务中心窗口千分制考核（样例）",
            "version": "2026.1",
            "sha256": BOOK.sha256,
        },
        "as_of": "2026-11-23T09:00:00+00:00",
        "position": 12,
        "facts": 12,
        "streams": {"hall-9/2026-11-23": 11, "hall-9/setup": 1},
        "measured": ["A1", "B1", "B2", "B3", "B4", "C3", "D1", "D2", "D3"],
        "not_measured": [
            "A2",
            "A3",
            "A4",
            "C1",
            "C2",
            "C4",
            "D4",
            "E1",
            "E2",
            "E3",
            "E4",
            "F1",
            "F2",
            "F3",
        ],
    }
    items = window.pop("items")
    assert window == {
        "window": "1",
        "name": "户籍",
        "name_en": "Households",
        "department": "公安局",
        "total": 419,
        "points_max": 430,
    }
    for row in items:
        assert row.pop("title")
        assert row.pop("title_en")
        assert row.pop("reason_en")
    measured = [row for row in items if row["status"] == "measured"]
    assert measured == SMALL_MARKS
    for row in items:
        if row not in measured:
            assert row["status"] == "not_measured"
            assert row["points"] is None
            assert (row["evidence"], row["pending"]) == ([], [])


def test_the_same_bytes_every_time() -> None:
    assert to_json(small()) == to_json(small())


def test_json_holds_no_number_with_a_point() -> None:
    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not a whole number")

    json.loads(to_json(small()), parse_float=refuse, parse_constant=refuse)


def test_evidence_points_at_facts_of_the_right_kind() -> None:
    floor = FloorDay(SMALL).play(SMALL_DAY)
    topics: dict[int, str] = {entry.position: entry.topic for entry in floor.entries}
    allowed = {
        "A1": {"WindowOpened", "WindowClosed"},
        "B1": {"TicketTaken", "TicketCalled"},
        "B2": {"TicketTaken", "TicketCalled", "WindowOpened"},
        "B3": {"TicketCalled", "TicketRecalled", "NoShowDeclared"},
        "B4": {"WindowOpened", "TicketTaken", "TicketCalled", "NoShowDeclared"},
        "D2": {"EvaluationGiven"},
        "D3": {"EvaluationGiven"},
    }
    for row, mark in assess(floor.entries, BOOK).windows[0].marks:
        cited = {topics[position] for position in mark.evidence + mark.pending}
        assert cited <= allowed.get(row.code, set()), row.code
        assert bool(cited) == (row.code in allowed), row.code
        assert {p for cause in mark.causes for p in cause.evidence} == set(
            mark.evidence + mark.pending
        )


def test_the_day_of_a_row_is_the_business_day(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    09:10:00 opens 1
    09:20:00 calls 1
    """
    [day] = hall_days(floor.entries)
    days = {row.day for row in observe(day, floor.at("10:00:00"))}
    assert days == {date(2026, 11, 23)}


def test_marks_of_another_rulebook(floor: FloorDay, tmp_path: Any) -> None:
    """
    09:05:00 opens 1
    """
    path = tmp_path / "strict.toml"
    text = rulebook.SAMPLE.read_text("utf-8")
    path.write_text(text.replace("points = 3\n", "points = 30\n", 1), "utf-8")
    strict = assess(floor.entries, rulebook.load(path))
    got = strict.windows[0].lines[0].result
    assert isinstance(got, Mark)
    assert got.points == 10
