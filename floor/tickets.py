"""A ticket and a window, as they are at one instant of a hall day."""

from datetime import datetime
from typing import Literal

import msgspec

from floor.facts import Kind, Level
from floor.lines import Stand

TicketState = Literal[
    "waiting", "called", "serving", "held", "served", "no_show", "abandoned", "closed"
]
WindowState = Literal["closed", "free", "called", "serving", "paused"]

#: States in which a visitor still has something to come.
OPEN: frozenset[TicketState] = frozenset({"waiting", "called", "serving", "held"})


class Ticket(msgspec.Struct, kw_only=True, gc=False):
    """A ticket (票号) and where it is on its way through the hall.

    item: of the present leg of the visit; `then` are the ones to follow.
    line: where it waits, or waited last: an item, or one window or clerk alone.
    stand: its place in that line.
    placed: whether it stands where it was put, and not where it came.
    calls, called_at, recalled_at: to the present window, the last call in all.
    returns, defers: how often it came back after a no-show, or was put off.
    """

    id: str
    item: str
    kind: Kind
    taken_at: datetime
    line: str
    stand: Stand
    person: str = ""
    then: tuple[str, ...] = ()
    placed: bool = False
    state: TicketState = "waiting"
    window: str = ""
    clerk: str = ""
    calls: int = 0
    called_at: datetime | None = None
    recalled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    returns: int = 0
    defers: int = 0
    invited: bool = False
    level: Level | None = None

    @property
    def turn(self) -> int:
        """Its place in the order of the hall, smaller is earlier."""
        return self.stand.turn


class Place(msgspec.Struct, kw_only=True, gc=False):
    """A window on this day: who sits there and what is in hand.

    held: tickets put on hold here, in the order of putting.
    last: the ticket that this clerk served last.
    since: when its present state began; None before it was first opened.
    """

    id: str
    state: WindowState = "closed"
    clerk: str = ""
    items: tuple[str, ...] = ()
    ticket: str = ""
    held: tuple[str, ...] = ()
    reason: str = ""
    last: str = ""
    since: datetime | None = None


def line_of_window(window: str) -> str:
    """The line of those whom only this window may call."""
    return f"window:{window}"


def then_after(then: tuple[str, ...], item: str) -> tuple[str, ...]:
    """What of a visit is still to come at this item; a detour leaves all of it."""
    return then[then.index(item) + 1 :] if item in then else then


def line_of_clerk(clerk: str) -> str:
    """The line of those whom only this clerk may call."""
    return f"clerk:{clerk}"
