"""What must be true of a log, and of what clients were told, told independently.

Nothing here uses the rules of the hall: it keeps its own paper of the day, and looks
at every durable fact and at every answer.
"""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise

from floor import effects, facts
from floor.catalogue import Catalogue
from floor.day import Day, advance
from floor.facts import Entry, Fact
from floor.refusals import CommandIdReused, Refused
from simulated_disk import DAY
from simulated_network import TRY_AGAIN
from simulated_process import Attempt


class Wrong(AssertionError):
    """A sentence that says which promise is broken."""


# ── The log alone ───────────────────────────────────────────────────────────

#: From which states a fact may move a ticket, and where to.
MOVES: dict[type[Fact], tuple[tuple[str, ...], str]] = {
    facts.TicketCalled: (("waiting",), "called"),
    facts.TicketRecalled: (("called",), "called"),
    facts.NoShowDeclared: (("called",), "no_show"),
    facts.TicketAbandoned: (("waiting",), "abandoned"),
    facts.ServiceStarted: (("called",), "serving"),
    facts.ServiceFinished: (("serving",), "served"),
    facts.EvaluationInvited: (("served",), "served"),
    facts.EvaluationGiven: (("served",), "rated"),
}
#: In these states a window holds the ticket.
IN_HAND = ("called", "serving")
AFTER_CLOSING = (
    facts.EvaluationInvited,
    facts.EvaluationGiven,
    facts.ClockStepped,
)


