"""The check of files: in parts, in processes, from the command line, of real logs."""

import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

import main as front
from crowd import Crowd, a_log
from floor import commands, facts, log
from floor.catalogue import load as load_catalogue
from floor.checking import rows, whole
from floor.checking.findings import KEPT_MAX, Findings
from floor.checking.printed import lines
from floor.checking.whole import check, check_log
from floor.facts import Entry
from floor.intake import maps
from floor.intake.tickets import Imported, import_tickets
from floor.practice import Booking
from scoring.assessment import assess
from scoring.rulebook import load as load_rulebook
from timeline import SAMPLE, FloorDay

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("JIAOHAO_DATA", ROOT.parent / "shared" / "data"))


@cache
def week() -> Sequence[Entry]:
    return a_log(8, days=6, presses=700)


def written(path: Path, entries: Sequence[Entry]) -> Path:
    """The facts as rows of a log, whatever they say."""
    with log.Log(path):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for trigger in ("no_holes", "no_replacement", "no_update", "no_delete"):
            file.execute(f"DROP TRIGGER {trigger}")
        file.execute("BEGIN")
        file.executemany(
            "INSERT INTO stored_events "
            "(originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)",
            [(e.stream, e.version, e.topic, facts.encode(e.fact)) for e in entries],
        )
        file.execute("COMMIT")
    return path


def same(one: Findings, other: Findings) -> None:
    assert one.violations == other.violations
    assert msgspec.structs.asdict(one.rates) == msgspec.structs.asdict(other.rates)
    assert one.wrong == other.wrong


# ── In parts ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("days", [1, 2, 5, 50])
def test_a_log_in_parts_is_the_same_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Catalogues, bookings and commands of the days before are known in each part."""
    monkeypatch.setattr(rows, "PART_DAYS", days)
    path = written(tmp_path / "events.db", week())
    assert len(rows.parts(path)) == -(-7 // days)
    found = check(path, processes=1)
    same(found, check_log(week()))
    assert found.violations == []
    assert found.rates.days == 7


def test_parts_are_checked_in_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PART_DAYS", 1)
    path = written(tmp_path / "events.db", week())
    same(check(path, processes=2), check_log(week()))


def test_halls_in_one_file_are_checked_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PART_DAYS", 2)
    both: list[Entry] = []
    for one in week():
        elsewhere = one.stream.replace("hall-1", "hall-10")
        both += [one, Entry(elsewhere, one.version, one.fact)]
    path = written(tmp_path / "events.db", both)
    found = check(path, processes=1)
    same(found, check_log(both))
    assert found.rates.tickets == 2 * check_log(week()).rates.tickets


def begins(entries: Sequence[Entry]) -> int:
    """Where the third day of a log begins."""
    days = list(dict.fromkeys(e.stream for e in entries if e.stream[-3] == "-"))
    return next(i for i, e in enumerate(entries) if e.stream == days[2])


@pytest.mark.impossible
@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("position_gap", lambda es, at: [*es[:at], *es[at + 1 :]]),
        ("version_gap", lambda es, at: [*es[:at], *es[at + 1 :]]),
        ("position_gap", lambda es, at: [*es[: at - 1], *es[at:]]),
        ("time_back", lambda es, at: _changed(es, at, at=es[0].fact.at)),
        (
            "command_twice",
            lambda es, at: _changed(es, at, command=_command(es[:at])),
        ),
    ],
)
def test_what_is_wrong_where_parts_meet_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    spoil: Callable[[Sequence[Entry], int], list[Entry]],
) -> None:
    monkeypatch.setattr(rows, "PART_DAYS", 1)
    entries = spoil(week(), begins(week()))
    found = check(written(tmp_path / "events.db", entries), processes=1)
    assert what in {violation.what for violation in found.violations}
    same(found, check_log(entries))


def _changed(entries: Sequence[Entry], index: int, **words: object) -> list[Entry]:
    old = entries[index]
    new: Any = msgspec.structs.replace(old.fact, **words)
    changed = Entry(old.stream, old.version, new)
    return [*entries[:index], changed, *entries[index + 1 :]]


def _command(entries: Sequence[Entry]) -> str:
    """The last command of the day before."""
    return next(e.fact.command for e in reversed(entries) if e.fact.command)


def test_a_booking_of_another_part_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody checks in for a booking made days before, and it is not forgotten."""
    monkeypatch.setattr(rows, "PART_DAYS", 1)
    booked = {
        e.fact.booking: e.fact.at.date()
        for e in week()
        if isinstance(e.fact, facts.AppointmentBooked)
    }
    came = [
        e.fact for e in week() if isinstance(e.fact, facts.AppointmentCheckedIn)
    ]  # fmt: skip
    assert any(fact.at.date() > booked[fact.booking] for fact in came)
    path = written(tmp_path / "events.db", week())
    assert check(path, processes=1).violations == []


