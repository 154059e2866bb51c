"""Appointments: book, cancel, check in. A check-in never makes a second number."""

from datetime import UTC, date, datetime, timedelta

from floor import facts, refusals
from floor.bookings import Booked
from floor.day import Day
from floor.rules import asked
from floor.rules.tickets import next_number, within_person


def book_appointment(
    day: Day,
    at: datetime,
    *,
    item: str,
    slot_at: datetime,
    person: str = "",
    channel: str = "phone",
) -> facts.Fact:
    """预约: a place in a time slot, for a person who has kept earlier ones."""
    asked.known_item(day, item)
    known = day.items[item]
    quota = day.catalogue.bookings_of(known)
    if not quota or known.paused:
        raise refusals.NoBooking(item=known.name)
    slot_at = slot_at.astimezone(UTC)
    date = _slot_date(day, at, slot_at)
    same_day = day.bookings.on(date)
    taken = [
        b
        for b in same_day
        if b.item == item and b.slot_at == slot_at and b.state != "cancelled"
    ]
    if len(taken) >= quota:
        raise refusals.SlotFull(item=known.name)
    _trusted(day, item, person, same_day)
    return facts.AppointmentBooked(
        at=at,
        booking=f"{date:%Y%m%d}-{len(same_day) + 1:03d}",
        item=item,
        slot_at=slot_at,
        person=person,
        channel=channel,
    )


def cancel_appointment(day: Day, at: datetime, *, booking: str) -> facts.Fact:
    """取消预约: in time, so that somebody else can have the place."""
    booked = _open(day, booking)
    before = timedelta(seconds=day.catalogue.booking.cancel_before_s)
    if at > booked.slot_at - before:
        raise refusals.CancelledTooLate(minutes=-(-before // timedelta(minutes=1)))
    return facts.AppointmentCancelled(at=at, booking=booking)


def check_in(
    day: Day, at: datetime, *, booking: str, channel: str = "kiosk"
) -> facts.Fact:
    """预约签到: the booking becomes a ticket.

    In the line it counts as if come at the slot less the early time allowed, so that
    coming an hour early wins nothing; whoever comes after the grace time waits as a
    walk-in who came a little earlier (virtual arrival, facts/queueing.md 4.2), but
    never counts for more than in time.
    """
    asked.hall_open(day)
    booked = _open(day, booking)
    if booked.date != day.date:
        raise refusals.NotToday(date=booked.date.isoformat())
    asked.known_item(day, booked.item)
    item = day.items[booked.item]
    rules = day.catalogue.booking
    late = at > booked.slot_at + timedelta(seconds=rules.grace_s)
    due_at = booked.slot_at - timedelta(seconds=rules.early_s)
    if late:
        due_at = max(due_at, at - timedelta(seconds=rules.late_credit_s))
    if booked.person:
        within_person(day, item.id, booked.person)
    return facts.AppointmentCheckedIn(
        at=at,
        ticket=next_number(day, item, booked=not late),
        item=item.id,
        booking=booking,
        slot_at=booked.slot_at,
        due_at=due_at,
        late=late,
        person=booked.person,
        channel=channel,
        then=item.then,
    )


def _slot_date(day: Day, at: datetime, slot_at: datetime) -> date:
    """The hall's day of a slot that can be booked."""
    catalogue, rules = day.catalogue, day.catalogue.booking
    date = catalogue.business_date(slot_at)
    slot = timedelta(seconds=rules.slot_s)
    fits = any(
        begin <= slot_at and slot_at + slot <= end and (slot_at - begin) % slot == ZERO
        for begin, end in catalogue.open_spans(date)
    )
    ahead = (date - day.date).days
    if ahead == 0:
        asked.hall_open(day)
    if not fits or slot_at <= at or not 0 <= ahead <= rules.ahead_days:
        raise refusals.NoSuchSlot(days=rules.ahead_days)
    return date


def _trusted(day: Day, item: str, person: str, same_day: list[Booked]) -> None:
    """Whoever books must not have left too many places empty."""
    rules = day.catalogue.booking
    if not person:
        if day.catalogue.taking.person_required:
            raise refusals.IdentityNeeded
        return
    mine = [b for b in same_day if b.person == person and b.item == item]
    if any(b.state == "booked" for b in mine):
        raise refusals.BookedAlready(item=day.items[item].name)
    if rules.same_item_max and len(mine) >= rules.same_item_max:
        raise refusals.BookedTooOften(times=rules.same_item_max)
    since = day.date - timedelta(days=rules.memory_days)
    recent = [b for b in day.bookings.of(person) if b.date >= since]
    for state, most in (
        ("missed", rules.missed_max),
        ("cancelled", rules.cancelled_max),
    ):
        if most and sum(b.state == state for b in recent) >= most:
            raise refusals.BookingSuspended(times=most, days=rules.memory_days)


def _open(day: Day, booking: str) -> Booked:
    booked = day.bookings.by_id.get(booking)
    if booked is None:
        raise refusals.UnknownBooking(booking=booking)
    if booked.state != "booked" or booked.date < day.date:
        raise refusals.BookingOver(booking=booking)
    return booked


ZERO = timedelta()
