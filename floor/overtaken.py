"""Who was called before whom (被超越): the calls of a day, and who waited meanwhile.

A ticket is overtaken when one that came after it is called while it waits, at a window
that could have called it at that instant. Kept fact by fact beside the day, so that an
answer looks at the calls of one wait and never reads a whole day again.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Literal

import msgspec

from floor import facts
from floor.catalogue import Catalogue
from floor.day import Day, advance
from floor.facts import Because, Entry, Fact, Kind
from floor.policies import callable_lines
from floor.refusals import Unusable

#: Why a ticket stands where it does, when not where it came.
Put = Literal["", "returned", "deferred", "given_back", "transferred"]


#: After all other facts everybody stands where they stood, or is at a window already.
HEARD: frozenset[type[Fact]] = frozenset(
    [
        facts.TicketTaken,
        facts.AppointmentCheckedIn,
        facts.TicketCalled,
        facts.CallUndone,
        facts.TicketRequeued,
        facts.TicketAbandoned,
        facts.TicketTransferred,
        facts.TicketContinued,
        facts.WindowClosed,
        facts.ClerkMoved,
        facts.HallClosed,
    ]
)


class Coming(msgspec.Struct, kw_only=True):
    """How a ticket came into the line where it stands, or stood last.

    came: position of the fact with which it came: taken, checked in, transferred,
        continued, or back from a no-show.
    slot_at: of its appointment; `late` when it came after the grace time, and then
        counted as if it had come at `due_at`.
    put, put_by: what put it elsewhere in the line, and the window that did.
    """

    came: int
    kind: Kind
    ground: str = ""
    slot_at: datetime | None = None
    due_at: datetime | None = None
    late: bool = False
    put: Put = ""
    put_by: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call, with all that its reason is told from.

    coming: of the called ticket, as it was then.
    items, also: the lines that the window could have called from: of its own items,
        and of those that it helped with or whose tickets were sent there.
    catalogue: the one in force.
    """

    position: int
    at: datetime
    ticket: str
    window: str
    item: str
    because: Because
    by_hand: bool
    reason: str
    coming: Coming
    items: frozenset[str]
    also: frozenset[str]
    catalogue: Catalogue

    def could_have_called(self, line: str) -> bool:
        """Whether the window could have called a ticket of this line instead."""
        return line in self.items or line in self.also


class Wait(msgspec.Struct, kw_only=True):
    """A stretch of waiting in one line, between the facts at two positions.

    until: 0 while it goes on.
    coming: of the waiting ticket, as it was then.
    """

    line: str
    since: int
    coming: Coming
    until: int = 0


