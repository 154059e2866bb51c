"""From facts to visits: what each ticket and each window went through on a day.

One pass over the log, one business day in memory at a time. Nothing is judged here;
every moment keeps the number of its fact, so that whatever is concluded later can
name its evidence. No struct here can be part of a cycle, so none is tracked by the
garbage collector, whose pauses would be felt at the windows while a page is computed.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Literal

import msgspec

from floor import facts
from floor.catalogue import Catalogue, Item
from floor.facts import Entry, Kind, Level
from floor.streams import is_day

# "" is a visit that is not over.
VisitOutcome = Literal[
    "",
    "done",
    "not_done",
    "unrecorded",
    "no_show",
    "abandoned",
    "transferred",
    "closed",
]


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When something happened, and the number of the fact that says so."""

    at: datetime
    position: int


class Span(msgspec.Struct, gc=False):
    """From one fact to another; `to` is None while it lasts."""

    since: Moment
    to: Moment | None = None


class Round(msgspec.Struct, kw_only=True, gc=False):
    """A call of a ticket to a window (叫号), its recalls, and how it ended.

    answered: service started, no-show, transferred, or the hall closed.
    no_show: whether it ended because the visitor was declared absent.
    """

    window: str
    clerk: str
    policy: str
    reason: str
    called: Moment
    recalls: list[Moment] = msgspec.field(default_factory=list)
    answered: Moment | None = None
    no_show: bool = False


class Visit(msgspec.Struct, kw_only=True, gc=False):
    """One ticket's way through one item; a transfer begins another leg.

    leg: 1 for the item the ticket was taken for.
    wait_ms_max, service_ms_max: what the item promised when the leg began.
    taken: taken, checked in, or transferred here.
    waits_from: when waiting begins to count: never before a booked slot.
    in_line: each stay in the waiting line; a second one after a no-show came back.
    rounds: each call to a window; the first one ends the wait that is assessed.
    held: while the visitor fetched something (挂起); no service time.
    implied: the next call finished the service, not the clerk's own key.
    """

    ticket: str
    leg: int
    item: str
    kind: Kind
    wait_ms_max: int
    service_ms_max: int
    taken: Moment
    waits_from: datetime
    in_line: list[Span]
    rounds: list[Round] = msgspec.field(default_factory=list)
    started: Moment | None = None
    held: list[Span] = msgspec.field(default_factory=list)
    ended: Moment | None = None
    outcome: VisitOutcome = ""
    implied: bool = False
    invited: Moment | None = None
    rated: Moment | None = None
    level: Level | None = None

    @property
    def window(self) -> str:
        """The window it was last called to; empty before the first call."""
        return self.rounds[-1].window if self.rounds else ""

    @property
    def clerk(self) -> str:
        return self.rounds[-1].clerk if self.rounds else ""

    @property
    def served(self) -> bool:
        return self.outcome in ("done", "not_done", "unrecorded")


class Session(msgspec.Struct, kw_only=True, gc=False):
    """A window from opening to closing under one clerk.

    free: when it could have called and did not.
    paused: when it was on pause.
    """

    window: str
    clerk: str
    items: tuple[str, ...]
    opened: Moment
    closed: Moment | None = None
    free: list[Span] = msgspec.field(default_factory=list)
    paused: list[Span] = msgspec.field(default_factory=list)

    @property
    def state(self) -> Literal["free", "busy", "paused"]:
        """What the clerk is doing at the end of what is known."""
        if self.free and self.free[-1].to is None:
            return "free"
        return "paused" if self.paused and self.paused[-1].to is None else "busy"

    def turn(
        self, state: Literal["free", "busy", "paused", "closed"], at: Moment
    ) -> None:
        """Leave the present state for another one."""
        for spans in (self.free, self.paused):
            if spans and spans[-1].to is None:
                spans[-1].to = at
        match state:
            case "free":
                self.free.append(Span(at))
            case "paused":
                self.paused.append(Span(at))
            case "closed":
                self.closed = at


