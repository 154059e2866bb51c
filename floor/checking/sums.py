"""The sums of a day, made when it is over: what no single fact shows."""

from bisect import bisect_left, insort

from floor.checking.hall import PRESENT
from floor.checking.sheet import ABANDONED, FREE, OVER, SERVING, WAITING, Place, Sheet


def close_books(sheet: Sheet, position: int) -> None:
    """Bring all accounts of a day to its last fact, compare them, add up the rates."""
    ms = sheet.ms
    for ticket in sheet.tickets.values():
        if ticket.state in PRESENT:
            if sheet.closed:
                sheet.wrong(
                    "still_there", position, ticket.position,
                    ticket=ticket.id, state=ticket.state,
                )  # fmt: skip
            sheet.leave(ticket, ms)
    _little(sheet, position)
    for place in sheet.places.values():
        _window(sheet, place, position)
        _lindley(sheet, place, position)
    _accounted(sheet, position)
    _slips(sheet, position)
    rates = sheet.rates
    rates.days += 1
    rates.span_ms += ms - sheet.began
    rates.served_ms += sheet.sums[1]
    rates.held_ms += sheet.sums[2]
    for ticket in sheet.tickets.values():
        if ticket.service_ms:
            served, waited_ms, service_ms = rates.work.get(ticket.kind, (0, 0, 0))
            rates.work[ticket.kind] = (
                served + 1,
                waited_ms + ticket.wait_ms,
                service_ms + ticket.service_ms,
            )
            rates.served += 1
        elif not ticket.first_called and ticket.state in (ABANDONED, OVER):
            rates.left += 1
            rates.left_ms += ticket.wait_ms


def _little(sheet: Sheet, position: int) -> None:
    """I3: the integral of how many wait is the sum of how long they wait."""
    names = "little_waiting", "little_serving", "little_held"
    for what, area, sum in zip(names, sheet.areas, sheet.sums, strict=True):
        sheet.rates.little_ms += abs(area - sum)
        if area != sum:
            sheet.wrong(what, position, area=area, sum=sum)


def _window(sheet: Sheet, place: Place, position: int) -> None:
    """I4: the states of a window fill the day, and its busy time is its services'."""
    place.turn(place.state, sheet.ms)
    sheet.rates.free_ms += place.spent.get(FREE, 0)
    total, span = sum(place.spent.values()), sheet.ms - place.born
    if total != span:
        sheet.wrong("window_time", position, window=place.id, sum=total, span=span)
    busy = place.spent.get(SERVING, 0)
    if busy != place.services_ms:
        sheet.wrong(
            "window_busy", position, window=place.id, busy=busy, sum=place.services_ms
        )


def _accounted(sheet: Sheet, position: int) -> None:
    """I2 and I10: each ticket taken is somewhere, and each number was somebody's."""
    states: dict[str, list[int]] = {}  # Per prefix: called, waiting, gone uncalled.
    for ticket in sheet.tickets.values():
        prefix = ticket.id.rstrip("0123456789")
        sums = states.get(prefix)
        if sums is None:
            sums = states[prefix] = [0, 0, 0]
        if ticket.first_called:
            sums[0] += 1
        elif ticket.state == WAITING:
            sums[1] += 1
        elif ticket.state in (ABANDONED, OVER):
            sums[2] += 1
    for prefix, sums in states.items():
        issued = sheet.issued.get(prefix, 0)
        if sum(sums) != issued:
            sheet.wrong(
                "display_differs", position,
                prefix=prefix, issued=issued, found=sum(sums),
            )  # fmt: skip
    found = sum(map(sum, states.values()))
    if found != len(sheet.tickets):
        sheet.wrong("tickets_differ", position, counted=len(sheet.tickets), found=found)


def _slips(sheet: Sheet, position: int) -> None:
    """I8: counted from those who were slipped past, and from those who slipped."""
    calls = [t.first_called for t in sheet.tickets.values() if t.first_called]
    slips = _slips_in(calls)
    skips = _skips_in(calls)
    rates = sheet.rates
    rates.slips += sum(slips)
    rates.slipped += sum(1 for count in slips if count)
    rates.slip_max = max([rates.slip_max, *slips])
    if sum(slips) != sum(skips):
        sheet.wrong("slips_differ", position, slips=sum(slips), skips=sum(skips))


def _slips_in(calls: list[int]) -> list[int]:
    """For each visitor, in order of arrival: how many later ones were called before."""
    slips: list[int] = []
    later: list[int] = []
    for call in reversed(calls):
        place = bisect_left(later, call)
        slips.append(place)
        later.insert(place, call)
    return slips[::-1]


def _skips_in(calls: list[int]) -> list[int]:
    """For each visitor, in order of call: how many earlier ones were still waiting."""
    skips: list[int] = []
    called: list[int] = []
    for arrival, _ in sorted(enumerate(calls), key=lambda one: one[1]):
        skips.append(arrival - bisect_left(called, arrival))
        insort(called, arrival)
    return skips


def _lindley(sheet: Sheet, place: Place, position: int) -> None:
    """I12: where a window alone serves its lines in order, waits follow from waits.

    W' = max(0, W + S - (a' - a)), with S from the call until the window is free. A
    clerk who presses late makes a wait longer than that, and nothing makes it shorter.
    """
    if len(place.legs) < 2 or _shared(sheet, place):
        return
    came, called, free, _ = place.legs[0]
    for leg in place.legs[1:]:
        next_came, next_called, _, call = leg
        # Both came, were called once and in the order of the line.
        if came >= 0 and next_came >= came and free >= 0:
            due = max(0, (called - came) + (free - called) - (next_came - came))
            waited = next_called - next_came
            sheet.rates.lindley += 1
            sheet.rates.lindley_exact += waited == due
            if waited < due:
                sheet.wrong(
                    "too_early", call, position,
                    window=place.id, due=due, waited=waited,
                )  # fmt: skip
        came, called, free, _ = leg


def _shared(sheet: Sheet, place: Place) -> bool:
    """Whether another window was open for any of the window's items."""
    return sheet.weights.plain is False or any(
        other is not place and other.opened & place.opened
        for other in sheet.places.values()
    )
