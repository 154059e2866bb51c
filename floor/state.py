"""A hall day at one instant: what is so, and what readers ask about it."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import partial
from heapq import merge
from itertools import takewhile
from operator import itemgetter

import msgspec

from floor.bookings import Booked, Bookings
from floor.catalogue import Catalogue, Item, Window
from floor.facts import Entry
from floor.lines import Line, Stand, Weighing, epoch_ms, stand_at
from floor.streams import stream_of
from floor.tickets import (
    OPEN,
    Place,
    Ticket,
    WindowState,
    line_of_clerk,
    line_of_window,
)


class DayState:
    """One business day of one hall.

    Attributes:
        stream: name of the day's stream in the log, `hall-1/2026-11-22`.
        version, position: numbers of the last fact applied; 0 before the first.
        open_spans, ends_at: the hall's hours on this day, and when it is over.
        sealed: how many facts of the stream the last seal covers, itself included.
        tickets: by number, in the order they were taken.
        lines: where tickets wait: of each item, and of windows and clerks alone.
        persons: the tickets of each person, by keyed hash.
        taken: when tickets of an item were taken without an appointment, ms since 1970.
        bookings: appointments, of other days as well.
        last_calls: numbers of the tickets called last, newest first.
        done: id of each command carried out today, with the fact it caused.
    """

    LAST_CALLS_MAX = 20

    def __init__(
        self, catalogue: Catalogue, date: date, bookings: Bookings | None = None
    ) -> None:
        self.date = date
        self.stream = stream_of(catalogue.hall, date)
        self.version = 0
        self.position = 0
        self.sealed = 0
        self.last_at: datetime | None = None
        self.closed = False
        self.tickets: dict[str, Ticket] = {}
        self.places: dict[str, Place] = {}
        self.lines: dict[str, Line] = {}
        self.persons: dict[str, list[str]] = {}
        self.taken: dict[str, list[int]] = {}
        self.issued: dict[str, int] = {}
        self.last_calls: list[str] = []
        self.done: dict[str, Entry] = {}
        self.bookings = bookings.kept(date) if bookings else Bookings()
        self.publish(catalogue)

    def publish(self, catalogue: Catalogue) -> None:
        """Take a catalogue into use; what is under way stays as it is."""
        self.catalogue = catalogue
        self.weighing = Weighing(catalogue.policy)
        self._begins_ms = epoch_ms(catalogue.begins_at(self.date))
        self.open_spans = catalogue.open_spans(self.date)
        self.ends_at = catalogue.ends_at(self.date)
        self.items: dict[str, Item] = {item.id: item for item in catalogue.items}
        self.windows: dict[str, Window] = {w.id: w for w in catalogue.windows}
        for window in catalogue.windows:
            place = self.places.setdefault(window.id, Place(id=window.id))
            if place.state != "closed":
                place.items = window.items
        for item in catalogue.items:
            self.lines.setdefault(item.id, Line())

    # ── What readers ask ────────────────────────────────────────────────────

    def waiting(self, items: Iterable[str]) -> Iterator[Ticket]:
        """The tickets waiting for any of these items, as they would be called now."""
        at_ms = self._now_ms()
        lines = (self.lines[item].in_order(self.weighing, at_ms) for item in items)
        in_order = merge(*lines, key=itemgetter(0))
        return (self.tickets[id] for _, id in in_order)

    def ahead(self, ticket: Ticket) -> int:
        """How many tickets of its line will be called before this one."""
        if ticket.state != "waiting":
            return 0
        line = self.lines[ticket.line]
        return line.ahead_of(ticket.stand, self.weighing, self._now_ms())

    def due_before(self, ticket: Ticket, at: datetime) -> int:
        """How many of its line go first and are due (`lines.stand_at`)."""
        at_ms = epoch_ms(at)
        order = self.lines[ticket.line].in_order(self.weighing, at_ms)
        first = takewhile(lambda weighed: weighed[1] != ticket.id, order)
        return sum(urgency[-1].due_ms <= at_ms for urgency, _ in first)

    def windows_for(self, item: str) -> list[str]:
        """Windows where the item can be handled now; all that ever do if none is."""
        able = [window.id for window in self.windows.values() if item in window.items]
        at_work = [id for id in able if self.places[id].state != "closed"]
        return at_work or able

    def own_lines(self, place: Place) -> Iterator[str]:
        """Lines of tickets that were sent to this window or its clerk."""
        for id in (line_of_window(place.id), line_of_clerk(place.clerk)):
            if id in self.lines:
                yield id

    def open_of(self, person: str) -> list[Ticket]:
        """The person's tickets of today that are not over."""
        tickets = (self.tickets[id] for id in self.persons.get(person, ()))
        return [ticket for ticket in tickets if ticket.state in OPEN]

    def line_of(self, ticket: Ticket) -> str:
        """Where it waits again: the window or clerk it was sent to may have left."""
        if ticket.line == ticket.item:
            return ticket.item
        at_work = (place for place in self.places.values() if place.state != "closed")
        sent_to = {
            line
            for place in at_work
            for line in (line_of_window(place.id), line_of_clerk(place.clerk))
        }
        return ticket.line if ticket.line in sent_to else ticket.item

    def taken_in_slot(self, item: str, at: datetime) -> int:
        """Tickets taken without an appointment in the time slot of this instant.

        Slots are counted from the beginning of the hall's own day.
        """
        taken = self.taken.get(item, [])
        slot_ms = self.catalogue.taking.slot_s * 1000
        begins_ms = self._begins_ms
        since_ms = (epoch_ms(at) - begins_ms) // slot_ms * slot_ms + begins_ms
        return len(taken) - bisect_left(taken, since_ms)

    def missing(self) -> list[Booked]:
        """Those who booked for this day and have not come."""
        return [b for b in self.bookings.on(self.date) if b.state == "booked"]

    def _now_ms(self) -> int:
        return epoch_ms(self.last_at) if self.last_at else 0

    def state(self) -> dict[str, object]:
        """All of the day as plain values; equal days give equal states."""
        return {
            "stream": self.stream,
            "version": self.version,
            "position": self.position,
            "sealed": self.sealed,
            "last_at": self.last_at,
            "closed": self.closed,
            "catalogue": self.catalogue,
            "tickets": self.tickets,
            "places": self.places,
            "lines": {id: line.state() for id, line in self.lines.items() if line},
            "persons": self.persons,
            "taken": self.taken,
            "issued": self.issued,
            "bookings": self.bookings.state(self.date),
            "last_calls": self.last_calls,
            "done": {id: entry.version for id, entry in self.done.items()},
        }

    def digest(self) -> str:
        """SHA-256 of the state, for comparing a replay with what was live."""
        state = msgspec.json.encode(self.state(), order="sorted")
        return hashlib.sha256(state).hexdigest()

    # ── How it changes; called by the facts alone ───────────────────────────────

    def turn(
        self,
        window: str,
        state: WindowState,
        at: datetime,
        ticket: str = "",
        reason: str = "",
    ) -> None:
        place = self.places[window]
        place.state, place.since = state, at
        place.ticket, place.reason = ticket, reason

    def let_go(self, window: str, ticket: str, at: datetime) -> None:
        """The window has the ticket no more, neither in hand nor on hold."""
        place = self.places[window]
        if place.ticket == ticket:
            self.turn(window, "free", at)
        place.held = tuple(id for id in place.held if id != ticket)

    def join(self, ticket: Ticket) -> None:
        """A new ticket comes into the hall and waits."""
        prefix = ticket.id.rstrip("0123456789")
        self.issued[prefix] = int(ticket.id[len(prefix) :])
        self.tickets[ticket.id] = ticket
        if ticket.person:
            self.persons.setdefault(ticket.person, []).append(ticket.id)
        self.lines[ticket.line].add(ticket.id, ticket.stand)

    def rejoin(self, ticket: Ticket, line: str, at: datetime, turn: int) -> None:
        """Wait as if it came to this line now."""
        ticket.placed = False
        self.wait(ticket, line, Stand(epoch_ms(at), turn, ticket.kind))

    def put(
        self, ticket: Ticket, line: str, place: int, at: datetime, turn: int
    ) -> None:
        """Wait behind so many of a line, wherever its kind would stand."""
        at_ms = epoch_ms(at)
        own = Stand(at_ms, turn, ticket.kind)
        to = self.lines.setdefault(line, Line())
        stand = stand_at(to, place, own, self.weighing, at_ms)
        if place == 0:
            # Its old stand may be better still, so that nobody goes first who came
            # later to another line of the window.
            by_urgency = partial(self.weighing.urgency, at_ms=at_ms)
            stand = min(stand, ticket.stand, key=by_urgency)
        if stand is not ticket.stand:
            ticket.placed = stand is not own
        self.wait(ticket, line, stand)

    def wait(self, ticket: Ticket, line: str, stand: Stand) -> None:
        ticket.line, ticket.stand, ticket.state = line, stand, "waiting"
        ticket.window = ticket.clerk = ""
        ticket.calls = 0
        ticket.called_at = ticket.recalled_at = None
        ticket.started_at = ticket.ended_at = None
        self.lines.setdefault(line, Line()).add(ticket.id, stand)

    def release(self, place: Place, *, clerk: bool = True) -> None:
        """Whoever was sent to a window or clerk that leaves waits for any again."""
        lines = list(self.own_lines(place)) if clerk else [line_of_window(place.id)]
        for id in lines:
            line = self.lines.pop(id, None)
            for ticket in [self.tickets[id] for id in line] if line else ():
                self.wait(ticket, ticket.item, ticket.stand)

    def remember_call(self, ticket: str) -> None:
        last = self.last_calls
        if ticket in last:
            last.remove(ticket)
        elif len(last) == self.LAST_CALLS_MAX:
            last.pop()
        last.insert(0, ticket)
