"""Tickets: the numbers they have, coming back, giving up; and the lines they join."""

from floor import facts
from floor.catalogue import Item
from floor.checking.sheet import (
    ABANDONED,
    HELD,
    NO_SHOW,
    WAITING,
    Sheet,
    Ticket,
)


def taken(sheet: Sheet, fact: facts.TicketTaken, ms: int) -> None:
    position = fact.position
    item = sheet.items.get(fact.item)
    if item is None:
        sheet.wrong("unknown_item", position, item=fact.item)
    elif item.paused:
        sheet.wrong("item_paused", position, item=item.id)
    if fact.ground:
        _ground(sheet, fact)
    for step in fact.then:
        _item(sheet, step, position)
    if fact.channel == "import":
        sheet.rates.imported += 1
    _join(sheet, fact.ticket, item, False, fact.item, fact.kind, ms, position, ms)


def checked_in(
    sheet: Sheet, fact: facts.AppointmentCheckedIn, ms: int, due: int
) -> None:
    """A booking became a ticket, due at this millisecond; late ones are walk-ins."""
    item = _item(sheet, fact.item, fact.position)
    kind = "normal" if fact.late else "appointment"
    # A release that knew no due time numbered all tickets of an item alike.
    booked = not fact.late and fact.due_at is not None
    _join(sheet, fact.ticket, item, booked, fact.item, kind, due, fact.position, ms)


def requeued(sheet: Sheet, fact: facts.TicketRequeued, ms: int) -> None:
    position = fact.position
    ticket = sheet.ticket(fact.ticket, position)
    if ticket is None:
        return
    if fact.window:
        place = sheet.place(fact.window, position)
        if place is None:
            return
        if ticket.id != place.ticket and ticket.id not in place.held:
            sheet.wrong(
                "not_in_hand", position, ticket.position,
                ticket=ticket.id, window=place.id, state=ticket.state,
            )  # fmt: skip
        sheet.let_go(place, ticket, ms)
        sheet.waiting += 1
        sheet.owed = position, place.id, ("WindowClosed", "TicketRequeued")
    elif ticket.id in sheet.gone:
        sheet.gone.discard(ticket.id)
        sheet.waiting += 1
        ticket.returns += 1
        if ticket.returns > sheet.calling.returns_max:
            sheet.wrong("returned_too_often", position, ticket=ticket.id)
    else:
        if ticket.state != WAITING:
            sheet.wrong(
                "not_missed", position, ticket.position,
                ticket=ticket.id, state=ticket.state,
            )  # fmt: skip
            return
        ticket.defers += 1
        if ticket.defers > sheet.calling.defers_max:
            sheet.wrong("returned_too_often", position, ticket=ticket.id)
    sheet.leave(ticket, ms)
    sheet.put(ticket, sheet.living(ticket.line, ticket), fact.place, ms, position)


def abandoned(sheet: Sheet, fact: facts.TicketAbandoned, ms: int) -> None:
    ticket = sheet.ticket(fact.ticket, fact.position)
    if ticket is None:
        return
    if ticket.state not in (WAITING, HELD):
        sheet.wrong(
            "not_leaving", fact.position, ticket.position,
            ticket=ticket.id, state=ticket.state,
        )  # fmt: skip
        return
    place = sheet.places.get(ticket.window)
    if place is not None and ticket.id in place.held:
        sheet.let_go(place, ticket, ms)
    else:
        sheet.waiting -= 1
    sheet.turn(ticket, ABANDONED, ms, fact.position)


def absent(sheet: Sheet, ticket: Ticket, ms: int, position: int) -> None:
    """Whoever was called did not come."""
    sheet.turn(ticket, NO_SHOW, ms, position)
    sheet.gone.add(ticket.id)


def _join(
    sheet: Sheet,
    id: str,
    item: Item | None,
    booked: bool,
    line: str,
    kind: str,
    due_ms: int,
    position: int,
    ms: int,
) -> None:
    if sheet.closed:
        sheet.wrong("hall_closed", position, topic=id)
    sheet.waiting += 1
    earlier = sheet.tickets.get(id)
    if earlier is not None:
        sheet.wrong("number_twice", position, earlier.taken, ticket=id)
        return
    if item is not None:
        _numbered(sheet, id, item, booked, position)
    ticket = Ticket(id, line, kind, due_ms, position, ms)
    sheet.tickets[id] = ticket
    sheet.rates.tickets += 1
    sheet.lines.add(line, kind, ticket.standing)


def _numbered(sheet: Sheet, id: str, item: Item, booked: bool, position: int) -> None:
    """The number follows the last one of its prefix."""
    prefix = item.prefix_for(booked) if booked else item.prefix
    number = max(sheet.numbers.get(prefix, 0) + 1, item.first)
    due = f"{prefix}{number:0{item.digits}d}"
    if id != due:
        sheet.wrong("wrong_number", position, due=due, ticket=id)
        digits = id.removeprefix(prefix)
        # The next one follows the number that was given, right or wrong.
        number = int(digits) if digits.isdecimal() else number
    sheet.numbers[prefix] = number
    sheet.issued[prefix] = sheet.issued.get(prefix, 0) + 1


def _item(sheet: Sheet, id: str, position: int) -> Item | None:
    item = sheet.items.get(id)
    if item is None:
        sheet.wrong("unknown_item", position, item=id)
    return item


def _ground(sheet: Sheet, fact: facts.TicketTaken) -> None:
    kinds = {ground.id: ground.kind for ground in sheet.catalogue.grounds}
    if kinds.get(fact.ground) != fact.kind:
        sheet.wrong("wrong_kind", fact.position, ground=fact.ground, kind=fact.kind)
