"""Appointments (预约): who will come when, and who did not; they outlive the day."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from floor import facts

BookingState = Literal["booked", "checked_in", "cancelled", "missed"]

# The longest that a rule looks back (Booking.memory_days); older ones are forgotten.
KEPT = timedelta(days=31)


class Booked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One booking and what became of it; `date` is the hall's day of its slot."""

    id: str
    item: str
    slot_at: datetime
    date: date
    person: str
    state: BookingState = "booked"


class Bookings:
    """All bookings that a rule may still ask about, by number."""

    def __init__(self, known: Iterable[Booked] = ()) -> None:
        self.by_id: dict[str, Booked] = {}
        self._on: dict[date, list[str]] = {}
        self._of: dict[str, list[str]] = {}
        for booked in known:
            self._add(booked)

    def kept(self, today: date) -> "Bookings":
        """Those that a rule may ask about today; what is over stays as it was."""
        return Bookings(b for b in self.by_id.values() if b.date >= today - KEPT)

    def book(self, fact: facts.AppointmentBooked, date: date) -> None:
        self._add(
            Booked(
                id=fact.booking,
                item=fact.item,
                slot_at=fact.slot_at,
                date=date,
                person=fact.person,
            )
        )

    def turn(self, booking: str, state: BookingState) -> None:
        known = self.by_id.get(booking)
        if known is not None:  # A recorded day may be read without those before it.
            self.by_id[booking] = msgspec.structs.replace(known, state=state)

    def on(self, date: date) -> list[Booked]:
        """All of a day, cancelled ones included, in the order of booking."""
        return [self.by_id[id] for id in self._on.get(date, ())]

    def of(self, person: str) -> Iterator[Booked]:
        """All of a person; nobody is not a person."""
        return (self.by_id[id] for id in self._of.get(person, ()))

    def state(self, today: date) -> dict[str, Booked]:
        """What rules ask of: those to come, and earlier ones that nobody came for.

        Who came on an earlier day stands in that day's stream, which is not read
        again when the hall starts.
        """
        return {
            id: booked
            for id, booked in self.by_id.items()
            if booked.date >= today or booked.state in ("missed", "cancelled")
        }

    def _add(self, booked: Booked) -> None:
        self.by_id[booked.id] = booked
        self._on.setdefault(booked.date, []).append(booked.id)
        if booked.person:
            self._of.setdefault(booked.person, []).append(booked.id)
