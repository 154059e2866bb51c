"""Given a recorded file and its map, when imported, then a log by the real rules.

The clock of the test hall is Shanghai's, eight hours ahead of UTC, never stepped.
"""

import gzip
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brought import CHECKOUT, GOOD, HEADER, MAP, Brought, bring, left, row
from floor import facts, log
from floor.day import days
from floor.facts import Entry
from floor.intake import maps, tickets
from floor.intake.records import BadFile
from floor.intake.tickets import Imported, import_tickets
from floor.recording import digests

DATA = Path(os.environ.get("JIAOHAO_DATA", CHECKOUT.parent / "shared" / "data"))

# ── What becomes of good rows ──────────────────────────────────────────────────


def test_a_row_becomes_the_facts_of_its_ticket(tmp_path: Path) -> None:
    brought = bring(
        tmp_path,
        GOOD,
        left("2", "09:00:30 09:04:00"),
        row("3", "09:02:00 09:05:00 09:05:00 09:09:00", item="NW"),
    )
    assert brought.told == [
        "09:00:00 TicketTaken B001",
        "09:00:30 TicketTaken B002",
        "09:01:00 WindowOpened",
        "09:01:00 TicketCalled B001",
        "09:01:10 ServiceStarted B001",
        "09:02:00 TicketTaken A001",
        "09:04:00 TicketAbandoned B002",
        "09:05:00 ServiceFinished B001",
        "09:05:00 TicketCalled A001",
        "09:05:00 ServiceStarted A001",
        "09:09:00 ServiceFinished A001",
        "09:09:00 WindowClosed",
        "09:09:00 HallClosed",
        "09:09:00 DaySealed",
    ]
    counts = msgspec.structs.asdict(brought.counts)
    assert counts.pop("seconds") >= 0
    assert counts == {
        "rows": 3,
        "taken": 3,
        "served": 2,
        "abandoned": 1,
        "refused": 0,
        "days": 1,
        "adjusted": {},
        "refused_by": {},
    }


def test_each_fact_leads_back_to_its_line(tmp_path: Path) -> None:
    brought = bring(tmp_path, GOOD, left("2", "09:00:30 09:04:00"))
    assert [entry.fact.command for entry in brought.entries] == [
        "",
        "calls.csv:2:take",
        "calls.csv:3:take",
        "calls.csv:2:open",
        "calls.csv:2:call",
        "calls.csv:2:start",
        "calls.csv:3:abandon",
        "calls.csv:2:finish",
        "calls.csv:2:close",
        "calls.csv:2:close-hall",
        "",  # The seal, which no line asked for.
    ]
    called = brought.entries[4].fact
    assert isinstance(called, facts.TicketCalled)
    assert (called.clerk, called.window, called.policy) == ("ANN", "1", "by_hand")
    assert called.reason


def test_a_file_name_that_is_no_id_is_written_as_one(tmp_path: Path) -> None:
    file = tmp_path / f"{'x' * 60} 三月&.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n")
    brought = Brought(tmp_path, file, MAP)
    assert brought.entries[1].fact.command == f"{'x' * 32}-三月-.csv:2:take"


def test_the_order_of_one_instant_is_one_that_can_have_happened(tmp_path: Path) -> None:
    """At 09:05 a service ends, a zero-length one happens and a long one begins."""
    brought = bring(
        tmp_path,
        row("long", "09:05:00 09:05:00 09:05:00 09:09:00"),
        row("zero", "09:05:00 09:05:00 09:05:00 09:05:00"),
        row("before", "09:00:00 09:01:00 09:05:00 09:05:00"),
        left("nobody", "09:05:00 09:05:00"),
    )
    assert brought.counts.taken == 4
    assert [line for line in brought.told if line.startswith("09:05")] == [
        "09:05:00 ServiceStarted A001",
        "09:05:00 ServiceFinished A001",
        "09:05:00 TicketTaken A002",
        "09:05:00 TicketTaken A003",
        "09:05:00 TicketTaken A004",
        "09:05:00 TicketCalled A003",
        "09:05:00 ServiceStarted A003",
        "09:05:00 ServiceFinished A003",
        "09:05:00 TicketAbandoned A004",
        "09:05:00 TicketCalled A002",
        "09:05:00 ServiceStarted A002",
    ]


