"""What each fact does to a hall day, and which day a fact belongs to.

`apply` never refuses: what is in the log has happened. Rules look at a `Day`, readers
show it, and a replay of the log gives the same one, byte for byte (`digest`).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

import msgspec

from floor import facts
from floor.facts import Entry, Fact
from floor.lines import Stand, epoch_ms
from floor.state import DayState
from floor.streams import is_day
from floor.streams import setup_stream_of as setup_stream_of
from floor.streams import stream_of as stream_of
from floor.tickets import OPEN, line_of_clerk, line_of_window, then_after
from floor.tickets import Place as Place
from floor.tickets import Ticket as Ticket
from floor.tickets import TicketState as TicketState
from floor.tickets import WindowState as WindowState


class Day(DayState):
    """One business day of one hall, changed by its facts and by nothing else."""

    def apply(self, entry: Entry) -> None:
        """Let one fact happen. Facts come in log order, without a gap."""
        fact = entry.fact
        if entry.stream == self.stream:
            assert entry.version == self.version + 1, (
                f"Fact {entry.version} of {entry.stream} follows {self.version}."
            )
            self.version = entry.version
        self.position = fact.position
        self.last_at = fact.at
        if fact.command:
            self.done[fact.command] = entry
        CHANGES[type(fact)](self, fact)

    def _nothing(self, fact: Fact) -> None:
        """Known to scoring and to the devices page, not to the day."""

    def _published(self, fact: facts.CataloguePublished) -> None:
        self.publish(fact.catalogue)

    # Windows.

    def _opened(self, fact: facts.WindowOpened) -> None:
        self.places[fact.window] = Place(
            id=fact.window,
            state="free",
            clerk=fact.clerk,
            items=fact.items,
            since=fact.at,
        )

    def _paused(self, fact: facts.WindowPaused) -> None:
        self.turn(fact.window, "paused", fact.at, reason=fact.reason)

    def _resumed(self, fact: facts.WindowResumed) -> None:
        self.turn(fact.window, "free", fact.at)

    def _window_closed(self, fact: facts.WindowClosed) -> None:
        self.release(self.places[fact.window])
        self.places[fact.window] = Place(id=fact.window, since=fact.at)

    def _moved(self, fact: facts.ClerkMoved) -> None:
        left = self.places[fact.window]
        self.release(left, clerk=False)
        self.places[fact.window] = Place(id=fact.window, since=fact.at)
        self.places[fact.to] = msgspec.structs.replace(
            left, id=fact.to, items=fact.items
        )
        for id in (left.ticket, *left.held):
            if id:
                self.tickets[id].window = fact.to

    # Tickets.

    def _taken(self, fact: facts.TicketTaken) -> None:
        item, kind, at = fact.item, fact.kind, fact.at
        due_ms = epoch_ms(at)
        self.taken.setdefault(item, []).append(due_ms)
        self.join(
            Ticket(
                id=fact.ticket,
                item=item,
                kind=kind,
                taken_at=at,
                line=item,
                stand=Stand(due_ms, fact.position, kind),
                person=fact.person,
                then=fact.then,
            )
        )

    def _checked_in(self, fact: facts.AppointmentCheckedIn) -> None:
        kind: facts.Kind = "normal" if fact.late else "appointment"
        due_ms = epoch_ms(fact.due_at or fact.at)
        self.join(
            Ticket(
                id=fact.ticket,
                item=fact.item,
                kind=kind,
                taken_at=fact.at,
                line=fact.item,
                stand=Stand(due_ms, fact.position, kind),
                person=fact.person,
                then=fact.then,
            )
        )
        self.bookings.turn(fact.booking, "checked_in")

    def _called(self, fact: facts.TicketCalled) -> None:
        ticket = self.tickets[fact.ticket]
        self.lines[ticket.line].remove(ticket.id, ticket.stand)
        ticket.state, ticket.calls = "called", 1
        ticket.window, ticket.clerk = fact.window, fact.clerk
        ticket.called_at = ticket.recalled_at = fact.at
        self.turn(fact.window, "called", fact.at, ticket=ticket.id)
        self.remember_call(ticket.id)

    def _recalled(self, fact: facts.TicketRecalled) -> None:
        ticket = self.tickets[fact.ticket]
        ticket.calls += 1
        ticket.recalled_at = fact.at
        self.remember_call(ticket.id)

    def _call_undone(self, fact: facts.CallUndone) -> None:
        ticket = self.tickets[fact.ticket]
        self.turn(fact.window, "free", fact.at)
        if ticket.id in self.last_calls:
            self.last_calls.remove(ticket.id)
        self.wait(ticket, self.line_of(ticket), ticket.stand)

    def _no_show(self, fact: facts.NoShowDeclared) -> None:
        ticket = self.tickets[fact.ticket]
        ticket.state, ticket.ended_at = "no_show", fact.at
        self.turn(fact.window, "free", fact.at)

    def _requeued(self, fact: facts.TicketRequeued) -> None:
        ticket = self.tickets[fact.ticket]
        if ticket.state == "waiting":
            self.lines[ticket.line].remove(ticket.id, ticket.stand)
            ticket.defers += 1
        elif fact.window:
            self.let_go(fact.window, ticket.id, fact.at)
        else:
            ticket.returns += 1
        self.put(ticket, self.line_of(ticket), fact.place, fact.at, fact.position)

    def _abandoned(self, fact: facts.TicketAbandoned) -> None:
        ticket = self.tickets[fact.ticket]
        if ticket.state == "waiting":
            self.lines[ticket.line].remove(ticket.id, ticket.stand)
        elif ticket.state == "held":
            self.let_go(ticket.window, ticket.id, fact.at)
        ticket.state, ticket.ended_at = "abandoned", fact.at

    def _held(self, fact: facts.TicketHeld) -> None:
        self.tickets[fact.ticket].state = "held"
        self.turn(fact.window, "free", fact.at)
        self.places[fact.window].held += (fact.ticket,)

    def _returned(self, fact: facts.TicketReturned) -> None:
        self.let_go(fact.window, fact.ticket, fact.at)
        self.tickets[fact.ticket].state = "serving"
        self.turn(fact.window, "serving", fact.at, ticket=fact.ticket)

    def _started(self, fact: facts.ServiceStarted) -> None:
        ticket = self.tickets[fact.ticket]
        ticket.state, ticket.started_at = "serving", fact.at
        self.turn(fact.window, "serving", fact.at, ticket=ticket.id)

    def _finished(self, fact: facts.ServiceFinished) -> None:
        ticket = self.tickets[fact.ticket]
        ticket.state, ticket.ended_at = "served", fact.at
        self.turn(fact.window, "free", fact.at)
        self.places[fact.window].last = ticket.id

    def _transferred(self, fact: facts.TicketTransferred) -> None:
        ticket = self.tickets[fact.ticket]
        self.let_go(fact.window, ticket.id, fact.at)
        line = fact.item
        if fact.to_window:
            line = line_of_window(fact.to_window)
        elif fact.to_clerk:
            line = line_of_clerk(fact.to_clerk)
        if fact.item != ticket.item:
            ticket.item, ticket.then = fact.item, then_after(ticket.then, fact.item)
        if fact.front:
            self.put(ticket, line, 0, fact.at, fact.position)
            ticket.placed = True
        else:
            self.rejoin(ticket, line, fact.at, fact.position)

    def _continued(self, fact: facts.TicketContinued) -> None:
        ticket = self.tickets[fact.ticket]
        ticket.item, ticket.then = fact.item, then_after(ticket.then, fact.item)
        self.rejoin(ticket, fact.item, fact.at, fact.position)

    def _invited(self, fact: facts.EvaluationInvited) -> None:
        self.tickets[fact.ticket].invited = True

    def _rated(self, fact: facts.EvaluationGiven) -> None:
        self.tickets[fact.ticket].level = fact.level

    # Appointments and the hall.

    def _booked(self, fact: facts.AppointmentBooked) -> None:
        self.bookings.book(fact, self.catalogue.business_date(fact.slot_at))

    def _cancelled(self, fact: facts.AppointmentCancelled) -> None:
        self.bookings.turn(fact.booking, "cancelled")

    def _missed(self, fact: facts.AppointmentMissed) -> None:
        self.bookings.turn(fact.booking, "missed")

    def _closed(self, fact: facts.HallClosed) -> None:
        self.closed = True
        for ticket in self.tickets.values():
            if ticket.state in OPEN:
                ticket.state, ticket.ended_at = "closed", fact.at
        for line in self.lines.values():
            line.clear()
        for id, place in self.places.items():
            if place.state != "closed":
                self.places[id] = Place(id=id, since=fact.at)

    def _reopened(self, fact: facts.HallReopened) -> None:
        self.closed = False

    def _was_sealed(self, fact: facts.DaySealed) -> None:
        self.sealed = self.version


#: What each fact does; a test holds that none is forgotten.
CHANGES: dict[type[Fact], Callable[[Day, Any], None]] = {
    facts.CataloguePublished: Day._published,
    facts.WindowOpened: Day._opened,
    facts.WindowPaused: Day._paused,
    facts.WindowResumed: Day._resumed,
    facts.WindowClosed: Day._window_closed,
    facts.ClerkMoved: Day._moved,
    facts.TicketTaken: Day._taken,
    facts.AppointmentBooked: Day._booked,
    facts.AppointmentCancelled: Day._cancelled,
    facts.AppointmentMissed: Day._missed,
    facts.AppointmentCheckedIn: Day._checked_in,
    facts.TicketCalled: Day._called,
    facts.TicketRecalled: Day._recalled,
    facts.CallUndone: Day._call_undone,
    facts.NoShowDeclared: Day._no_show,
    facts.TicketRequeued: Day._requeued,
    facts.TicketAbandoned: Day._abandoned,
    facts.TicketHeld: Day._held,
    facts.TicketReturned: Day._returned,
    facts.ServiceStarted: Day._started,
    facts.ServiceFinished: Day._finished,
    facts.TicketTransferred: Day._transferred,
    facts.TicketContinued: Day._continued,
    facts.EvaluationInvited: Day._invited,
    facts.EvaluationGiven: Day._rated,
    facts.EvaluationLapsed: Day._nothing,
    facts.DeviceLost: Day._nothing,
    facts.DeviceRestored: Day._nothing,
    facts.ClockStepped: Day._nothing,
    facts.OutageDeclared: Day._nothing,
    facts.HallClosed: Day._closed,
    facts.HallReopened: Day._reopened,
    facts.DaySealed: Day._was_sealed,
}


def advance(day: Day | None, entry: Entry) -> Day:
    """The day after a fact: the same one, or a new one where the fact begins it.

    Folding this over a hall's log, in order of position, gives each of its days with
    the catalogue that was in force.

    Raises:
        ValueError: the log does not begin with a catalogue.
    """
    fact = entry.fact
    if day is None:
        if not isinstance(fact, facts.CataloguePublished):
            raise ValueError("The log does not begin with a published catalogue.")
        day = Day(fact.catalogue, fact.catalogue.business_date(fact.at))
    elif entry.stream != day.stream:
        in_force = day.catalogue
        if isinstance(fact, facts.CataloguePublished):
            in_force = fact.catalogue
        if is_day(entry.stream):
            date_of = date.fromisoformat(entry.stream.rpartition("/")[2])
        else:
            # A catalogue or a booking made on a later date is the next day's: what
            # is over stays as it was.
            date_of = in_force.business_date(fact.at)
        if is_day(entry.stream) or date_of > day.date:
            day = Day(in_force, date_of, day.bookings)
    day.apply(entry)
    return day


def days(entries: Iterable[Entry]) -> Iterator[Day]:
    """Each business day of a log as it stood at its last fact, in order."""
    day: Day | None = None
    for entry in entries:
        before, day = day, advance(day, entry)
        if before is not None and before is not day and before.version:
            yield before
    if day is not None and day.version:
        yield day
