"""Call policies (叫号策略): which waiting ticket is next for a window.

A policy is a pure function of the day and the items of a window. The name of the one
that chose a ticket is kept in its `TicketCalled`.
"""

from collections.abc import Callable, Iterable

from floor.day import Day, Ticket

Policy = Callable[[Day, Iterable[str]], Ticket | None]


def first_come(day: Day, items: Iterable[str]) -> Ticket | None:
    """先来先叫: the ticket that has the earliest turn over all items of the window."""
    heads = (next(iter(day.lines.get(item, {})), None) for item in items)
    waiting = (day.tickets[head] for head in heads if head is not None)
    return min(waiting, key=lambda ticket: ticket.turn, default=None)


POLICIES: dict[str, Policy] = {"first_come": first_come}