class Paper:
    """A day of the hall on paper: who waits, who sits where, who holds whom."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.closed = False
        self.state: dict[str, str] = {}
        self.item: dict[str, str] = {}  # Of each ticket, in the order of taking.
        self.issued: dict[str, int] = {}
        self.clerk: dict[str, str] = {}
        self.paused: set[str] = set()
        self.hand: dict[str, str] = {}

    def write(self, fact: Fact) -> None:
        """Let a fact happen, or say why it cannot have."""
        if self.closed and not isinstance(fact, AFTER_CLOSING):
            raise Wrong(f"{fact} happened in a closed hall")
        window = getattr(fact, "window", "")
        match fact:
            case facts.TicketTaken():
                self._take(fact)
            case facts.WindowOpened():
                if window in self.clerk or fact.clerk in self.clerk.values():
                    raise Wrong(f"{fact}: the window or the clerk is taken")
                self.clerk[window] = fact.clerk
            case facts.WindowPaused():
                self._needs(window in self.clerk and window not in self.hand, fact)
                self._needs(window not in self.paused, fact)
                self.paused.add(window)
            case facts.WindowResumed():
                self._needs(window in self.paused, fact)
                self.paused.remove(window)
            case facts.WindowClosed():
                self._needs(window in self.clerk and window not in self.hand, fact)
                del self.clerk[window]
                self.paused.discard(window)
            case facts.HallClosed():
                self.closed = True
                self.hand.clear()
                self.clerk.clear()
            case facts.ClockStepped() | facts.CataloguePublished():
                pass
            case _:
                self._move(fact, window)

    def _take(self, fact: facts.TicketTaken) -> None:
        known = self.catalogue.item(fact.item)
        self._needs(known is not None, fact)
        assert known is not None
        number = self.issued.get(known.prefix, 0) + 1
        self._needs(fact.ticket == f"{known.prefix}{number:03d}", fact)
        self.issued[known.prefix] = number
        self.state[fact.ticket], self.item[fact.ticket] = "waiting", fact.item

    def _move(self, fact: Fact, window: str) -> None:
        ticket = getattr(fact, "ticket", "")
        if type(fact) not in MOVES:
            raise Wrong(f"{fact} is not known on paper; teach it to `MOVES`")
        sources, target = MOVES[type(fact)]
        self._needs(self.state.get(ticket) in sources, fact)
        if isinstance(fact, facts.TicketCalled):
            self._call(fact)
        elif self.state[ticket] in IN_HAND:
            self._needs(self.hand.get(window) == ticket, fact)
        self.state[ticket] = target
        if window and target in IN_HAND:
            self.hand[window] = ticket
        elif self.hand.get(window) == ticket:
            del self.hand[window]

    def _call(self, fact: facts.TicketCalled) -> None:
        window = self.catalogue.window(fact.window)
        self._needs(window is not None, fact)
        assert window is not None
        self._needs(self.clerk.get(fact.window) == fact.clerk, fact)
        self._needs(fact.window not in self.paused, fact)
        self._needs(fact.window not in self.hand, fact)
        self._needs(self.item[fact.ticket] in window.items, fact)
        if fact.policy == "first_come":
            first = next(
                ticket
                for ticket, item in self.item.items()
                if self.state[ticket] == "waiting" and item in window.items
            )
            self._needs(fact.ticket == first, fact)

    def _needs(self, true: bool, fact: Fact) -> None:
        if not true:
            raise Wrong(f"{fact} cannot have happened")


class LogAudit:
    """Numbers without a gap, time that never goes back, and days that make sense."""

    def __init__(self) -> None:
        self.position = 0
        self._ends: dict[str, int] = {}
        self._paper: Paper | None = None
        self._catalogue: Catalogue | None = None
        self._last_at: datetime | None = None
        self._date = date.min

    def hear(self, entry: Entry) -> None:
        """Take in the next fact of the log.

        Raises:
            Wrong: it cannot stand there.
        """
        fact, version = entry.fact, self._ends.get(entry.stream, 0) + 1
        self.position += 1
        if fact.position != self.position:
            raise Wrong(f"position {fact.position} stands at {self.position}")
        if entry.version != version:
            raise Wrong(f"version {entry.version} of {entry.stream} leaves a hole")
        self._ends[entry.stream] = version
        if self._last_at is not None and fact.at < self._last_at:
            raise Wrong(f"{fact} is before the fact ahead of it")
        self._last_at = fact.at
        if isinstance(fact, facts.CataloguePublished):
            self._catalogue = fact.catalogue
            if self._paper is not None:
                self._paper.catalogue = fact.catalogue
        elif self._catalogue is None:
            raise Wrong("the log does not begin with a catalogue")
        elif DAY.search(entry.stream):
            self._write(entry, self._catalogue)

    def _write(self, entry: Entry, catalogue: Catalogue) -> None:
        fact = entry.fact
        day = date.fromisoformat(entry.stream.rpartition("/")[2])
        if day < self._date:
            raise Wrong(f"{entry.stream} goes on after {self._date}")
        if self._paper is None or day > self._date:
            if self._paper is not None and not self._paper.closed:
                raise Wrong(f"{self._date} was never closed")
            self._paper, self._date = Paper(catalogue), day
        over = isinstance(fact, facts.HallClosed) and fact.reason == "day_change"
        if not over and day != catalogue.business_date(fact.at):
            raise Wrong(f"{fact} is in {entry.stream}")
        self._paper.write(fact)


# ── What clients were told ──────────────────────────────────────────────────


class AnswerAudit:
    """An acknowledged command is in the log once, as it was told; a refused one not."""

    def __init__(self) -> None:
        self._logged: dict[str, Entry] = {}

    def hear(self, entries: Sequence[Entry], attempts: Sequence[Attempt]) -> None:
        """Compare new facts with all that was answered since the facts before.

        Raises:
            Wrong: naming the first command of which it is not so.
        """
        unexplained: dict[str, Entry] = {}
        for before, entry in pairwise([None, *entries]):
            assert entry is not None
            id = entry.fact.command
            if id in self._logged:
                # One command may have several facts, of which the first is told.
                together = before is not None and before.fact.command == id
                if not together or self._logged[id].topic == entry.topic:
                    raise Wrong(f"{id} was done twice: {self._logged[id]}, {entry}")
            elif id:
                self._logged[id] = unexplained[id] = entry
        for attempt in attempts:
            id = attempt.exchange.command.command_id
            stored, receipt = self._logged.get(id), attempt.receipt
            if receipt is not None and receipt.entry != stored:
                raise Wrong(f"{id} was told {receipt}, and the log has {stored}")
            # A repeat is explained by the press that caused the fact; of a process
            # that died, or saw nothing, nobody heard a "no".
            if (
                not receipt.repeated
                if receipt is not None
                else attempt.ended_position is None or attempt.blind
            ):
                unexplained.pop(id, None)
        for id, entry in unexplained.items():
            raise Wrong(f"{id} was refused, and the log has {entry}")


class RefusalAudit:
    """A rule's "no" was true of the durable hall at some instant while it was asked.

    Otherwise somebody was told of something that never came to be.

    Attributes:
        day: what a replay of all facts heard so far gives.
    """

    def __init__(self) -> None:
        self.day: Day | None = None
        self._position = 0
        self._ids: set[str] = set()
        self._asked: list[Attempt] = []

    def hear(self, entries: Sequence[Entry], attempts: Sequence[Attempt]) -> None:
        """Go through new facts with all that was refused since the facts before.

        Raises:
            Wrong: naming the first refusal that nothing durable explains.
        """
        began: dict[int, list[Attempt]] = {}
        for attempt in attempts:
            refusal = attempt.refusal
            if refusal is not None and not isinstance(refusal, TRY_AGAIN):
                began.setdefault(attempt.began_position, []).append(attempt)
        self._look(began)
        for entry in entries:
            self.day = advance(self.day, entry)
            self._position = entry.position
            self._ids.add(entry.fact.command)
            self._look(began)

    def _look(self, began: dict[int, list[Attempt]]) -> None:
        self._asked += began.pop(self._position, [])
        self._asked = [each for each in self._asked if not self._explains(each)]
        for each in self._asked:
            if each.ended_position == self._position:
                command, refusal = each.exchange.command, each.refusal
                raise Wrong(f"{command} was refused with {refusal!r} for no reason")

    def _explains(self, attempt: Attempt) -> bool:
        command, day = attempt.exchange.command, self.day
        if isinstance(attempt.refusal, CommandIdReused):
            return command.command_id in self._ids
        assert day is not None
        assert day.last_at is not None
        at = max(attempt.at, day.last_at)
        date_of = day.catalogue.business_date(at)
        if date_of > day.date:
            day = Day(day.catalogue, date_of, day.bookings)
        try:
            effects.decide(command, day, at)
        except Refused as refusal:
            return type(refusal) is type(attempt.refusal)
        return False
