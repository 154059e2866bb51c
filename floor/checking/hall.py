"""The hall as a whole: ratings, closing and reopening, seals."""

from floor import facts
from floor.checking.sheet import (
    CALLED,
    HELD,
    OVER,
    SERVED,
    SERVING,
    WAITING,
    Sheet,
    Ticket,
)
from floor.checking.windows import vacate

PRESENT = (WAITING, CALLED, SERVING, HELD)


def invited(sheet: Sheet, fact: facts.EvaluationInvited, ms: int) -> None:
    _served(sheet, fact.ticket, fact.window, fact.position)


def lapsed(sheet: Sheet, fact: facts.EvaluationLapsed, ms: int) -> None:
    _served(sheet, fact.ticket, fact.window, fact.position)


def rated(sheet: Sheet, fact: facts.EvaluationGiven, ms: int) -> None:
    ticket = _served(sheet, fact.ticket, fact.window, fact.position)
    if ticket is None:
        return
    if ticket.rated:
        sheet.wrong("rated_twice", fact.position, ticket=ticket.id)
    ticket.rated = True


def closed(sheet: Sheet, fact: facts.HallClosed, ms: int) -> None:
    """Whoever is still there goes home; after this nothing waits or is served."""
    if sheet.closed:
        sheet.wrong("already_closed", fact.position)
    sheet.closed = True
    sheet.emergency = fact.reason == "emergency"
    sheet.waiting = sheet.serving = sheet.held = 0
    for ticket in sheet.tickets.values():
        if ticket.state in PRESENT:
            sheet.turn(ticket, OVER, ms, fact.position)
    for place in sheet.places.values():
        if place.state != OVER:
            vacate(place, ms)
    sheet.closed_at = fact.at


def reopened(sheet: Sheet, fact: facts.HallReopened, ms: int) -> None:
    if not sheet.closed:
        sheet.wrong("not_closed", fact.position)
    sheet.closed = sheet.emergency = False


def nothing(sheet: Sheet, fact: facts.Fact, ms: int) -> None:
    """Devices, clocks, outages: no ticket and no window is moved by them."""


def _served(sheet: Sheet, id: str, window: str, position: int) -> Ticket | None:
    ticket = sheet.ticket(id, position)
    if ticket is None:
        return None
    if ticket.state != SERVED or ticket.window != window:
        sheet.wrong(
            "not_served", position, ticket.position,
            ticket=id, window=window, state=ticket.state,
        )  # fmt: skip
    return ticket
