"""Bookings on paper: each becomes one ticket at most, and is missed once at most."""

from datetime import date, datetime

from floor import facts
from floor.catalogue import Catalogue

OF_QUARTER = (
    facts.AppointmentBooked,
    facts.AppointmentCancelled,
    facts.AppointmentMissed,
)


class Slip:
    """A booking on paper."""

    def __init__(self, fact: facts.AppointmentBooked, date: date) -> None:
        self.id = fact.booking
        self.item = fact.item
        self.slot_at = fact.slot_at
        self.date = date
        self.state = "booked"


class Slips:
    """The bookings of all days, in the order of booking."""

    def __init__(self) -> None:
        self._by_id: dict[str, Slip] = {}

    def book(
        self, fact: facts.AppointmentBooked, today: date, catalogue: Catalogue
    ) -> bool:
        """Whether this could be booked; its number follows the last of its day."""
        item, day = catalogue.item(fact.item), catalogue.business_date(fact.slot_at)
        if item is None or fact.slot_at <= fact.at or day < today:
            return False
        same_day = [slip for slip in self._by_id.values() if slip.date == day]
        quota = catalogue.booking.quota
        quota = quota if item.booking_quota < 0 else item.booking_quota
        same_slot = sum(
            (slip.item, slip.slot_at) == (fact.item, fact.slot_at)
            and slip.state != "cancelled"
            for slip in same_day
        )
        self._by_id[fact.booking] = Slip(fact, day)
        number = f"{day:%Y%m%d}-{len(same_day) + 1:03d}"
        return fact.booking == number and same_slot < quota

    def turn(self, booking: str, state: str) -> Slip | None:
        """What becomes of a booking; none when something has already."""
        slip = self._by_id.get(booking)
        if slip is None or slip.state != "booked":
            return None
        slip.state = state
        return slip

    def absent(self, day: date, at: datetime, catalogue: Catalogue) -> list[Slip]:
        """Who could have come on a day that ends at this instant, and did not."""
        return [
            slip
            for slip in self._by_id.values()
            if slip.date == day
            and slip.state == "booked"
            and slip.slot_at <= at
            and catalogue.item(slip.item)
        ]
