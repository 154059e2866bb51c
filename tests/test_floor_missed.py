"""Appointments that nobody came for, over days and quarters."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from floor import commands, facts, refusals
from floor.bookings import KEPT, Bookings
from floor.catalogue import Catalogue
from floor.day import Day, advance
from floor.facts import Fact
from floor.hall import Draft
from floor.log import Log, read
from floor.practice import Booking
from timeline import MONDAY, SMALL, FloorDay, hall, spoken

# ── Not coming ──────────────────────────────────────────────────────────────


def missed(floor: FloorDay) -> list[str]:
    return [fact.booking[-3:] for fact in floor.facts(facts.AppointmentMissed)]


def test_whoever_has_not_come_when_the_hall_closes_has_missed_it() -> None:
    floor = hall(booking=Booking(quota=9, cancel_before_s=0)).play(
        """
        08:00 books a 09:00
        08:00 books a 09:00
        08:00 books a 09:00
        08:00 books a 16:00
        08:00 books a +1/09:00
        08:01 cancels 20261123-001
        08:50 checks-in 20261123-002
        15:59:59 closes-hall
        """
    )
    # The slot of 004 had not begun: it was the hall that did not keep it.
    assert missed(floor) == ["003"]
    assert floor.entries[-1].stream == "hall-1/2026-Q4"
    floor.play("16:00 reopens-hall\n16:01 checks-in 20261123-004\n17:00 closes-hall")
    assert missed(floor) == ["003"]


def test_in_an_emergency_nobody_has_missed_anything() -> None:
    floor = hall(booking=Booking(quota=2)).play("08:00 books a 09:00\n08:00 opens 1")
    floor.play("10:00 closes-hall emergency")
    assert missed(floor) == []


def test_whoever_missed_twice_within_memory_takes_a_ticket_in_the_hall() -> None:
    floor = hall(booking=Booking(quota=9, missed_max=2, memory_days=7, ahead_days=30))
    for day in (0, 1):
        floor.play(
            f"+{day} 08:00 opens 1\n+{day} 08:00 books a +{day}/09:00 person=1\n"
            f"+{day} 17:00 closes-hall"
        )
        code = "" if day == 0 else " ! BookingSuspended"
        floor.play(f"+{day} 18:00 books a +2/09:00 person=1{code}")
        if not code:
            floor.play(f"+{day} 18:00 cancels 20261125-001")
    # A week after the first one it counts no more.
    floor.play("+7 08:00 books a +8/09:00 person=1 ! BookingSuspended")
    floor.play("+7 08:00 takes a person=1 -> A001")
    floor.play("+8 08:00 books a +8/09:00 person=1")


def test_whoever_cancels_too_often_books_no_more_for_a_while() -> None:
    demands = Booking(quota=9, cancelled_max=2, same_item_max=0, missed_max=0)
    hall(booking=demands).play(
        """
        08:00 books a +1/09:00 person=1
        08:01 cancels 20261124-001
        08:02 books a +1/09:00 person=1
        08:03 cancels 20261124-002
        08:04 books b +1/09:00 person=1 ! BookingSuspended
        08:04 books b +1/09:00 person=2
        08:04 books b +1/09:00
        """
    )


# ── Over the day, in the log ────────────────────────────────────────────────


class Kept:
    """A hall whose facts are in a log, over many days."""

    def __init__(self, path: Path, **changes: Any) -> None:
        self.catalogue: Catalogue = msgspec.structs.replace(SMALL, **changes)
        self.draft = Draft(Log(path), self.catalogue)
        self.clock = FloorDay(self.catalogue)
        self.told: list[Fact] = []
        self.draft.open(self.clock.at("08:00"))

    def play(self, lines: str) -> "Kept":
        for line in lines.strip().splitlines():
            days, clock, verb, *words = line.split()
            at = self.clock.at(f"{days}/{clock}")
            if verb == "turns":
                self.draft.turn_day(at)
            else:
                self.draft.decide(spoken(verb, words, self.clock.at), at)
        self.told += [entry.fact for entry in self.draft.commit()]
        return self

    def missed(self) -> list[str]:
        return [f.booking for f in self.told if isinstance(f, facts.AppointmentMissed)]


def test_a_day_left_open_is_missed_when_the_next_one_begins(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "events.db", booking=Booking(quota=9))
    kept.play(
        """
        +0 08:00 books a 09:00
        +0 08:00 books a 10:00
        +0 08:00 books a +1/10:00
        +0 08:50 checks-in 20261123-001
        +1 08:00 turns
        """
    )
    assert kept.missed() == ["20261123-002"]
    assert kept.draft.day.date == (MONDAY + timedelta(days=1)).date()
    state = kept.draft.day.bookings.by_id["20261123-002"].state
    assert state == "missed"
    live = kept.draft.day.digest()
    kept.draft.reload()
    assert kept.draft.day.digest() == live


@pytest.mark.parametrize(
    "end",
    ["+0 10:00 closes-hall emergency", "+0 08:30 closes-hall"],
)
def test_nobody_misses_a_hall_that_was_not_open(tmp_path: Path, end: str) -> None:
    """Left in an emergency, closed before the slot, or never begun at all."""
    kept = Kept(tmp_path / "events.db", booking=Booking(quota=9))
    kept.play(f"+0 08:00 books a 09:00\n+0 08:00 opens 1\n{end}\n+1 08:00 turns")
    assert kept.missed() == []


def test_nobody_misses_a_day_on_which_nothing_happened(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "events.db", booking=Booking(quota=9))
    kept.play("+0 08:00 books a +1/09:00\n+0 08:00 opens 1\n+1 08:00 turns")
    kept.play("+2 08:00 turns\n+2 08:00 opens 1")
    assert kept.missed() == []


def test_bookings_are_forgotten_when_no_rule_looks_back_so_far(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "events.db", booking=Booking(quota=9))
    kept.play("+0 08:00 books a 09:00 person=1\n+0 08:00 opens 1\n+1 08:00 opens 1")
    kept.play(f"+{KEPT.days} 08:00 opens 1")
    assert list(kept.draft.day.bookings.by_id) == ["20261123-001"]
    kept.play(f"+{KEPT.days + 1} 08:00 opens 1")
    assert kept.draft.day.bookings.by_id == {}
    with pytest.raises(refusals.UnknownBooking):
        kept.draft.decide(
            commands.CancelAppointment(booking="20261123-001"),
            kept.clock.at(f"+{KEPT.days + 1}/09:00"),
        )


def test_yesterday_stays_as_it_was_when_today_begins(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "events.db", booking=Booking(quota=9))
    kept.play("+0 08:00 books a 09:00\n+0 08:00 books a +1/09:00\n+0 08:00 opens 1")
    yesterday = kept.draft.day
    kept.play("+1 08:50 checks-in 20261124-001\n+1 09:00 books a +2/09:00")
    assert states(yesterday.bookings) == ["booked", "booked"]
    assert states(kept.draft.day.bookings) == ["missed", "checked_in", "booked"]


@pytest.mark.parametrize("first", [MONDAY, datetime(2026, 12, 29, tzinfo=UTC)])
def test_a_restart_after_days_knows_what_a_replay_of_all_knows(
    tmp_path: Path, first: datetime
) -> None:
    """Also when the bookings were made in the quarter before."""
    days = (first - MONDAY).days
    kept = Kept(tmp_path / "events.db", booking=Booking(quota=9, ahead_days=30))
    kept.play(
        f"""
        +{days} 08:00 opens 1
        +{days} 08:00 books a +{days}/09:00 person=1
        +{days} 08:00 books a +{days}/09:00 person=2
        +{days} 08:00 books a +{days}/16:00 person=3
        +{days} 08:00 books a +{days + 7}/09:00 person=4
        +{days} 08:50 checks-in {first:%Y%m%d}-001
        """
    )
    for day in range(days + 1, days + 7):
        kept.play(f"+{day} 08:00 takes a\n+{day} 08:01 books b +{days + 7}/09:30")
        live = kept.draft.day.digest()
        replayed: Day | None = None
        for entry in read(tmp_path / "events.db"):
            replayed = advance(replayed, entry)
        assert replayed is not None
        assert replayed.digest() == live
        kept.draft.reload()
        assert kept.draft.day.digest() == live
    kept.play(f"+{days + 7} 08:50 checks-in {first + timedelta(days=7):%Y%m%d}-001")


def states(bookings: Bookings) -> list[str]:
    return [booked.state for booked in bookings.by_id.values()]
