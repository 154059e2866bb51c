"""What the rules look at before they allow anything."""

from floor import refusals
from floor.catalogue import Window
from floor.day import Day
from floor.tickets import Place, Ticket


def hall_open(day: Day) -> None:
    if day.closed:
        raise refusals.HallIsClosed


def known_window(day: Day, window: str) -> tuple[Window, Place]:
    """The window, open or not."""
    known = day.windows.get(window)
    if known is None:
        raise refusals.UnknownWindow(window=window)
    return known, day.places[window]


def open_window(day: Day, window: str) -> Place:
    """The window, when somebody is signed in there."""
    _, place = known_window(day, window)
    hall_open(day)
    if place.state == "closed":
        raise refusals.WindowNotOpen(window=window)
    return place


def empty_handed(place: Place) -> None:
    if place.ticket:
        raise refusals.WindowBusy(window=place.id, ticket=place.ticket)


def ready(day: Day, window: str) -> Place:
    """The window, when it may call."""
    place = open_window(day, window)
    empty_handed(place)
    if place.state == "paused":
        raise refusals.WindowOnPause(window=window)
    return place


def in_hand(day: Day, window: str, ticket: str) -> Ticket:
    """The ticket in hand; when one is named, it must be that one."""
    place = open_window(day, window)
    if not place.ticket:
        raise refusals.NothingCalled(window=window)
    if ticket and ticket != place.ticket:
        raise refusals.TicketNotHere(window=window, current=place.ticket, ticket=ticket)
    return day.tickets[place.ticket]


def called(day: Day, window: str, ticket: str) -> Ticket:
    """The ticket in hand, when its visitor is not there yet."""
    held = in_hand(day, window, ticket)
    if held.state == "serving":
        raise refusals.AlreadyStarted(ticket=held.id, window=window)
    return held


def serving(day: Day, window: str, ticket: str) -> Ticket:
    """The ticket in hand, when it is being served."""
    held = in_hand(day, window, ticket)
    if held.state != "serving":
        raise refusals.NotStarted(ticket=held.id)
    return held


def known_ticket(day: Day, ticket: str) -> Ticket:
    known = day.tickets.get(ticket)
    if known is None:
        raise refusals.UnknownTicket(ticket=ticket)
    return known


def waiting_ticket(day: Day, ticket: str) -> Ticket:
    known = known_ticket(day, ticket)
    if known.state != "waiting":
        raise refusals.TicketNotWaiting(ticket=ticket)
    return known


def known_item(day: Day, item: str) -> None:
    if item not in day.items:
        raise refusals.UnknownItem(item=item)
