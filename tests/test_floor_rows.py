"""A row that cannot be true is refused; what the map lets stand is counted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from brought import GOOD, HEADER, MAP, bring, left, row
from floor import facts
from floor.intake import records

# ── Rows that cannot be true ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row("", "09:00:00 09:01:00 09:01:00 09:05:00"), "MissingField"),
        (row("2", "- 09:01:00 09:01:00 09:05:00"), "MissingField"),
        (row("2", "09:00:00 - 09:01:00 09:05:00"), "MissingField"),
        (row("2", "09:00:00 09:01:00 - 09:05:00"), "MissingField"),
        (row("2", "09:00:00 09:01:00 09:01:00 -"), "MissingField"),
        (row("2", "09:00:00 09:01:00 09:01:00 09:05:00", item=""), "MissingField"),
        (row("2", "09:00:00 09:01:00 09:01:00 09:05:00", desk=""), "MissingField"),
        (row("2", "09:00:00 09:01:00 09:01:00 09:05:00", outcome=""), "MissingField"),
        (row("2", "09:00:00 - - -", outcome="gone"), "MissingField"),
        (
            row("2", "09:00:00 09:01:00 09:01:00 09:05:00", outcome="?"),
            "UnknownOutcome",
        ),
        (row("2", "09:01:00 09:00:59 09:02:00 09:05:00"), "OutOfOrder"),
        (row("2", "09:00:00 09:02:00 09:01:59 09:05:00"), "OutOfOrder"),
        (row("2", "09:00:00 09:01:00 09:02:00 09:01:00"), "OutOfOrder"),
        (left("2", "09:00:00 08:59:00"), "OutOfOrder"),
        (
            row("2", "09:00:00 09:01:00 09:01:00 -", outcome="gone"),
            "ServedAndAbandoned",
        ),
        (row("2", "25:00:00 09:01:00 09:01:00 09:05:00"), "BadTime"),
        (row("2", "09:00:00 09:01:00 soon 09:05:00"), "BadTime"),
        (row("2", "09:00:00 09:01:00 09:01:00 09:05:00", day="2026-02-30"), "BadTime"),
        ("2,PS,ANN,2026-11-23,2026-11-23,2026-11-23,2026-11-23,ok", "BadTime"),
        (row("2", "09:00:00 09:01:00 09:01:00 09:05:00", day="0001-01-01"), "BadTime"),
        (row("2", "09:00:00 09:01:00 09:01:00 09:05:00", day="9999-12-31"), "BadTime"),
        (row("1", "09:06:00 09:07:00 09:07:00 09:09:00"), "DuplicateTicket"),
        ("2,PS,ANN", "WrongColumnCount"),
        (GOOD + ",more", "WrongColumnCount"),
        (",,,,,,,", "MissingField"),
        ('2,"PS,ANN', "BadQuotes"),
        ('2,"P"S,ANN,a,b,c,d,ok', "BadQuotes"),
        (row("2", "09:06:00 09:07:00 09:07:00 09:09:00", item="P\0S"), "NotText"),
        (row("x" * 20_000, "09:06:00 09:07:00 09:07:00 09:09:00"), "LineTooLong"),
        (row("2", "09:02:00 09:03:00 09:03:00 09:06:00"), "ServerBusy"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_with_its_line(
    tmp_path: Path, bad: str, code: str
) -> None:
    brought = bring(
        tmp_path, GOOD, bad, row("9", "10:00:00 10:01:00 10:01:00 10:05:00")
    )
    assert brought.codes == {3: code}
    assert brought.counts.refused_by == {code: 1}
    assert (brought.counts.rows, brought.counts.taken) == (3, 2)
    said = brought.refused[0]
    assert said["zh"]
    assert said["en"]
    assert "{" not in said["zh"] + said["en"]
    assert len(said["row"]) <= records.TEXT_CHARS_MAX + 1
    assert not [e for e in brought.entries if ":3:" in e.fact.command]
    assert [line for line in brought.told if "Taken" in line] == [
        "09:00:00 TicketTaken A001",
        "10:00:00 TicketTaken A002",
    ]


def test_of_overlapping_rows_the_one_called_later_is_refused(tmp_path: Path) -> None:
    brought = bring(
        tmp_path,
        row("b", "08:00:00 09:02:00 09:02:00 09:08:00"),
        row("a", "09:00:00 09:01:00 09:01:00 09:05:00"),
        row("c", "09:00:00 09:05:00 09:05:00 09:06:00"),
        row("d", "09:00:00 09:02:00 09:02:00 09:08:00", desk="BEN"),
    )
    assert brought.codes == {2: "ServerBusy"}
    assert brought.refused[0]["zh"] == "“ANN”还在办第 3 行的票"
    numbers = [line.split()[-1] for line in brought.told if "Taken" in line]
    assert numbers == ["A001", "A002", "A003"]


def test_a_span_longer_than_the_map_believes_is_refused(tmp_path: Path) -> None:
    limits = "[limits]\nwait_s = 60\nanswer_s = 10\nservice_s = 230\n"
    brought = bring(
        tmp_path,
        GOOD,
        row("2", "10:00:00 10:01:01 10:01:10 10:05:00"),
        row("3", "11:00:00 11:01:00 11:01:11 11:05:00"),
        row("4", "12:00:00 12:01:00 12:01:10 12:05:01"),
        map=MAP + limits,
    )
    assert set(brought.codes.values()) == {"SpanTooLong"}
    assert list(brought.codes) == [3, 4, 5]


def test_the_map_orders_which_steps_back_are_adjusted(tmp_path: Path) -> None:
    order = (
        "[order]\n"
        'call_before_arrive = { within_s = 1, take = "arrive" }\n'
        'start_before_call = { within_s = 2, take = "call" }\n'
        'end_before_start = { within_s = 2, take = "start" }\n'
    )
    brought = bring(
        tmp_path,
        row("1", "09:00:00 09:00:00 08:59:58 09:05:00"),
        row("2", "10:00:00 10:00:00 09:59:57 10:05:00"),
        row("3", "11:00:00 11:00:00 10:59:59 10:59:59"),
        row("4", "12:00:01 12:00:00 12:00:00 12:05:00"),
        row("5", "13:00:02 13:00:00 13:00:03 13:05:00"),
        map=MAP + order,
    )
    assert brought.codes == {3: "OutOfOrder", 6: "OutOfOrder"}
    assert brought.counts.adjusted == {
        "start_before_call": 3,
        "end_before_start": 1,
        "call_before_arrive": 1,
    }
    assert "09:00:00 ServiceStarted A001" in brought.told
    assert "11:00:00 ServiceFinished A002" in brought.told
    assert "12:00:01 ServiceStarted A003" in brought.told


def test_an_adjustment_that_breaks_the_step_before_is_refused(tmp_path: Path) -> None:
    order = '[order]\nstart_before_call = { within_s = 9, take = "start" }\n'
    brought = bring(
        tmp_path,
        row("1", "09:00:00 09:00:08 09:00:00 09:05:00"),
        row("2", "10:00:00 10:00:00 09:59:59 10:05:00"),
        map=MAP + order,
    )
    assert brought.codes == {3: "OutOfOrder"}
    assert "09:00:00 TicketCalled A001" in brought.told


def test_missing_fields_are_filled_as_the_map_says_and_counted(tmp_path: Path) -> None:
    missing = (
        '[missing]\nwindow = "per-item"\ncall = "at-start"\n'
        'start = "at-call"\nend = "at-start"\n'
    )
    brought = bring(
        tmp_path,
        row("1", "09:00:00 09:01:00 - -", desk=""),
        row("2", "09:00:00 - 09:02:00 09:04:00", item="NW", desk=""),
        row("3", "09:00:00 09:05:00 09:06:00 09:07:00"),
        row("4", "09:00:00 - - 09:04:00"),
        left("5", "09:00:00 -"),
        map=MAP + missing,
    )
    assert brought.codes == {5: "MissingField", 6: "MissingField"}
    assert brought.counts.adjusted == {
        "window_missing": 2,
        "start_missing": 1,
        "end_missing": 1,
        "call_missing": 1,
    }
    outcomes = {
        entry.fact.ticket: (entry.fact.window, entry.fact.outcome)
        for entry in brought.entries
        if isinstance(entry.fact, facts.ServiceFinished)
    }
    assert outcomes == {
        "B001": ("3", "unrecorded"),
        "A001": ("2", "done"),
        "B002": ("1", "done"),
    }


@pytest.mark.parametrize(
    ("rule", "rows", "served"),
    [
        ('"all-served"', [row("1", "09:00:00 09:01:00 09:01:00 09:02:00")], 1),
        (
            '"served-if-called"',
            [
                row("1", "09:00:00 09:01:00 09:01:00 09:02:00") + ",",
                row("2", "09:00:00 - - -") + ",2026-11-23T09:01:00",
            ],
            1,
        ),
        (
            '"served-if-started"',
            [
                row("1", "09:00:00 09:01:00 09:01:00 09:02:00"),
                row("2", "09:00:00 09:01:00 - -"),
            ],
            1,
        ),
    ],
)
def test_without_an_outcome_column_a_rule_tells_who_was_served(
    tmp_path: Path, rule: str, rows: list[str], served: int
) -> None:
    map = MAP.replace('served = ["ok"]\nabandoned = ["gone"]', f"rule = {rule}")
    header = HEADER
    if "called" in rule:
        map = map.replace("[outcome]", 'leave = ["left"]\n[outcome]')
        map = map.replace('outcome = ["outcome"]\n', "")
        header += ",left"
    brought = bring(tmp_path, *rows, header=header, map=map)
    assert (brought.counts.taken, brought.counts.served) == (len(rows), served)


# ── Clocks ─────────────────────────────────────────────────────────────────────


def warsaw(choice: str = "") -> str:
    return MAP.replace("Asia/Shanghai", "Europe/Warsaw") + (
        f'[time]\nambiguous = "{choice}"\n' if choice else ""
    )


def test_a_time_that_the_clocks_skipped_is_refused(tmp_path: Path) -> None:
    spring = row("2", "01:59:00 02:30:00 03:00:00 03:10:00", day="2026-03-29")
    assert bring(tmp_path, GOOD, spring, map=warsaw()).codes == {3: "NoSuchTime"}


@pytest.mark.parametrize(("choice", "hour"), [("", None), ("earlier", 0), ("later", 1)])
def test_a_time_that_happened_twice_is_taken_as_the_map_says(
    tmp_path: Path, choice: str, hour: int | None
) -> None:
    autumn = row("2", "02:30:00 03:30:00 03:30:00 03:40:00", day="2026-10-25")
    brought = bring(tmp_path, GOOD, autumn, map=warsaw(choice))
    if hour is None:
        assert brought.codes == {3: "TimeHappenedTwice"}
    else:
        assert brought.entries[1].fact.at == datetime(
            2026, 10, 25, hour, 30, tzinfo=UTC
        )


def test_times_may_carry_an_offset_or_come_in_parts(tmp_path: Path) -> None:
    offset = "1,PS,ANN,2026-11-23T01:00:00Z,2026-11-23T10:01:00+09:00,"
    offset += "2026-11-23T01:01:00.123456Z,2026-11-23T09:05,ok"
    assert bring(tmp_path, offset).told[0] == "09:00:00 TicketTaken A001"


def test_dates_and_times_in_two_columns_and_in_another_format(tmp_path: Path) -> None:
    map = MAP + '[time]\nformat = "%d.%m.%Y %H:%M"\n'
    for name in ("arrive", "call", "start", "end"):
        map = map.replace(f'["{name}"]', f'["day", "{name}"]')
    brought = bring(
        tmp_path,
        "1,PS,ANN,23.11.2026,09:00,09:01,09:01,09:05,ok",
        "2,PS,ANN,11/23/2026,09:00,09:01,09:01,09:05,ok",
        header="no,item,desk,day,arrive,call,start,end,outcome",
        map=map,
    )
    assert brought.codes == {3: "BadTime"}
    assert brought.told[0] == "09:00:00 TicketTaken A001"
