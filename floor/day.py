"""The state of one hall day, and the one function that changes it.

`apply` never refuses: what is in the log has happened. Rules look at a `Day`, readers
show it, and a replay of the log gives the same one, byte for byte (`digest`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Literal, assert_never

import msgspec

from floor import facts
from floor.catalogue import Catalogue, Item, Window
from floor.facts import Entry, Fact, Kind, Level

TicketState = Literal[
    "waiting", "called", "serving", "served", "no_show", "abandoned", "closed"
]
WindowState = Literal["closed", "free", "called", "serving", "paused"]


class Ticket(msgspec.Struct, kw_only=True):
    """A ticket (票号) and where it is on its way through the hall.

    turn: its place in the order of the hall, smaller is earlier.
    calls: how often it was called to the present window.
    """

    id: str
    item: str
    kind: Kind
    taken_at: datetime
    turn: int
    state: TicketState = "waiting"
    window: str = ""
    clerk: str = ""
    calls: int = 0
    called_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    invited: bool = False
    level: Level | None = None


class Place(msgspec.Struct, kw_only=True):
    """A window on this day: who sits there and what is in hand.

    last: the ticket that this clerk served last.
    since: when its present state began; None before it was first opened.
    """

    id: str
    state: WindowState = "closed"
    clerk: str = ""
    items: tuple[str, ...] = ()
    ticket: str = ""
    reason: str = ""
    last: str = ""
    since: datetime | None = None


class Day:
    """One business day of one hall.

    Attributes:
        stream: name of the day's stream in the log, `hall-1/2026-11-22`.
        version, position: numbers of the last fact applied; 0 before the first.
        tickets: by number, in the order they were taken.
        lines: per item, its waiting tickets in the order they will be called.
        last_calls: numbers of the tickets called last, newest first.
        done: id of each command carried out today, with the fact it caused.
    """

    LAST_CALLS_MAX = 20

    def __init__(self, catalogue: Catalogue, date: date) -> None:
        self.date = date
        self.stream = stream_of(catalogue.hall, date)
        self.version = 0
        self.position = 0
        self.last_at: datetime | None = None
        self.closed = False
        self.tickets: dict[str, Ticket] = {}
        self.places: dict[str, Place] = {}
        self.lines: dict[str, dict[str, None]] = {}
        self.issued: dict[str, int] = {}
        self.last_calls: list[str] = []
        self.done: dict[str, Entry] = {}
        self._publish(catalogue)

    def _publish(self, catalogue: Catalogue) -> None:
        """Take a catalogue into use; what is under way stays as it is."""
        self.catalogue = catalogue
        self.items: dict[str, Item] = {item.id: item for item in catalogue.items}
        self.windows: dict[str, Window] = {w.id: w for w in catalogue.windows}
        for window in catalogue.windows:
            self.places.setdefault(window.id, Place(id=window.id))
        for item in catalogue.items:
            self.lines.setdefault(item.id, {})

    # ── What readers ask ────────────────────────────────────────────────────

    def waiting(self, items: Iterable[str]) -> Iterator[Ticket]:
        """The tickets waiting for any of these items, in the order of the hall."""
        waiting = (self.tickets[id] for item in items for id in self.lines[item])
        return iter(sorted(waiting, key=lambda ticket: ticket.turn))

    def ahead(self, ticket: Ticket) -> int:
        """How many tickets of the same item will be called before this one."""
        for ahead, id in enumerate(self.lines[ticket.item]):
            if id == ticket.id:
                return ahead
        return 0

    def windows_for(self, item: str) -> list[str]:
        """Windows where the item can be handled now; all that ever do if none is."""
        able = [window.id for window in self.windows.values() if item in window.items]
        at_work = [id for id in able if self.places[id].state != "closed"]
        return at_work or able

    def state(self) -> dict[str, object]:
        """All of the day as plain values; equal days give equal states."""
        return {
            "stream": self.stream,
            "version": self.version,
            "position": self.position,
            "last_at": self.last_at,
            "closed": self.closed,
            "catalogue": self.catalogue,
            "tickets": self.tickets,
            "places": self.places,
            "lines": {item: list(line) for item, line in self.lines.items()},
            "issued": self.issued,
            "last_calls": self.last_calls,
            "done": {id: entry.version for id, entry in self.done.items()},
        }

    def digest(self) -> str:
        """SHA-256 of the state, for comparing a replay with what was live."""
        state = msgspec.json.encode(self.state(), order="sorted")
        return hashlib.sha256(state).hexdigest()

    # ── What facts do ───────────────────────────────────────────────────────

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
        if isinstance(fact, Moves):  # Most facts of a day.
            self._move(fact)
        else:
            self._change(fact)

    def _change(self, fact: Fact) -> None:
        match fact:
            case facts.CataloguePublished():
                self._publish(fact.catalogue)
            case facts.WindowOpened():
                self.places[fact.window] = Place(
                    id=fact.window,
                    state="free",
                    clerk=fact.clerk,
                    items=fact.items,
                    since=fact.at,
                )
            case facts.WindowPaused():
                self._turn(fact.window, "paused", fact.at, reason=fact.reason)
            case facts.WindowResumed():
                self._turn(fact.window, "free", fact.at)
            case facts.WindowClosed():
                self.places[fact.window] = Place(id=fact.window, since=fact.at)
            case facts.TicketTaken() | facts.AppointmentCheckedIn():
                self._take(fact)
            case facts.EvaluationInvited():
                self.tickets[fact.ticket].invited = True
            case facts.EvaluationGiven():
                self.tickets[fact.ticket].level = fact.level
            case facts.HallClosed():
                self._close(fact.at)
            case (
                facts.EvaluationLapsed()
                | facts.DeviceLost()
                | facts.DeviceRestored()
                | facts.ClockStepped()
                | facts.OutageDeclared()
                | facts.DaySealed()
            ):
                pass  # Known to scoring and to the devices page, not to the day.
            case _:
                raise AssertionError(f"The day does not know {fact!r}.")

    def _move(self, fact: "Moves") -> None:
        """A ticket goes on its way."""
        ticket = self.tickets[fact.ticket]
        match fact:
            case facts.TicketCalled():
                self._leave_line(ticket)
                ticket.state, ticket.calls = "called", 1
                ticket.window, ticket.clerk = fact.window, fact.clerk
                ticket.called_at = fact.at
                self._turn(fact.window, "called", fact.at, ticket=ticket.id)
                self._remember_call(ticket.id)
            case facts.TicketRecalled():
                ticket.calls += 1
                self._remember_call(ticket.id)
            case facts.NoShowDeclared():
                ticket.state, ticket.ended_at = "no_show", fact.at
                self._turn(fact.window, "free", fact.at)
            case facts.TicketRequeued():
                self._join(ticket, ticket.item, fact.place, fact.position)
            case facts.TicketAbandoned():
                self._leave_line(ticket)
                ticket.state, ticket.ended_at = "abandoned", fact.at
            case facts.ServiceStarted():
                ticket.state, ticket.started_at = "serving", fact.at
                self._turn(fact.window, "serving", fact.at, ticket=ticket.id)
            case facts.ServiceFinished():
                ticket.state, ticket.ended_at = "served", fact.at
                self._turn(fact.window, "free", fact.at)
                self.places[fact.window].last = ticket.id
            case facts.TicketTransferred():
                self._turn(fact.window, "free", fact.at)
                place = 0 if fact.front else len(self.lines[fact.item])
                self._join(ticket, fact.item, place, fact.position)
            case _:
                assert_never(fact)

    def _take(self, fact: facts.TicketTaken | facts.AppointmentCheckedIn) -> None:
        prefix = fact.ticket.rstrip("0123456789")
        self.issued[prefix] = int(fact.ticket[len(prefix) :])
        self.tickets[fact.ticket] = Ticket(
            id=fact.ticket,
            item=fact.item,
            kind=fact.kind if isinstance(fact, facts.TicketTaken) else "appointment",
            taken_at=fact.at,
            turn=fact.position,
        )
        self.lines[fact.item][fact.ticket] = None

    def _turn(
        self,
        window: str,
        state: WindowState,
        at: datetime,
        *,
        ticket: str = "",
        reason: str = "",
    ) -> None:
        place = self.places[window]
        place.state, place.since = state, at
        place.ticket, place.reason = ticket, reason

    def _leave_line(self, ticket: Ticket) -> None:
        self.lines[ticket.item].pop(ticket.id, None)

    def _join(self, ticket: Ticket, item: str, place: int, position: int) -> None:
        """Wait again at a place of the item's line.

        The turn is that of the ticket it stands before, so that the line and the
        order of the hall agree. A ticket that waits already leaves its old place.
        """
        self._leave_line(ticket)
        line = list(self.lines[item])
        turn = self.tickets[line[place]].turn if place < len(line) else position
        line.insert(place, ticket.id)
        self.lines[item] = dict.fromkeys(line)
        ticket.item, ticket.turn, ticket.state = item, turn, "waiting"
        ticket.window = ticket.clerk = ""
        ticket.calls = 0
        ticket.called_at = ticket.started_at = ticket.ended_at = None

    def _remember_call(self, ticket: str) -> None:
        others = [id for id in self.last_calls if id != ticket]
        self.last_calls = [ticket, *others][: self.LAST_CALLS_MAX]

    def _close(self, at: datetime) -> None:
        self.closed = True
        for ticket in self.tickets.values():
            if ticket.state in ("waiting", "called", "serving"):
                ticket.state, ticket.ended_at = "closed", at
        for item in self.lines:
            self.lines[item] = {}
        for id, place in self.places.items():
            if place.state != "closed":
                self.places[id] = Place(id=id, since=at)


Moves = (
    facts.TicketCalled
    | facts.TicketRecalled
    | facts.NoShowDeclared
    | facts.TicketRequeued
    | facts.TicketAbandoned
    | facts.ServiceStarted
    | facts.ServiceFinished
    | facts.TicketTransferred
)


def stream_of(hall: str, date: date) -> str:
    """Name of a business day's stream: `hall-1/2026-11-22`."""
    return f"{hall}/{date.isoformat()}"


def setup_stream_of(hall: str) -> str:
    """Name of the stream of a hall's published catalogues: `hall-1/setup`."""
    return f"{hall}/setup"


def advance(day: Day | None, entry: Entry) -> Day:
    """The day after a fact: the same one, or a new one where the fact begins it.

    Folding this over a hall's log, in order of position, gives each of its days with
    the catalogue that was in force.

    Raises:
        ValueError: the log does not begin with a catalogue.
    """
    if isinstance(entry.fact, facts.CataloguePublished):
        # One published on a later date is the next day's: what is over stays as it was.
        published = entry.fact.catalogue
        date_of = published.business_date(entry.fact.at)
        if day is None or date_of > day.date:
            day = Day(published, date_of)
    elif day is None:
        raise ValueError("The log does not begin with a published catalogue.")
    elif entry.stream != day.stream:
        name = entry.stream.rpartition("/")[2]
        day = Day(day.catalogue, date.fromisoformat(name))
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
