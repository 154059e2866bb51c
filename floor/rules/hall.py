"""The hall as a whole: catalogue, closing, outages; and the visitor's rating."""

from datetime import datetime, timedelta
from typing import Literal

from floor import facts, refusals
from floor.catalogue import BadCatalogue, Catalogue, check
from floor.day import Day
from floor.facts import Level
from floor.rules import asked
from floor.tickets import OPEN, Ticket

OUTAGE_MAX = timedelta(days=1)  # A longer one is several days', each with its own.


def publish_catalogue(day: Day, at: datetime, *, catalogue: Catalogue) -> facts.Fact:
    """目录发布: a new catalogue comes into force in the middle of the day.

    It may not take away what somebody is waiting for or sitting at.
    """
    if catalogue.hall != day.catalogue.hall:
        raise refusals.OtherHall(hall=catalogue.hall)
    try:
        check(catalogue)
    except BadCatalogue as bad:
        raise refusals.BadInput(
            name="catalogue", why=bad.message["en"], why_zh=bad.message["zh"]
        ) from None
    for name, moved in (
        ("time_zone", catalogue.time_zone != day.catalogue.time_zone),
        ("day_starts", catalogue.business_date(at) != day.date),
    ):
        if moved:
            raise refusals.BadInput(
                name=name,
                why="would end the day that runs",
                why_zh="会使当前营业日提前结束",
            )
    still_there(day, catalogue)
    return facts.CataloguePublished(at=at, catalogue=catalogue)


def close_hall(
    day: Day, at: datetime, *, reason: Literal["clerk", "emergency"] = "clerk"
) -> tuple[facts.Fact, ...]:
    """闭厅: the business day is over; whoever still waits goes home with it.

    In an emergency (紧急闭厅) the rest of the day is an outage that no window is
    charged with. Bookings that nobody came for are missed, but for an emergency.
    """
    asked.hall_open(day)
    closed = facts.HallClosed(at=at, reason=reason)
    if reason == "emergency":
        spans = day.catalogue.open_spans(day.date)
        to_at = spans[-1][1] if spans else at
        if to_at <= at:
            return (closed,)
        outage = facts.OutageDeclared(at=at, from_at=at, to_at=to_at, reason=reason)
        return closed, outage
    return closed, *missed(day, at)


def missed(day: Day, at: datetime) -> list[facts.Fact]:
    """爽约: those who booked for this day and did not come while they could.

    Not those who met a closed hall, or no hall at all, or an item that is gone.
    """
    if day.closed or not day.version:
        return []
    return [
        facts.AppointmentMissed(at=at, booking=b.id)
        for b in day.missing()
        if b.slot_at <= at and b.item in day.items
    ]


def reopen_hall(day: Day, at: datetime, *, reason: str = "") -> facts.Fact:
    """恢复开厅: the hall goes on after it was closed too early."""
    if not day.closed:
        raise refusals.HallNotClosed
    return facts.HallReopened(at=at, reason=reason)


def declare_outage(
    day: Day, at: datetime, *, from_at: datetime, to_at: datetime, reason: str
) -> facts.Fact:
    """系统故障: no window is to blame for what happened between the two instants."""
    date_of = day.catalogue.business_date
    if not from_at < to_at or to_at - from_at > OUTAGE_MAX:
        raise refusals.BadOutage
    if date_of(from_at) != day.date:
        raise refusals.BadOutage
    return facts.OutageDeclared(at=at, from_at=from_at, to_at=to_at, reason=reason)


def invite_evaluation(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """邀评: the clerk asks the visitor served last, or the one named, to rate."""
    _, place = asked.known_window(day, window)
    ticket = ticket or place.last
    if not ticket:
        raise refusals.NobodyToInvite(window=window)
    served = _served(day, ticket)
    if served.window != window:
        raise refusals.ServedElsewhere(ticket=ticket, window=served.window)
    return facts.EvaluationInvited(at=at, ticket=ticket, window=window)


def evaluate(
    day: Day, at: datetime, *, ticket: str, level: Level, channel: str = "tablet"
) -> facts.Fact:
    """评价: a visitor rates a finished service, once; also after the hall closed."""
    served = _served(day, ticket)
    return facts.EvaluationGiven(
        at=at, ticket=ticket, window=served.window, level=level, channel=channel
    )


def still_there(day: Day, catalogue: Catalogue) -> None:
    """What somebody waits for or sits at is in a catalogue that is to come.

    Raises:
        Refused: naming the first window or ticket that would be left alone.
    """
    windows = {window.id for window in catalogue.windows}
    for place in day.places.values():
        if place.state != "closed" and place.id not in windows:
            raise refusals.WindowStillOpen(window=place.id)
    items = {item.id for item in catalogue.items}
    for ticket in day.tickets.values():
        if ticket.state in OPEN and ticket.item not in items:
            raise refusals.ItemStillWanted(item=ticket.item, ticket=ticket.id)


def _served(day: Day, ticket: str) -> Ticket:
    known = asked.known_ticket(day, ticket)
    if known.state != "served":
        raise refusals.NotServedYet(ticket=ticket)
    if known.level is not None:
        raise refusals.AlreadyEvaluated(ticket=ticket)
    return known
