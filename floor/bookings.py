"""Appointments (预约): who will come when, and who did not; they outlive the day."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from floor import facts

BookingState = Literal["booked", "checked_in", "cancelled", "missed"]

# The longest that a rule looks back (Booking.memory_days); older ones are forgotten.
KEPT = timedelta(days=31)


class Booked(msgspec.Struct, kw_only=True, gc=False):
    """One booking and what became of it; `date` is the hall's day of its slot."""

    id: str
    item: str
    slot_at: datetime
    date: date
    person: str
    state: BookingState = "booked"


class Bookings:
    """All bookings that a rule may still ask about, by number."""

    def __init__(self) -> None:
        self.by_id: dict[str, Booked] = {}

    def book(self, fact: facts.AppointmentBooked, date: date) -> None:
        self.by_id[fact.booking] = Booked(
            id=fact.booking,
            item=fact.item,
            slot_at=fact.slot_at,
            date=date,
            person=fact.person,
        )

    def turn(self, booking: str, state: BookingState) -> None:
        known = self.by_id.get(booking)
        if known is not None:  # A recorded day may be read without those before it.
            known.state = state

    def on_from(self, today: date) -> "Bookings":
        """Those that a rule may still ask about on this day; these stay as they are."""
        kept = Bookings()
        since = today - KEPT
        kept.by_id = {id: b for id, b in self.by_id.items() if b.date >= since}
        return kept

    def on(self, date: date) -> list[Booked]:
        """All of a day, cancelled ones included, in the order of booking."""
        return [booked for booked in self.by_id.values() if booked.date == date]

    def of(self, person: str) -> Iterator[Booked]:
        """All of a person; nobody is not a person."""
        return (b for b in self.by_id.values() if person and b.person == person)
