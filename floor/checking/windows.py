"""Windows: opened and closed, paused and resumed, and clerks who move."""

from floor import facts
from floor.checking.lines import oldest
from floor.checking.rates import LATE_MS
from floor.checking.sheet import FREE, OVER, PAUSED, SERVING, Place, Sheet


def opened(sheet: Sheet, fact: facts.WindowOpened, ms: int) -> None:
    position = fact.position
    place = sheet.place(fact.window, position)
    if place is None:
        return
    if sheet.closed:
        sheet.wrong("hall_closed", position, topic="WindowOpened")
    if place.state != OVER:
        sheet.wrong("window_open", position, window=place.id)
    _sits_once(sheet, fact.clerk, place.id, position)
    _sit(sheet, place, fact.clerk, fact.items, position)
    place.turn(FREE, ms)
    sheet.reach_of(place)
    if sheet.calling.opens_paused:
        sheet.owed = position, place.id, ("WindowPaused",)


def paused(sheet: Sheet, fact: facts.WindowPaused, ms: int) -> None:
    place = sheet.place(fact.window, fact.position)
    if place is None:
        return
    if place.state != FREE:
        sheet.wrong(
            "window_not_free", fact.position, window=place.id, state=place.state
        )
    _left_waiting(sheet, place, ms)
    place.turn(PAUSED, ms)


def resumed(sheet: Sheet, fact: facts.WindowResumed, ms: int) -> None:
    place = sheet.place(fact.window, fact.position)
    if place is None:
        return
    if place.state != PAUSED:
        sheet.wrong(
            "window_not_paused", fact.position, window=place.id, state=place.state
        )
    place.turn(FREE, ms)


def closed(sheet: Sheet, fact: facts.WindowClosed, ms: int) -> None:
    position = fact.position
    place = sheet.place(fact.window, position)
    if place is None:
        return
    if place.state == OVER:
        sheet.wrong("window_not_open", position, window=place.id)
    for id in (place.ticket, *place.held):
        if id:
            sheet.wrong(
                "window_busy_with", position, sheet.tickets[id].position,
                window=place.id, other=id,
            )  # fmt: skip
    _left_waiting(sheet, place, ms)
    sheet.dissolve((f"window:{place.id}", f"clerk:{place.clerk}"))
    vacate(place, ms)


def moved(sheet: Sheet, fact: facts.ClerkMoved, ms: int) -> None:
    """The clerk takes along what is in hand; the service goes on over there."""
    position = fact.position
    place, other = sheet.place(fact.window, position), sheet.place(fact.to, position)
    if place is None or other is None:
        return
    if place.state == OVER:
        sheet.wrong("window_not_open", position, window=place.id)
    if other.state != OVER:
        sheet.wrong("window_open", position, window=other.id)
    if fact.clerk != place.clerk:
        sheet.wrong(
            "wrong_clerk", position,
            window=place.id, found=place.clerk, clerk=fact.clerk,
        )  # fmt: skip
    _sit(sheet, other, fact.clerk, fact.items, position)
    sheet.dissolve((f"window:{place.id}",))
    other.ticket, other.held = place.ticket, place.held
    for id in (other.ticket, *other.held):
        if id:
            ticket = sheet.tickets[id]
            if ticket.state == SERVING:  # One service, at two windows in turn.
                sheet.sums[1] += ms - ticket.since
                ticket.service_ms += ms - ticket.since
                place.services_ms += ms - ticket.since
                ticket.since = ms
            ticket.window = other.id
    other.turn(place.state, ms)
    sheet.reach_of(other)
    vacate(place, ms)


def vacate(place: Place, ms: int) -> None:
    """Nobody is there any more."""
    place.turn(OVER, ms)
    place.clerk = place.ticket = ""
    place.held = []


def _sit(
    sheet: Sheet, place: Place, clerk: str, items: tuple[str, ...], position: int
) -> None:
    window = sheet.windows.get(place.id)
    if window is None or window.items != items:
        sheet.wrong("wrong_items", position, window=place.id)
    place.clerk, place.items = clerk, items
    place.ticket, place.held = "", []


def _sits_once(sheet: Sheet, clerk: str, window: str, position: int) -> None:
    for other in sheet.places.values():
        if other.clerk == clerk and other.id != window and other.state != OVER:
            sheet.wrong("clerk_twice", position, clerk=clerk, other=other.id)


def _left_waiting(sheet: Sheet, place: Place, ms: int) -> None:
    """Count a free window that is left with somebody waiting for long."""
    if place.state == FREE:
        found = oldest(sheet.reach(place))
        if found is not None:
            since = max(place.since, sheet.tickets[found[3]].since)
            if ms - since > LATE_MS:
                sheet.rates.left_waiting += 1