# ── From the command line ───────────────────────────────────────────────────────────


def says(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(front.main, list(words))
    return done.exit_code, done.output


def test_a_clean_log_says_what_was_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "events.db", week())
    code, text = says("check", "--log", str(path))
    assert code == 0
    assert f"{len(week()):,} 条事实 facts, 7 天 days" in text
    assert "全部相符 clean" in text
    assert '"lindley_exact"' in text


@pytest.mark.impossible
def test_a_wrong_log_names_the_facts_in_both_languages(tmp_path: Path) -> None:
    at = next(i for i, e in enumerate(week()) if isinstance(e.fact, facts.TicketCalled))
    entries = _changed(week(), at, passed=77)
    code, text = says("check", "--log", str(written(tmp_path / "w.db", entries)))
    assert code == 1
    assert re.search(rf"^I6 先来先办与叫号策略 hall-1/\S+ #{at + 1}: .*77", text)
    assert "not 77" in text
    assert "1 处不符 violations" in text


@pytest.mark.impossible
def test_of_very_many_violations_the_first_are_shown(tmp_path: Path) -> None:
    entries = [e for e in week() if not isinstance(e.fact, facts.TicketTaken)]
    code, text = says("check", "--log", str(written(tmp_path / "w.db", entries)))
    assert code == 1
    found = check_log(entries)
    assert len(found.violations) == KEPT_MAX < found.wrong
    assert f"{found.wrong - KEPT_MAX:,} more" in text
    assert len(list(lines(found))) < KEPT_MAX + 6