def test_rows_need_not_be_sorted_and_days_are_kept_apart(tmp_path: Path) -> None:
    brought = bring(
        tmp_path,
        row("1", "09:00:00 09:01:00 09:01:00 09:05:00", day="2026-11-24"),
        row("1", "10:00:00 10:01:00 10:01:00 10:05:00"),
        row("2", "09:00:00 09:01:00 09:01:00 09:05:00"),
    )
    assert brought.counts.days == 2
    streams = [stream for stream, _ in digests(brought.log)]
    assert streams == ["h/2026-11-23", "h/2026-11-24"]
    assert [line for line in brought.told if "Taken" in line] == [
        "09:00:00 TicketTaken A001",
        "10:00:00 TicketTaken A002",
        "09:00:00 TicketTaken A001",
    ]
    assert brought.told.count("09:05:00 HallClosed") == 1
    assert not [line for line in brought.told if "ClockStepped" in line]


def test_a_service_past_midnight_stays_on_its_business_day(tmp_path: Path) -> None:
    night = 'day_starts = "05:00"\n'
    rows = (
        "1,PS,ANN,2026-11-23T23:50,2026-11-23T23:55,2026-11-23T23:56,"
        "2026-11-24T00:20,ok",
        "2,PS,ANN,2026-11-23T23:52,2026-11-24T00:30,2026-11-24T00:30,"
        "2026-11-24T05:00,ok",
    )
    brought = bring(tmp_path, *rows, map=MAP + "[hall.hours]\n" + night)
    assert brought.codes == {3: "CrossesDay"}
    assert {e.stream for e in brought.entries} == {"h/setup", "h/2026-11-23"}
    assert brought.told[-2] == "00:20:00 HallClosed"


# ── The log and its report ─────────────────────────────────────────────────────


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_log_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    bring(tmp_path, GOOD)
    before = listing(tmp_path)
    with pytest.raises(BadFile, match="holds something already") as refused:
        bring(tmp_path, GOOD)
    assert "h.db 里已有内容" in refused.value.message["zh"]
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", ["h.db", "h.db-wal"])
def test_what_another_program_left_is_never_overwritten(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("somebody's letter")
    with pytest.raises(BadFile):
        bring(tmp_path, GOOD)
    assert (tmp_path / name).read_text() == "somebody's letter"


def test_an_empty_log_is_filled_unless_a_hall_is_at_work_on_it(tmp_path: Path) -> None:
    with log.Log(tmp_path / "h.db"), pytest.raises(log.LogInUse):
        bring(tmp_path, GOOD)
    assert bring(tmp_path, GOOD).counts.taken == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    with pytest.raises(BadFile, match="There is no folder"):
        import_tickets(
            tmp_path / "x.csv",
            maps.load(tmp_path / "map.toml"),
            tmp_path / "no" / "h.db",
        )


def test_a_full_disk_leaves_no_half_log(tmp_path: Path) -> None:
    """A real process that may write 60 kB and no more."""
    rows = [
        row(str(n), "09:00:00 09:01:00 09:01:00 09:05:00", desk=f"d{n}")
        for n in range(400)
    ]
    (tmp_path / "calls.csv").write_text("\n".join([HEADER, *rows, "bad"]))
    (tmp_path / "map.toml").write_text(MAP)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from floor import log\nfrom floor.intake import maps, tickets\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "folder = Path(sys.argv[1])\n"
        "try:\n"
        "    tickets.import_tickets(folder / 'calls.csv',\n"
        "        maps.load(folder / 'map.toml'), folder / 'h.db')\n"
        "except log.LogFailed:\n"
        "    print('failed')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout == "failed\n", ran.stderr
    assert sorted(listing(tmp_path)) == ["calls.csv", "h.db.refused.csv", "map.toml"]


def test_the_log_comes_alone_and_whole(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(f"{HEADER}\n{GOOD}\n")
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    map = maps.load(tmp_path / "map.toml")
    import_tickets(tmp_path / "calls.csv", map, tmp_path / "h.db")
    assert sorted(listing(tmp_path)) == [
        "calls.csv",
        "h.db",
        "h.db.refused.csv",
        "map.toml",
    ]


def test_a_refused_row_is_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    brought = bring(tmp_path, GOOD, "=HYPERLINK(A1)", "\x1b[2J")
    assert [row["row"] for row in brought.refused] == ["'=HYPERLINK(A1)", "�[2J"]


def test_the_next_day_is_left_to_a_hall_that_carries_on(tmp_path: Path) -> None:
    """An imported log is a log like any other."""
    brought = bring(tmp_path, GOOD)
    entries = list(log.read(brought.log))
    assert len(list(days(entries))) == 1
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))


# ── For all files ──────────────────────────────────────────────────────────────

