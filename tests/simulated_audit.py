"""What must be true of a log, and of what clients were told, told independently.

Nothing here uses the rules of the hall: it keeps its own paper of the day, and looks
at every durable fact and at every answer.
"""

from collections.abc import Sequence
from datetime import date, datetime

from floor import commands, facts
from floor.catalogue import Catalogue
from floor.day import Day, advance
from floor.facts import Entry, Fact
from floor.refusals import CommandIdReused, Refused
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


def audit_log(entries: Sequence[Entry]) -> None:
    """Numbers without a gap, time that never goes back, and days that make sense.

    Raises:
        Wrong: naming the first fact that does not.
    """
    ends: dict[str, int] = {}
    paper: Paper | None = None
    catalogue: Catalogue | None = None
    last_at: datetime | None = None
    last_date = date.min
    for position, entry in enumerate(entries, 1):
        fact = entry.fact
        if fact.position != position:
            raise Wrong(f"position {fact.position} stands at {position}")
        if entry.version != ends.get(entry.stream, 0) + 1:
            raise Wrong(f"version {entry.version} of {entry.stream} leaves a hole")
        ends[entry.stream] = entry.version
        if last_at is not None and fact.at < last_at:
            raise Wrong(f"{fact} is before the fact ahead of it")
        last_at = fact.at
        if isinstance(fact, facts.CataloguePublished):
            catalogue = fact.catalogue
            if paper is not None:
                paper.catalogue = catalogue
            continue
        if catalogue is None:
            raise Wrong("the log does not begin with a catalogue")
        day = date.fromisoformat(entry.stream.rpartition("/")[2])
        if day < last_date:
            raise Wrong(f"{entry.stream} goes on after {last_date}")
        if paper is None or day > last_date:
            if paper is not None and not paper.closed:
                raise Wrong(f"{last_date} was never closed")
            paper, last_date = Paper(catalogue), day
        over = isinstance(fact, facts.HallClosed) and fact.reason == "day_change"
        if not over and day != catalogue.business_date(fact.at):
            raise Wrong(f"{fact} is in {entry.stream}")
        paper.write(fact)


# ── What clients were told ──────────────────────────────────────────────────


def audit_answers(entries: Sequence[Entry], attempts: Sequence[Attempt]) -> None:
    """An acknowledged command is in the log once, as it was told; a refused one not.

    Raises:
        Wrong: naming the first command of which it is not so.
    """
    logged: dict[str, Entry] = {}
    for entry in entries:
        id = entry.fact.command
        if id and id in logged:
            raise Wrong(f"{id} was carried out at {logged[id].position} and {entry}")
        logged[id] = entry
    explained: set[str] = {""}
    for attempt in attempts:
        command = attempt.exchange.command
        stored = logged.get(command.command_id)
        if attempt.receipt is not None:
            if stored != attempt.receipt.entry:
                raise Wrong(f"{command} was told {attempt.receipt}, stored {stored}")
            # A repeat is explained by the press that caused the fact.
            if not attempt.receipt.repeated:
                explained.add(command.command_id)
        elif attempt.ended_position is None or attempt.blind:
            if stored is not None and stored.position > attempt.began_position:
                explained.add(command.command_id)
    for id, entry in logged.items():
        if id not in explained:
            raise Wrong(f"{entry} is in the log, but its client was refused")


def audit_refusals(entries: Sequence[Entry], attempts: Sequence[Attempt]) -> None:
    """A rule's "no" was true of the durable hall at some instant while it was asked.

    Otherwise somebody was told of something that never came to be.

    Raises:
        Wrong: naming the first refusal that nothing durable explains.
    """
    open_at: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.refusal is not None and not isinstance(attempt.refusal, TRY_AGAIN):
            open_at.setdefault(attempt.began_position, []).append(attempt)
    asked: list[Attempt] = []
    day: Day | None = None
    ids: set[str] = set()
    for entry in entries:
        day = advance(day, entry)
        ids.add(entry.fact.command)
        asked += open_at.pop(entry.position, [])
        asked = [each for each in asked if not _explains(day, ids, each)]
        for each in asked:
            if each.ended_position == entry.position:
                command, refusal = each.exchange.command, each.refusal
                raise Wrong(f"{command} was refused with {refusal!r} for no reason")


def _explains(day: Day, ids: set[str], attempt: Attempt) -> bool:
    command, at = attempt.exchange.command, attempt.at
    if isinstance(attempt.refusal, CommandIdReused):
        return command.command_id in ids
    assert day.last_at is not None
    at = max(at, day.last_at)
    date_of = day.catalogue.business_date(at)
    if date_of > day.date:
        day = Day(day.catalogue, date_of)
    try:
        commands.decide(command, day, at)
    except Refused as refusal:
        return type(refusal) is type(attempt.refusal)
    return False
