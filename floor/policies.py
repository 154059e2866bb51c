"""Which waiting ticket is next for a window, and why it is that one.

The policy itself is data (`catalogue.policy`): the next ticket is the most urgent of
all that stand in the lines of the window. What is said of the choice is kept in its
`TicketCalled`, so that whoever was overtaken gets an answer.
"""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from operator import itemgetter

import msgspec

from floor.facts import Because
from floor.lines import Line, Urgency, epoch_ms
from floor.state import DayState
from floor.tickets import Place, Ticket


class Choice(msgspec.Struct, frozen=True):
    """A ticket that was chosen, and what it was chosen over."""

    ticket: Ticket
    because: Because
    passed: int


def callable_lines(day: DayState, place: Place) -> Iterator[tuple[str, Line, int]]:
    """The lines that a window may call from now, each with its weight there.

    Its own items, those it helps with while enough wait, and whoever was sent to it.
    """
    window = day.windows.get(place.id)
    weights = window.weights if window else {}
    for item in place.items:
        line = day.lines.get(item)
        if line:
            yield item, line, weights.get(item, 1)
    for item, threshold in window.helps.items() if window else ():
        line = day.lines.get(item)
        if line and len(line) >= threshold:
            yield item, line, weights.get(item, 1)
    for id in day.own_lines(place):
        if day.lines[id]:
            yield id, day.lines[id], 1


def choose(day: DayState, place: Place, at: datetime) -> Choice | None:
    """The next ticket of a window; None when nobody waits for it."""
    at_ms = epoch_ms(at)
    lines = list(callable_lines(day, place))
    best: tuple[Urgency, str] | None = None
    for _, line, weight in lines:
        for stand, id in line.heads():
            urgency = day.weighing.urgency(stand, at_ms, weight)
            if best is None or urgency < best[0]:
                best = urgency, id
    if best is None:
        return None
    ticket = day.tickets[best[1]]
    passed = sum(line.before(ticket.stand) for _, line, _ in lines)
    return Choice(ticket, _because(day, ticket, lines, passed, at_ms), passed)


def chosen_over(day: DayState, place: Place, ticket: Ticket) -> int | None:
    """How many a waiting ticket would pass here; None if it may not be called here."""
    lines = list(callable_lines(day, place))
    if not any(id == ticket.line for id, _, _ in lines):
        return None
    return sum(line.before(ticket.stand) for _, line, _ in lines)


def in_order(day: DayState, place: Place, at: datetime) -> Iterator[Ticket]:
    """All that the window may call, as it would call them now, most urgent first."""
    at_ms = epoch_ms(at)
    lines = [
        line.in_order(day.weighing, at_ms, weight)
        for _, line, weight in callable_lines(day, place)
    ]
    merged = merge(*lines, key=itemgetter(0))
    return (day.tickets[id] for _, id in merged)


def _because(
    day: DayState,
    ticket: Ticket,
    lines: list[tuple[str, Line, int]],
    passed: int,
    at_ms: int,
) -> Because:
    if ticket.placed:
        return "placed"
    if ticket.line != ticket.item:
        return "sent"
    if not passed:
        booked = ticket.stand.due_ms < epoch_ms(ticket.taken_at)
        return "booked" if booked else "first"
    # It passed others by its kind, unless it took what its item weighs here as well.
    heads = (stand for _, line, _ in lines for stand, _ in line.heads())
    unweighted = min(day.weighing.urgency(stand, at_ms) for stand in heads)
    return "kind" if unweighted[-1] == ticket.stand else "weight"