clock = st.integers(0, 90).map(lambda second: f"09:{second // 60:02}:{second % 60:02}")
time_cell = st.one_of(clock, clock, clock, st.sampled_from(["-", "x"]))
any_row = st.builds(
    lambda no, times, item, desk, outcome: row(
        no, " ".join(times), item=item, desk=desk, outcome=outcome
    ),
    st.integers(1, 40).map(str),
    st.tuples(time_cell, time_cell, time_cell, time_cell).map(
        lambda cells: sorted(cells) if "-" not in cells else list(cells)
    ),
    st.sampled_from(["PS", "NW", ""]),
    st.sampled_from(["ANN", "BEN", ""]),
    st.sampled_from(["ok", "ok", "ok", "gone"]),
)
gone_row = st.builds(left, st.integers(1, 40).map(str), st.just("09:00:10 09:01:00"))
noise = st.text(max_size=30).filter(lambda text: text.strip() != "")
policies = st.fixed_dictionaries(
    {
        "window": st.sampled_from(["refuse", "per-item"]),
        "start": st.sampled_from(["refuse", "at-call"]),
        "end": st.sampled_from(["refuse", "at-start"]),
    }
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(any_row, any_row, any_row, gone_row, noise), max_size=40),
    policies,
)
def test_every_row_is_taken_to_its_end_or_refused_as_a_whole(
    rows: list[str], missing: dict[str, str]
) -> None:
    words = "\n".join(f'{field} = "{word}"' for field, word in missing.items())
    with TemporaryDirectory() as folder:
        file = Path(folder, "calls.csv")
        file.write_text("\n".join([HEADER, GOOD, *rows]), encoding="utf-8")
        brought = Brought(Path(folder), file, f"{MAP}[missing]\n{words}\n")
        check_promises(brought.counts, brought.entries)
        assert len(brought.refused) == brought.counts.refused
        ids = [e.fact.command for e in brought.entries if e.fact.command]
        of_rows = {id.split(":")[1] for id in ids}
        assert not of_rows & {row["line"] for row in brought.refused}
        assert digests(brought.log) == digests(brought.log)


def check_promises(counts: Imported, entries: list[Entry]) -> None:
    """What must hold to the row, counted from the log itself."""
    topics = Counter(entry.topic for entry in entries)
    assert counts.rows == counts.taken + counts.refused
    assert counts.taken == counts.served + counts.abandoned
    assert counts.taken == topics["TicketTaken"]
    assert counts.served == topics["ServiceFinished"] == topics["TicketCalled"]
    assert counts.served == topics["ServiceStarted"]
    assert counts.abandoned == topics["TicketAbandoned"]
    assert counts.days == topics["HallClosed"]
    assert topics["WindowOpened"] == topics["WindowClosed"]
    assert topics["ClockStepped"] == 0
    assert counts.refused == sum(counts.refused_by.values())
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    numbers: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if isinstance(entry.fact, facts.TicketTaken):
            prefix = entry.fact.ticket.rstrip("0123456789")
            numbers[entry.stream, prefix] += 1
            assert (
                int(entry.fact.ticket[len(prefix) :]) == numbers[entry.stream, prefix]
            )


# ── The two real logs ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "path", "refused_share"),
    [
        ("bank", "bank_1999_02/calls.csv.gz", 0.05),
        ("warsaw", "warsaw_2019_20/tickets.csv.gz", 0.05),
    ],
)
def test_a_real_log_is_imported_to_the_row_and_replays_the_same_twice(
    tmp_path: Path, name: str, path: str, refused_share: float
) -> None:
    file = DATA / path
    if not file.exists():
        pytest.skip(f"The recorded log {path} is not beside this checkout.")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = sum(1 for line in lines if line.strip()) - 1
    map = maps.load(CHECKOUT / "floor" / "maps" / f"{name}.toml")
    counts = import_tickets(file, map, tmp_path / "real.db")
    assert counts.rows == rows
    assert counts.refused < refused_share * rows
    check_promises(counts, list(log.read(tmp_path / "real.db")))
    once = digests(tmp_path / "real.db")
    assert len(once) == counts.days
    assert once == digests(tmp_path / "real.db")


def test_a_real_log_is_imported_the_same_twice(tmp_path: Path) -> None:
    file = DATA / "bank_1999_02/calls.csv.gz"
    if not file.exists():
        pytest.skip("The recorded log of the bank is not beside this checkout.")
    map = maps.load(CHECKOUT / "floor" / "maps" / "bank.toml")
    made = []
    for name in ("one.db", "two.db"):
        tickets.import_tickets(file, map, tmp_path / name)
        made.append(digests(tmp_path / name))
    assert made[0] == made[1]
