"""Appointments, which outlive the day: booked before, kept, cancelled or missed."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from floor import facts
from floor.catalogue import Catalogue
from floor.checking.sheet import EPOCH, MILLISECOND, Sheet
from floor.checking.tickets import checked_in as joins
from floor.facts import Fact

BOOKED = "booked"


class Booking(NamedTuple):
    """A booking as its facts tell it; `position` is that of the last one."""

    item: str
    slot_at: datetime
    day: date
    person: str
    state: str
    position: int


class Bookings:
    """All bookings that a fact may still name, and how many there were for a day."""

    def __init__(self) -> None:
        self.of: dict[str, Booking] = {}
        self.counts: dict[date, int] = {}

    def forget(self, today: date) -> None:
        """Drop the days that are over: nobody checks in for them any more."""
        self.of = {id: known for id, known in self.of.items() if known.day >= today}
        self.counts = {day: n for day, n in self.counts.items() if day >= today}

    def book(self, fact: facts.AppointmentBooked, catalogue: Catalogue) -> str:
        """Take in a booking; gives the number that it should have."""
        day = catalogue.business_date(fact.slot_at)
        self.counts[day] = self.counts.get(day, 0) + 1
        self.of[fact.booking] = Booking(
            fact.item, fact.slot_at, day, fact.person, BOOKED, fact.position
        )
        return f"{day:%Y%m%d}-{self.counts[day]:03d}"

    def know(self, fact: Fact, catalogue: Catalogue | None) -> None:
        """Take in what happened before, unchecked."""
        assert catalogue is not None, "Nothing is booked before there is a catalogue."
        if isinstance(fact, facts.AppointmentBooked):
            self.book(fact, catalogue)
        elif isinstance(fact, facts.AppointmentCancelled):
            self.turn(fact.booking, "cancelled", fact.position)
        elif isinstance(fact, facts.AppointmentMissed):
            self.turn(fact.booking, "missed", fact.position)

    def turn(self, id: str, state: str, position: int) -> None:
        known = self.of.get(id)
        if known is not None:
            self.of[id] = known._replace(state=state, position=position)

    def open_on(self, day: date) -> list[tuple[str, Booking]]:
        """Bookings of a day that nothing has become of."""
        return [
            (id, known)
            for id, known in self.of.items()
            if known.day == day and known.state == BOOKED
        ]


def booked(sheet: Sheet, fact: facts.AppointmentBooked, bookings: Bookings) -> None:
    if fact.item not in sheet.items:
        sheet.wrong("unknown_item", fact.position, item=fact.item)
    earlier = bookings.of.get(fact.booking)
    due = bookings.book(fact, sheet.catalogue)
    if fact.booking != due:
        before = earlier.position if earlier else 0
        sheet.wrong(
            "booking_number", fact.position, before, due=due, booking=fact.booking
        )


def cancelled(
    sheet: Sheet, fact: facts.AppointmentCancelled, bookings: Bookings
) -> None:
    _still_open(sheet, fact.booking, fact.position, bookings)
    bookings.turn(fact.booking, "cancelled", fact.position)


def missed(sheet: Sheet, fact: facts.AppointmentMissed, bookings: Bookings) -> None:
    """Nobody came, and the day is over; not when the hall had to be left."""
    known = _still_open(sheet, fact.booking, fact.position, bookings)
    if known is not None:
        what = ""
        if known.day != sheet.day:
            what = "booking_day"
        elif not sheet.closed or fact.at < known.slot_at:
            what = "missed_open"
        elif sheet.emergency:
            what = "missed_emergency"
        if what:
            sheet.wrong(
                what, fact.position, known.position,
                booking=fact.booking, date=known.day,
            )  # fmt: skip
    bookings.turn(fact.booking, "missed", fact.position)


def checked_in(
    sheet: Sheet, fact: facts.AppointmentCheckedIn, ms: int, bookings: Bookings
) -> None:
    """A booking of today became a ticket, due when the catalogue says."""
    position = fact.position
    # A release that knew no due time knew no bookings either.
    old = fact.due_at is None and fact.booking not in bookings.of
    known = None if old else _still_open(sheet, fact.booking, position, bookings)
    if known is not None:
        _as_booked(sheet, fact, known)
        bookings.turn(fact.booking, "checked_in", position)
    due_at = fact.due_at or fact.at
    joins(sheet, fact, ms, (due_at - EPOCH) // MILLISECOND)


def _as_booked(sheet: Sheet, fact: facts.AppointmentCheckedIn, known: Booking) -> None:
    rules = sheet.catalogue.booking
    late = fact.at > known.slot_at + timedelta(seconds=rules.grace_s)
    due_at = known.slot_at - timedelta(seconds=rules.early_s)
    if late:
        due_at = max(due_at, fact.at - timedelta(seconds=rules.late_credit_s))
    if known.day != sheet.day:
        sheet.wrong(
            "booking_day", fact.position, known.position,
            booking=fact.booking, date=known.day,
        )  # fmt: skip
    differs = {
        "item": fact.item != known.item,
        "slot_at": fact.slot_at != known.slot_at,
        "person": fact.person != known.person,
    }
    if fact.due_at is not None:  # A release that knew no due time knew no grace.
        differs |= {"late": fact.late != late, "due_at": fact.due_at != due_at}
    for word, wrong in differs.items():
        if wrong:
            sheet.wrong(
                "booking_words", fact.position, known.position,
                booking=fact.booking, word=word,
            )  # fmt: skip


def _still_open(
    sheet: Sheet, id: str, position: int, bookings: Bookings
) -> Booking | None:
    known = bookings.of.get(id)
    if known is None:
        sheet.wrong("unknown_booking", position, booking=id)
    elif known.state != BOOKED:
        sheet.wrong(
            "booking_over", position, known.position, booking=id, state=known.state
        )
    return known
