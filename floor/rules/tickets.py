"""Tickets: taking a number and its limits, coming back, giving up."""

from datetime import datetime, timedelta

from floor import facts, refusals
from floor.catalogue import Item
from floor.day import Day
from floor.facts import Kind
from floor.lines import epoch_ms
from floor.practice import BACK
from floor.rules import asked

STAFF = "staff"  # 人工取号: the staff desk gives tickets at any hour.


def take_ticket(
    day: Day,
    at: datetime,
    *,
    item: str,
    kind: Kind = "normal",
    channel: str = "kiosk",
    person: str = "",
    ground: str = "",
    then: tuple[str, ...] = (),
) -> facts.Fact:
    """取号: the next number of the item's prefix; numbers have no gap."""
    asked.hall_open(day)
    known = _item(day, item)
    kind = _kind(day, kind, ground)
    for step in then:
        asked.known_item(day, step)
    if channel != STAFF:
        _within_hours(day, at)
    _within_limits(day, at, known, person)
    return facts.TicketTaken(
        at=at,
        ticket=next_number(day, known, booked=False),
        item=item,
        kind=kind,
        channel=channel,
        person=person,
        ground=ground,
        then=then or known.then,
    )


def requeue_ticket(
    day: Day, at: datetime, *, ticket: str, place: int | None = None
) -> facts.Fact:
    """过号恢复: whoever was not there when called has come, and waits again.

    place: where, when the clerk or desk says so; else where the catalogue says.
    """
    asked.hall_open(day)
    known = asked.known_ticket(day, ticket)
    calling = day.catalogue.calling
    if known.state != "no_show":
        raise refusals.NotMissed(ticket=ticket)
    if known.returns >= calling.returns_max:
        raise refusals.ReturnedEnough(ticket=ticket, times=calling.returns_max)
    asked.known_item(day, known.item)  # A new catalogue may have done without it.
    within_open(day, known.item, known.person)
    place = calling.return_place if place is None else place
    return facts.TicketRequeued(at=at, ticket=ticket, place=place)


def defer_ticket(day: Day, at: datetime, *, ticket: str) -> facts.Fact:
    """延后: a waiting visitor lets some others go first."""
    known = asked.waiting_ticket(day, ticket)
    calling = day.catalogue.calling
    if known.defers >= calling.defers_max:
        raise refusals.DeferredEnough(ticket=ticket, times=calling.defers_max)
    if known.stand.due_ms > epoch_ms(at):
        raise refusals.NotDueYet(ticket=ticket)
    place = calling.defer_place
    if place != BACK:
        # So many others go first than would anyhow, not so many in all.
        place += day.due_before(known, at)
    return facts.TicketRequeued(at=at, ticket=ticket, place=place)


def abandon_ticket(day: Day, at: datetime, *, ticket: str) -> facts.Fact:
    """弃号: a visitor gives up, waiting or while the ticket is on hold."""
    leaving = asked.known_ticket(day, ticket)
    if leaving.state not in ("waiting", "held"):
        raise refusals.TicketNotWaiting(ticket=ticket)
    return facts.TicketAbandoned(at=at, ticket=ticket)


def next_number(day: Day, item: Item, *, booked: bool) -> str:
    """The next number of an item.

    Raises:
        NumbersExhausted: the item's range is used up for today.
    """
    prefix = item.prefix_for(booked)
    number = max(day.issued.get(prefix, 0) + 1, item.first)
    if number > item.last:
        raise refusals.NumbersExhausted(item=item.name)
    return f"{prefix}{number:0{item.digits}d}"


def within_person(day: Day, item: str, person: str) -> None:
    """One person holds and takes only so many tickets (一证限号, 防黄牛)."""
    taking = day.catalogue.taking
    if not person:
        if taking.person_required:
            raise refusals.IdentityNeeded
        return
    within_open(day, item, person)
    if taking.day_max and len(day.persons.get(person, ())) >= taking.day_max:
        raise refusals.TooManyToday(most=taking.day_max)


def within_open(day: Day, item: str, person: str) -> None:
    """One person holds only so many tickets that are not over."""
    taking = day.catalogue.taking
    open_ = day.open_of(person)
    same = [ticket for ticket in open_ if ticket.item == item]
    if len(same) >= taking.open_per_item:
        raise refusals.TicketInHand(ticket=same[0].id)
    if taking.open_max and len(open_) >= taking.open_max:
        raise refusals.TooManyOpen(most=taking.open_max)


def _item(day: Day, item: str) -> Item:
    asked.known_item(day, item)
    known = day.items[item]
    if known.paused:
        raise refusals.ItemPaused(item=known.name)
    return known


def _kind(day: Day, kind: Kind, ground: str) -> Kind:
    """The kind that the ground gives, where one is named."""
    if not ground:
        return kind
    for known in day.catalogue.grounds:
        if known.id == ground:
            return known.kind
    raise refusals.UnknownGround(ground=ground)


def _within_hours(day: Day, at: datetime) -> None:
    taking = day.catalogue.taking
    spans = day.open_spans
    if taking.hours_only and not any(begin <= at < end for begin, end in spans):
        hours = day.catalogue.hours
        raise refusals.OutsideHours(open=hours.open, close=hours.close)
    stop = timedelta(seconds=taking.stop_before_close_s)
    if stop and spans and at >= spans[-1][1] - stop:
        raise refusals.TooLateToday(close=day.catalogue.hours.close)


def _within_limits(day: Day, at: datetime, item: Item, person: str) -> None:
    within_person(day, item.id, person)
    to_come = (b for b in day.bookings.of(person) if b.state == "booked")
    if any(b.date == day.date and b.item == item.id for b in to_come):
        raise refusals.BookedAlready(item=item.name)
    if item.day_quota and len(day.taken.get(item.id, ())) >= item.day_quota:
        raise refusals.DayFull(item=item.name)
    if item.slot_quota and day.taken_in_slot(item.id, at) >= item.slot_quota:
        raise refusals.SlotFull(item=item.name)