class Overtaken(msgspec.Struct, frozen=True, kw_only=True):
    """One call that overtook a ticket.

    mine: how the overtaken ticket stood then.
    """

    call: Call
    mine: Coming


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened before a ticket was called.

    earlier: calls, at windows that could have called it, of tickets that came before.
    elsewhere: calls of later ones at windows that could not have called it.
    """

    ticket: str
    overtaken: tuple[Overtaken, ...]
    earlier: int
    elsewhere: int


class Calls:
    """The calls and waits of the day that a feed or a log has come to."""

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, date: date | None) -> None:
        self._date = date
        self._calls: list[Call] = []
        self._undone: set[int] = set()
        # Each window's items once, and not once for each of thousands of calls.
        self._items: dict[tuple[str, ...], frozenset[str]] = {}
        self._comings: dict[str, Coming] = {}
        self._waits: dict[str, list[Wait]] = {}

    def hear(self, day: Day, entry: Entry | None) -> None:
        """Take in a fact; `day` is the one right after it, as a feed shows it."""
        if day.date != self._date:
            self._begin(day.date)
        if entry is None or type(entry.fact) not in HEARD:
            return
        fact = entry.fact
        self._come(fact)
        if isinstance(fact, facts.TicketCalled):
            self._calls.append(self._call(day, fact))
        elif isinstance(fact, facts.CallUndone):
            self._undo(fact)
        self._follow(day, fact)

    def answer(self, ticket: str) -> Answer:
        """Everything called while a ticket waited; empty for one that never did."""
        overtaken: list[Overtaken] = []
        earlier = elsewhere = 0
        for wait in self._waits.get(ticket, ()):
            for call in self._between(wait):
                before = call.coming.came < wait.coming.came
                if not call.could_have_called(wait.line):
                    elsewhere += not before
                elif before:
                    earlier += 1
                else:
                    overtaken.append(Overtaken(call=call, mine=wait.coming))
        return Answer(
            ticket=ticket,
            overtaken=tuple(overtaken),
            earlier=earlier,
            elsewhere=elsewhere,
        )

    def _between(self, wait: Wait) -> Iterator[Call]:
        first = bisect_right(self._calls, wait.since, key=lambda call: call.position)
        for call in self._calls[first:]:
            # The call with which the wait ended is the ticket's own.
            if wait.until and call.position >= wait.until:
                return
            if call.position not in self._undone:
                yield call

    def _come(self, fact: Fact) -> None:
        match fact:
            case facts.TicketTaken(ticket=ticket, kind=kind, ground=ground):
                self._comings[ticket] = Coming(
                    came=fact.position, kind=kind, ground=ground
                )
            case facts.AppointmentCheckedIn(ticket=ticket, late=late):
                self._comings[ticket] = Coming(
                    came=fact.position,
                    kind="normal" if late else "appointment",
                    slot_at=fact.slot_at,
                    due_at=fact.due_at or fact.at,
                    late=late,
                )
            case facts.TicketTransferred(ticket=ticket, window=window):
                self._put(ticket, "transferred", window, fact.position)
            case facts.TicketContinued(ticket=ticket):
                self._put(ticket, "", "", fact.position)
            case facts.TicketRequeued(ticket=ticket, window=window):
                waiting = any(not w.until for w in self._waits.get(ticket, ()))
                if waiting:
                    self._put(ticket, "deferred")
                elif window:
                    self._put(ticket, "given_back", window)
                else:
                    self._put(ticket, "returned", "", fact.position)

    def _put(self, ticket: str, put: Put, by: str = "", came: int = 0) -> None:
        """The ticket stands elsewhere from now; what waits before knew the old one."""
        known = self._comings[ticket]
        self._comings[ticket] = msgspec.structs.replace(
            known, put=put, put_by=by, came=came or known.came
        )

    def _call(self, day: Day, fact: facts.TicketCalled) -> Call:
        called = day.tickets[fact.ticket]
        place = day.places[fact.window]
        if place.items not in self._items:
            self._items[place.items] = frozenset(place.items)
        items = self._items[place.items]
        lines = {id for id, _, _ in callable_lines(day, place)}
        # The day is the one after the call: its line may now be too short to help.
        lines.add(called.line)
        return Call(
            position=fact.position,
            at=fact.at,
            ticket=fact.ticket,
            window=fact.window,
            item=called.item,
            because=fact.because,
            by_hand=fact.policy == "by_hand",
            reason=fact.reason,
            coming=self._comings[fact.ticket],
            items=items,
            also=frozenset(lines - items),
            catalogue=day.catalogue,
        )

    def _undo(self, fact: facts.CallUndone) -> None:
        for call in reversed(self._calls):
            if call.ticket == fact.ticket:
                self._undone.add(call.position)
                return

    def _follow(self, day: Day, fact: Fact) -> None:
        """Begin and end waits by what the fact did to the day."""
        if isinstance(
            fact, facts.WindowClosed | facts.ClerkMoved | facts.HallClosed
        ):  # These move or end whole lines.
            for ticket in self._waits:
                self._turn(day, ticket, fact.position)
        elif (ticket := getattr(fact, "ticket", "")) in self._comings:
            self._turn(day, ticket, fact.position)

    def _turn(self, day: Day, id: str, position: int) -> None:
        ticket = day.tickets[id]
        waits = self._waits.setdefault(id, [])
        coming = self._comings[id]
        if waits and not waits[-1].until:
            last = waits[-1]
            waiting = ticket.state == "waiting" and last.line == ticket.line
            if waiting and last.coming is coming:
                return
            last.until = position
        if ticket.state == "waiting":
            waits.append(Wait(line=ticket.line, since=position, coming=coming))


class NothingRecorded(Unusable):
    """The log does not know such a day."""


def recorded(entries: Iterable[Entry], date: date | None) -> tuple[Day, Calls]:
    """A business day as it stood at its end, and its calls; the last day for None.

    Args:
        entries: of one hall, in order of position, from a catalogue on.
        date: of a day that has facts.

    Raises:
        NothingRecorded: there is no such day.
    """
    day: Day | None = None
    calls = Calls()
    for entry in entries:
        after = advance(day, entry)
        if date is not None and day is not None and after.date > date == day.date:
            break
        day = after
        calls.hear(day, entry)
    if day is None or (date is not None and day.date != date) or not day.version:
        raise NothingRecorded(
            f"日志中没有 {date or '任何一天'} 的记录",
            f"The log has no facts of {date or 'any day'}",
        )
    return day, calls