@pytest.mark.impossible
@pytest.mark.parametrize("content", [None, b"", b"not a log"])
def test_what_is_not_a_log_cannot_be_checked(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "events.db"
    if content is not None:
        path.write_bytes(content)
    code, text = says("check", "--log", str(path))
    assert code == 2
    assert "events.db" in text


@pytest.mark.impossible
@pytest.mark.parametrize("row", [("Nonsense", b"{}"), ("TicketTaken", b"{")])
def test_a_row_that_is_no_fact_cannot_be_checked(
    tmp_path: Path, row: tuple[str, bytes]
) -> None:
    path = written(tmp_path / "events.db", week())
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE stored_events SET topic=?, state=? WHERE rowid=9", row)
        file.commit()
    code, text = says("check", "--log", str(path))
    assert code == 2
    assert "无法读取" in text


# ── Real logs ───────────────────────────────────────────────────────────────────────

BANK = "bank", "bank_1999_02/calls.csv.gz"
WARSAW = "warsaw", "warsaw_2019_20/tickets.csv.gz"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    @cache
    def bring(map: str, file: str) -> tuple[Imported, Findings]:
        if not DATA.is_dir():
            pytest.skip("The recorded days in shared/data are not beside the checkout.")
        path = tmp_path_factory.mktemp(map) / "events.db"
        made = import_tickets(
            DATA / file, maps.load(ROOT / "floor" / "maps" / f"{map}.toml"), path
        )
        return made, check(path)

    return bring


def test_the_bank_keeps_its_promises(imported: Callable[..., Any]) -> None:
    """Facts/queueing.md 1.2 and 2.4 are of the whole month, these three weeks of it."""
    made, found = imported(*BANK)
    rates, shares = found.rates, found.rates.shares()
    print("\n" + "\n".join(lines(found)))
    assert found.violations == []
    assert rates.little_ms == 0
    assert rates.imported == rates.tickets == made.taken
    assert rates.by_hand == rates.calls == rates.called == made.served
    assert rates.left == made.abandoned
    # Observed there: P(W>0) .578, P(ab) .126, mean wait 43.4 s, slipped .155.
    assert shares["waited_at_all"] == pytest.approx(0.578, abs=0.03)
    assert shares["left"] == pytest.approx(0.126, abs=0.02)
    assert shares["mean_wait_at_all_s"] == pytest.approx(43.4, abs=6)
    assert shares["slipped"] == pytest.approx(0.155, abs=0.03)
    # Keys are pressed by people: windows are free while somebody waits.
    assert 0 < shares["idle"] < 1


def test_warsaw_keeps_its_promises(imported: Callable[..., Any]) -> None:
    """Its times are interpolated, and the windows of an item are one."""
    made, found = imported(*WARSAW)
    print("\n" + "\n".join(lines(found)))
    assert found.violations == []
    assert found.rates.little_ms == 0
    assert found.rates.imported == made.taken
    assert found.rates.served == 0, "No end of a service is known there."


# ── Beside the check ────────────────────────────────────────────────────────────────


def test_the_assessment_of_a_checked_log_adds_up() -> None:
    """I16, for a whole hall in which everything happens; scoring has its own tests."""
    assessment = assess(week(), load_rulebook(ROOT / "scoring" / "rulebook.toml"))
    for window in assessment.windows:
        assert 0 <= window.total <= window.points_max <= 1000 * 1000
        marks = [mark for _, mark in window.marks]
        assert window.total == sum(mark.points for mark in marks)
        assert all(0 <= mark.points <= mark.points_max for mark in marks)


def test_the_pool_is_not_asked_for_a_short_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "_spread", None)
    assert check(written(tmp_path / "events.db", week())).violations == []


# ── Faults of the rules that the check found ────────────────────────────────────────


def test_a_call_is_taken_back_after_the_clerk_moved() -> None:
    floor = sent_to_window_2()
    floor.play(
        """
        09:03:00 calls 2
        09:03:05 moves 2 3
        09:03:10 undoes 3
        """
    )
    assert floor.day.tickets["A001"].state == "waiting"


def test_whoever_comes_back_when_the_window_is_closed_is_called_elsewhere() -> None:
    floor = sent_to_window_2()
    floor.play(
        """
        09:03:00 calls 2
        09:04:00 no-show 2
        09:05:00 closes 2
        09:06:00 requeues A001
        09:07:00 calls 1
        """
    )
    assert floor.day.tickets["A001"].window == "1"


def sent_to_window_2() -> FloorDay:
    floor = FloorDay().play(
        """
        09:00:00 opens 1
        09:00:00 opens 2
        09:00:00 takes zonghe
        09:01:00 calls 1
        09:01:10 starts 1
        """
    )
    floor.do(commands.TransferTicket(window="1", to_window="2"), floor.at("09:02:00"))
    return floor


def test_nobody_has_missed_an_appointment_when_the_hall_had_to_be_left() -> None:
    crowd = Crowd(1)
    crowd.catalogue = load_catalogue(SAMPLE)
    slot_at = crowd.now.replace(hour=3, minute=0)
    assert crowd.draft.day.catalogue.booking != Booking()
    crowd.press(commands.BookAppointment(item="zonghe", slot_at=slot_at))
    crowd.press(commands.TakeTicket(item="zonghe"))
    crowd.press(commands.CloseHall(reason="emergency"))
    crowd.next_day()
    crowd.press(commands.TakeTicket(item="zonghe"))
    crowd.draft.commit()
    missed = [
        e for e in crowd.memory.entries if isinstance(e.fact, facts.AppointmentMissed)
    ]  # fmt: skip
    assert missed == []
    assert check_log(crowd.memory.entries).violations == []