class HallDay:
    """All visits and window sessions of one business day, and its outages.

    Attributes:
        catalogue: the last one published on or before this day.
        over_at: when the next business day began; None for the last day of the log.
    """

    def __init__(self, stream: str, catalogue: Catalogue) -> None:
        self.stream = stream
        self.date = date.fromisoformat(stream.rpartition("/")[2])
        self.visits: list[Visit] = []
        self.sessions: list[Session] = []
        self.outages: list[tuple[datetime, datetime]] = []
        self.over_at: datetime | None = None
        self._visit: dict[str, Visit] = {}
        self._session: dict[str, Session] = {}
        self._items: dict[str, Item] = {}
        self.publish(catalogue)

    def publish(self, catalogue: Catalogue, at: Moment | None = None) -> None:
        """Take a catalogue into use; what is under way keeps its promises."""
        self.catalogue = catalogue
        self._items.update({item.id: item for item in catalogue.items})
        if at is None:
            return
        for window in catalogue.windows:
            session = self._session.get(window.id)
            if session is not None and session.items != window.items:
                self._continue(session, window.id, window.items, at)

    def add(self, fact: facts.Fact) -> None:
        """Let one fact of the day happen; facts come in order of position."""
        at = Moment(fact.at, fact.position)
        match fact:
            case facts.TicketTaken() | facts.AppointmentCheckedIn():
                self._take(fact, at)
            case facts.TicketCalled():
                self._call(fact, at)
            case facts.TicketRecalled():
                self._visit[fact.ticket].rounds[-1].recalls.append(at)
            case facts.NoShowDeclared():
                self._answer(fact.ticket, at).no_show = True
                self._end(fact.ticket, "no_show", at)
                self._session[fact.window].turn("free", at)
            case facts.TicketRequeued():
                visit = self._visit[fact.ticket]
                visit.outcome, visit.ended = "", None
                # One that is only put further back has been waiting all along.
                if visit.in_line[-1].to is not None:
                    visit.in_line.append(Span(at))
                if fact.window:  # Given back unserved by a window that closes.
                    self._answer(fact.ticket, at)
                    visit.started = None
                    if not self._end_hold(visit, at):
                        self._session[fact.window].turn("free", at)
            case facts.CallUndone():
                # A wrong call taken back is no call; the wait goes on.
                visit = self._visit[fact.ticket]
                visit.rounds.pop()
                visit.in_line[-1].to = None
                self._session[fact.window].turn("free", at)
            case facts.TicketHeld():
                self._visit[fact.ticket].held.append(Span(at))
                self._session[fact.window].turn("free", at)
            case facts.TicketReturned():
                self._end_hold(self._visit[fact.ticket], at)
                self._session[fact.window].turn("busy", at)
            case facts.TicketContinued():
                left = self._visit[fact.ticket]
                self._join(fact.ticket, left.leg + 1, fact.item, left.kind, at)
            case facts.TicketAbandoned():
                self._end(fact.ticket, "abandoned", at)
            case facts.ServiceStarted():
                self._answer(fact.ticket, at)
                self._visit[fact.ticket].started = at
            case facts.ServiceFinished():
                self._end(fact.ticket, fact.outcome, at)
                self._visit[fact.ticket].implied = fact.implied
                self._session[fact.window].turn("free", at)
            case facts.TicketTransferred():
                self._transfer(fact, at)
            case facts.EvaluationInvited():
                self._visit[fact.ticket].invited = at
            case facts.EvaluationGiven():
                visit = self._visit[fact.ticket]
                visit.rated, visit.level = at, fact.level
            case _:
                self._add_of_hall(fact, at)

    def _add_of_hall(self, fact: facts.Fact, at: Moment) -> None:
        match fact:
            case facts.WindowOpened():
                session = Session(
                    window=fact.window, clerk=fact.clerk, items=fact.items, opened=at
                )
                session.turn("free", at)
                self.sessions.append(session)
                self._session[fact.window] = session
            case facts.WindowPaused():
                self._session[fact.window].turn("paused", at)
            case facts.WindowResumed():
                self._session[fact.window].turn("free", at)
            case facts.WindowClosed():
                self._session.pop(fact.window).turn("closed", at)
            case facts.ClerkMoved():
                self._move(fact, at)
            case facts.OutageDeclared():
                self.outages.append((fact.from_at, fact.to_at))
            case facts.HallClosed():
                self._close(at)
            case _:
                pass  # Devices, clocks and seals move no ticket and no window.

    def _take(
        self,
        fact: facts.TicketTaken | facts.AppointmentCheckedIn,
        at: Moment,
    ) -> None:
        if isinstance(fact, facts.TicketTaken):
            self._join(fact.ticket, 1, fact.item, fact.kind, at)
            return
        visit = self._join(fact.ticket, 1, fact.item, "appointment", at)
        visit.waits_from = max(fact.slot_at, at.at)

    def _join(self, ticket: str, leg: int, item: str, kind: Kind, at: Moment) -> Visit:
        promised = self._items[item]
        visit = Visit(
            ticket=ticket,
            leg=leg,
            item=item,
            kind=kind,
            wait_ms_max=promised.wait_s * 1000,
            service_ms_max=promised.service_s * 1000,
            taken=at,
            waits_from=at.at,
            in_line=[Span(at)],
        )
        self.visits.append(visit)
        self._visit[ticket] = visit
        return visit

    def _call(self, fact: facts.TicketCalled, at: Moment) -> None:
        visit = self._visit[fact.ticket]
        visit.in_line[-1].to = at
        visit.rounds.append(
            Round(
                window=fact.window,
                clerk=fact.clerk,
                policy=fact.policy,
                reason=fact.reason,
                called=at,
            )
        )
        self._session[fact.window].turn("busy", at)

    def _answer(self, ticket: str, at: Moment) -> Round:
        """The call in hand is over, unless it was answered before."""
        call = self._visit[ticket].rounds[-1]
        call.answered = call.answered or at
        return call

    def _end_hold(self, visit: Visit, at: Moment) -> bool:
        """The ticket is on hold no more; whether it was."""
        if not visit.held or visit.held[-1].to is not None:
            return False
        visit.held[-1].to = at
        return True

    def _end(self, ticket: str, outcome: VisitOutcome, at: Moment) -> None:
        visit = self._visit[ticket]
        visit.outcome, visit.ended = outcome, at
        if visit.in_line[-1].to is None:
            visit.in_line[-1].to = at
        self._end_hold(visit, at)

    def _transfer(self, fact: facts.TicketTransferred, at: Moment) -> None:
        left = self._visit[fact.ticket]
        self._answer(fact.ticket, at)
        self._end(fact.ticket, "transferred", at)
        self._session[fact.window].turn("free", at)
        self._join(fact.ticket, left.leg + 1, fact.item, left.kind, at)

    def _move(self, fact: facts.ClerkMoved, at: Moment) -> None:
        """What is in hand is charged to the window where it happens."""
        left = self._session.pop(fact.window)
        self._continue(left, fact.to, fact.items, at)

    def _continue(
        self, left: Session, window: str, items: tuple[str, ...], at: Moment
    ) -> None:
        """A session ends, and another goes on in the same state."""
        session = Session(window=window, clerk=left.clerk, items=items, opened=at)
        session.turn(left.state, at)
        left.turn("closed", at)
        self.sessions.append(session)
        self._session[window] = session

    def _close(self, at: Moment) -> None:
        for visit in self._visit.values():
            if not visit.outcome:
                if visit.rounds and visit.in_line[-1].to is not None:
                    self._answer(visit.ticket, at)
                self._end(visit.ticket, "closed", at)
        for session in self._session.values():
            session.turn("closed", at)
        self._session.clear()


def hall_days(entries: Iterable[Entry]) -> Iterator[HallDay]:
    """Each business day of one hall's log, in order of position.

    Raises:
        ValueError: the log does not begin with a catalogue.
    """
    catalogue: Catalogue | None = None
    day: HallDay | None = None
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, facts.CataloguePublished):
            catalogue = fact.catalogue
            # A morning's new catalogue may come before the first fact of its day;
            # yesterday keeps the hours it had.
            if day is not None and catalogue.business_date(fact.at) == day.date:
                day.publish(catalogue, Moment(fact.at, fact.position))
            continue
        if catalogue is None:
            raise ValueError("The log does not begin with a published catalogue.")
        if not is_day(entry.stream):
            continue  # Bookings; what became of them on their day is in its stream.
        if day is None or entry.stream != day.stream:
            if day is not None:
                day.over_at = fact.at
                yield day
            day = HallDay(entry.stream, catalogue)
        day.add(fact)
    if day is not None:
        yield day
