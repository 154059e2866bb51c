"""The board of a window: what its clerk needs to see of the hall's day.

Pure functions of the day, like the frames of the displays.
"""

from datetime import datetime
from itertools import islice

from callers.messages import WAITING_MAX, Board, InHand, Last, Line, Waiting
from floor import facts, policies
from floor.day import Day, Place
from floor.facts import Entry

#: After these a waiting line is longer or shorter; other facts move one window alone.
LINE_FACTS = (
    facts.TicketTaken,
    facts.AppointmentCheckedIn,
    facts.TicketCalled,
    facts.TicketRequeued,
    facts.TicketAbandoned,
    facts.TicketTransferred,
    facts.TicketContinued,
    facts.CallUndone,
)


def board(day: Day, position: int, window: str, now: datetime) -> Board | None:
    """What the clerk of a window must see now; None when there is no such window.

    Args:
        day: as it is durable.
        position: of the last durable fact; a day that has just begun has none itself.
        window: id of the window.
        now: aware UTC.
    """
    known = day.windows.get(window)
    if known is None:
        return None
    place = day.places[window]
    return Board(
        position=position,
        now=now,
        hall=day.catalogue.name,
        hall_en=day.catalogue.name_en,
        closed=day.closed,
        window=window,
        name=known.name,
        name_en=known.name_en,
        state=place.state,
        clerk=place.clerk,
        since=place.since,
        in_hand=_in_hand(day, place),
        last=_last(day, place),
        lines=_lines(day, window),
        waiting=_waiting(day, window, now),
    )


def concerns(day: Day, entry: Entry | None, window: str) -> bool:
    """Whether a fact may change the board of a window.

    Args:
        day: the day right after the fact.
        entry: None when a new business day began empty.
        window: id of the window.
    """
    if entry is None:
        return True
    fact = entry.fact
    if getattr(fact, "window", None) == window:
        return True
    if isinstance(fact, LINE_FACTS):
        return day.tickets[fact.ticket].item in _items(day, window)
    return isinstance(fact, facts.HallClosed | facts.CataloguePublished)


def _items(day: Day, window: str) -> tuple[str, ...]:
    """What the window was opened for, or would be; still in the catalogue."""
    place, known = day.places.get(window), day.windows.get(window)
    items = (place.items if place else ()) or (known.items if known else ())
    return tuple(item for item in items if item in day.items)


def _in_hand(day: Day, place: Place) -> InHand | None:
    ticket = day.tickets.get(place.ticket)
    if ticket is None:
        return None
    assert ticket.called_at is not None, "A ticket in hand was called."
    # A catalogue published in mid-day may have dropped the item.
    item = day.items.get(ticket.item)
    return InHand(
        ticket=ticket.id,
        item=ticket.item,
        name=item.name if item else ticket.item,
        name_en=item.name_en if item else ticket.item,
        kind=ticket.kind,
        times=ticket.calls,
        called_at=ticket.called_at,
        started_at=ticket.started_at,
        service_s=item.service_s if item else 0,
    )


def _last(day: Day, place: Place) -> Last | None:
    ticket = day.tickets.get(place.last)
    if ticket is None:
        return None
    rated = ticket.level is not None
    return Last(ticket=ticket.id, invited=ticket.invited, rated=rated)


def _lines(day: Day, window: str) -> tuple[Line, ...]:
    return tuple(
        Line(
            item=item,
            name=day.items[item].name,
            name_en=day.items[item].name_en,
            waiting=len(day.lines[item]),
        )
        for item in _items(day, window)
    )


def _waiting(day: Day, window: str, now: datetime) -> tuple[Waiting, ...]:
    # Few of the waiting are looked at: a hall of thousands must not be sorted for
    # every fact.
    place = day.places[window]
    if place.state == "closed":
        in_order = day.waiting(_items(day, window))
    else:
        in_order = policies.in_order(day, place, now)
    return tuple(
        Waiting(
            ticket=ticket.id,
            item=ticket.item,
            kind=ticket.kind,
            taken_at=ticket.taken_at,
        )
        for ticket in islice(in_order, WAITING_MAX)
    )
