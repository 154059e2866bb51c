"""Time slots that can be booked (预约时段), as `book_appointment` would allow them."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec

from floor import refusals
from floor.catalogue import Catalogue
from floor.day import Day


class Slot(msgspec.Struct, frozen=True):
    """A time slot of an item, and how many can still book it."""

    slot_at: datetime
    free: int


def slots(day: Day, at: datetime, item: str, date: date) -> list[Slot]:
    """All slots of an item on a day that begin later than `at`, full ones included.

    Empty on a day that the hall does not open, or closed, or takes no bookings for.

    Raises:
        UnknownItem, NoBooking: there are none on any day.
    """
    known = day.items.get(item)
    if known is None:
        raise refusals.UnknownItem(item=item)
    booking = day.catalogue.booking
    quota = booking.quota if known.booking_quota < 0 else known.booking_quota
    if not quota or known.paused:
        raise refusals.NoBooking(item=known.name)
    # Looked at first: an hour of the year 1 or 9999 is beyond the calendar elsewhere.
    ahead = (date - day.date).days
    if not 0 <= ahead <= booking.ahead_days or (ahead == 0 and day.closed):
        return []
    taken = Counter(
        b.slot_at
        for b in day.bookings.on(date)
        if b.item == item and b.state != "cancelled"
    )
    return [
        Slot(begin, max(0, quota - taken[begin]))
        for begin in _begins(day.catalogue, date)
        if begin > at
    ]


def _begins(catalogue: Catalogue, date: date) -> Iterator[datetime]:
    """When the slots of a day begin, aware UTC; none reaches into lunch."""
    length = timedelta(seconds=catalogue.booking.slot_s)
    for begin, end in catalogue.open_spans(date):
        while begin + length <= end:
            # A hall that opens before its business day begins has slots of two days.
            if catalogue.business_date(begin) == date:
                yield begin.astimezone(UTC)
            begin += length
