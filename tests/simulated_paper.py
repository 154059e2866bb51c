"""A hall day on paper, kept from its facts alone: what cannot have happened.

Nothing here uses the rules of the hall, its lines or its day.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from floor import facts
from floor.catalogue import Catalogue
from floor.facts import Entry, Fact
from floor.streams import is_day
from simulated_order import IN_HAND, OPEN, Card, Desk, ordered_wrongly
from simulated_slips import OF_QUARTER, Slips
from simulated_stage import Wrong

AFTER_CLOSING = (
    facts.DaySealed,
    facts.DaySealed,
    *OF_QUARTER,
    facts.CataloguePublished,
    facts.EvaluationInvited,
    facts.EvaluationGiven,
    facts.OutageDeclared,
    facts.ClockStepped,
    facts.HallReopened,
)


class Paper:
    """A day of the hall on paper: who waits where, who sits where, who holds whom.

    Attributes:
        slips: bookings of all days; they outlive this paper.
        used: whether anything happened on this day.
        owed: facts that have to follow at once: of the same command, or of the same
            closing.
    """

    def __init__(self, catalogue: Catalogue, date: date, slips: Slips) -> None:
        self.date = date
        self.slips = slips
        self.closed = False
        self.cards: dict[str, Card] = {}  # In the order of taking.
        self.desks: dict[str, Desk] = {}
        self.issued: dict[str, int] = {}
        self.owed: list[tuple[type[Fact], str]] = []
        self.sealed = False
        self.used = False
        self._before: Fact | None = None
        self._bound = False
        self.publish(catalogue)

    def publish(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        for window in catalogue.windows:
            desk = self.desks.setdefault(window.id, Desk())
            if desk.clerk:
                desk.items = window.items

    def write(self, entry: Entry) -> None:
        """Let a fact happen.

        Raises:
            Wrong: it cannot have.
        """
        self._entry, fact = entry, entry.fact
        self._needs(not self.closed or isinstance(fact, AFTER_CLOSING))
        self._bound = bool(self.owed)
        if self.owed:
            shape, what = self.owed.pop(0)
            about = (getattr(fact, n, "") for n in ("booking", "ticket", "window"))
            self._needs(type(fact) is shape and what in about)
        else:
            self._needs(not isinstance(fact, facts.AppointmentMissed))
        happens = HAPPENS.get(type(fact))
        if happens is None:
            raise Wrong(f"{fact} is not known on paper; teach it to `HAPPENS`")
        happens(self, fact)
        if is_day(entry.stream):
            self.sealed = isinstance(fact, facts.DaySealed)
        self._before = fact
        # What is written in a quarter's stream, or in that of setup, opens no hall.
        self.used = self.used or is_day(entry.stream)

    def _needs(self, true: object) -> None:
        if not true:
            raise Wrong(f"{self._entry.fact} cannot have happened")

    # ── Tickets come ────────────────────────────────────────────────────────

    def _taken(self, fact: facts.TicketTaken) -> None:
        self._number(fact.ticket, fact.item, booked=False)
        card = Card(fact.ticket, fact.item, fact.kind, fact.at, self._entry.position)
        card.person, card.then = fact.person, fact.then
        self._join(card)

    def _checked_in(self, fact: facts.AppointmentCheckedIn) -> None:
        slip = self.slips.turn(fact.booking, "checked_in")
        self._needs(slip and slip.date == self.date and slip.item == fact.item)
        self._number(fact.ticket, fact.item, booked=not fact.late)
        kind = "normal" if fact.late else "appointment"
        card = Card(fact.ticket, fact.item, kind, fact.at, self._entry.position)
        card.due_at = fact.due_at or fact.at
        card.person = fact.person
        card.then = getattr(fact, "then", ())
        self._join(card)

    def _number(self, ticket: str, item: str, *, booked: bool) -> None:
        """Numbers of a prefix follow each other from the item's first one."""
        known = self.catalogue.item(item)
        self._needs(known)
        assert known is not None
        prefix = known.prefix_for(booked)
        number = max(self.issued.get(prefix, 0) + 1, known.first)
        self._needs(ticket == f"{prefix}{number:0{known.digits}d}")
        self._needs(number <= known.last and ticket not in self.cards)
        self.issued[prefix] = number

    def _join(self, card: Card) -> None:
        mine = [
            other
            for other in self.cards.values()
            if card.person and other.person == card.person and other.state in OPEN
        ]
        taking = self.catalogue.taking
        same = sum(other.item == card.item for other in mine)
        self._needs(same < taking.open_per_item)
        self._needs(not taking.open_max or len(mine) < taking.open_max)
        self.cards[card.id] = card

    # ── Windows ─────────────────────────────────────────────────────────────

    def _opened(self, fact: facts.WindowOpened) -> None:
        desk, window = self.desks[fact.window], self.catalogue.window(fact.window)
        self._needs(not desk.clerk and window and fact.items == window.items)
        self._needs(all(fact.clerk != desk.clerk for desk in self.desks.values()))
        self.desks[fact.window] = Desk(fact.clerk, fact.items)
        if self.catalogue.calling.opens_paused:
            self.owed.append((facts.WindowPaused, fact.window))

    def _paused(self, fact: facts.WindowPaused) -> None:
        self._free(fact.window).paused = True

    def _resumed(self, fact: facts.WindowResumed) -> None:
        self._needs(self.desks[fact.window].paused)
        self.desks[fact.window].paused = False

    def _window_closed(self, fact: facts.WindowClosed) -> None:
        desk = self.desks[fact.window]
        self._needs(desk.clerk and not desk.hand and not desk.held)
        self._release(f"window:{fact.window}", f"clerk:{desk.clerk}")
        self.desks[fact.window] = Desk()

    def _moved(self, fact: facts.ClerkMoved) -> None:
        desk, window = self.desks[fact.window], self.catalogue.window(fact.to)
        self._needs(desk.clerk == fact.clerk and not self.desks[fact.to].clerk)
        self._needs(window and fact.items == window.items)
        self._release(f"window:{fact.window}")
        self.desks[fact.window], self.desks[fact.to] = Desk(), desk
        desk.items = fact.items
        for card in self._cards_of(desk):
            card.window = fact.to

    def _release(self, *lines: str) -> None:
        for card in self.cards.values():
            if card.state == "waiting" and card.line in lines:
                card.line = ""

    def _cards_of(self, desk: Desk) -> Iterator[Card]:
        return (self.cards[id] for id in (desk.hand, *desk.held) if id)

    def _free(self, window: str) -> Desk:
        desk = self.desks[window]
        self._needs(desk.clerk and not desk.hand and not desk.paused)
        return desk

    # ── Calls ───────────────────────────────────────────────────────────────

    def _called(self, fact: facts.TicketCalled) -> None:
        desk, card = self._free(fact.window), self._card(fact.ticket, "waiting")
        self._needs(desk.clerk == fact.clerk)
        # 下一位 calls somebody else than the visitor whom it sends on.
        before = self._before
        goes_on = self._bound and isinstance(before, facts.TicketContinued)
        besides = getattr(before, "ticket", "") if goes_on else ""
        others = [each for each in self.cards.values() if each.id != besides]
        wrong = ordered_wrongly(fact, card, desk, others, self.catalogue)
        if wrong:
            raise Wrong(f"{fact} cannot have happened: {wrong}")
        card.calls, card.called_at = 1, fact.at
        self._hold(card, fact.window, "called")

    def _recalled(self, fact: facts.TicketRecalled) -> None:
        self._in_hand(fact.ticket, fact.window, "called").calls += 1

    def _undone(self, fact: facts.CallUndone) -> None:
        card = self._in_hand(fact.ticket, fact.window, "called")
        undo_s = self.catalogue.calling.undo_s
        self._needs(fact.at - card.called_at <= timedelta(seconds=undo_s))
        self._wait(card, self._line_again(card))

    def _no_show(self, fact: facts.NoShowDeclared) -> None:
        card = self._in_hand(fact.ticket, fact.window, "called")
        calling = self.catalogue.calling
        self._needs(card.calls > calling.no_show_recalls)
        since_s = (fact.at - card.called_at).total_seconds()
        self._needs(since_s >= calling.no_show_after_s)
        self._let_go(card, "no_show")

    def _started(self, fact: facts.ServiceStarted) -> None:
        self._in_hand(fact.ticket, fact.window, "called").state = "serving"

    def _held(self, fact: facts.TicketHeld) -> None:
        card = self._in_hand(fact.ticket, fact.window, "serving")
        desk = self.desks[fact.window]
        desk.hand, card.state = "", "held"
        desk.held.append(card.id)
        self._needs(len(desk.held) <= self.catalogue.calling.held_max)

    def _returned(self, fact: facts.TicketReturned) -> None:
        card = self._card(fact.ticket, "held")
        desk = self._free(fact.window)
        self._needs(card.id in desk.held)
        desk.held.remove(card.id)
        self._hold(card, fact.window, "serving")

    def _finished(self, fact: facts.ServiceFinished) -> None:
        card = self._in_hand(fact.ticket, fact.window, "serving")
        self._needs(not fact.implied or self.catalogue.calling.finish_implied)
        goes_on = [item for item in card.then if self.catalogue.item(item)]
        if goes_on:
            self.owed.append((facts.TicketContinued, card.id))
        if fact.implied:
            self.owed.append((facts.TicketCalled, fact.window))
        self._let_go(card, "served")

    def _continued(self, fact: facts.TicketContinued) -> None:
        card = self._card(fact.ticket, "served")
        self._needs(card.window == fact.window)
        self._needs(isinstance(self._before, facts.ServiceFinished))
        self._send_on(card, fact.item)
        card.come_again(fact.at, self._entry.position)
        self._wait(card)

    def _transferred(self, fact: facts.TicketTransferred) -> None:
        card = self._in_hand(fact.ticket, fact.window, *IN_HAND)
        target = self.desks.get(fact.to_window)
        self._needs(not fact.to_window or (target and target.clerk))
        clerks = [desk.clerk for desk in self.desks.values()]
        self._needs(not fact.to_clerk or fact.to_clerk in clerks)
        line = f"window:{fact.to_window}" if fact.to_window else ""
        line = f"clerk:{fact.to_clerk}" if fact.to_clerk else line
        if fact.item != card.item:
            self._send_on(card, fact.item)
        card.come_again(fact.at, self._entry.position)
        card.placed = fact.front
        self._let_go(card, "waiting")
        self._wait(card, line)

    def _send_on(self, card: Card, item: str) -> None:
        self._needs(self.catalogue.item(item))
        card.item = item
        if item in card.then:
            card.then = card.then[card.then.index(item) + 1 :]

    def _requeued(self, fact: facts.TicketRequeued) -> None:
        card = self._card(fact.ticket, *OPEN, "no_show")
        if fact.window:  # Given back by a window, which closes behind it.
            self._needs(card.state in (*IN_HAND, "held"))
            self._needs(card.window == fact.window)
            if not self.owed:
                owed = len([*self._cards_of(self.desks[fact.window])]) - 1
                kept = [(facts.TicketRequeued, fact.window)] * owed
                self.owed = [*kept, (facts.WindowClosed, fact.window)]
        else:
            self._needs(card.state in ("waiting", "no_show"))
            deferred = card.state == "waiting"
            card.defers += deferred
            card.returns += not deferred
            calling = self.catalogue.calling
            self._needs(not deferred or card.defers <= calling.defers_max)
            self._needs(deferred or card.returns <= calling.returns_max)
        line = card.line if card.state == "waiting" else self._line_again(card)
        self._wait(card, line)
        card.placed = True

    def _abandoned(self, fact: facts.TicketAbandoned) -> None:
        self._let_go(self._card(fact.ticket, "waiting", "held"), "abandoned")

    # ── Ratings ─────────────────────────────────────────────────────────────

    def _invited(self, fact: facts.EvaluationInvited | facts.EvaluationGiven) -> None:
        card = self._card(fact.ticket, "served")
        self._needs(card.window == fact.window and not card.rated)

    def _rated(self, fact: facts.EvaluationGiven) -> None:
        self._invited(fact)
        self.cards[fact.ticket].rated = True

    # ── Bookings ────────────────────────────────────────────────────────────

    def _booked(self, fact: facts.AppointmentBooked) -> None:
        self._needs(self.slips.book(fact, self.date, self.catalogue))

    def _cancelled(self, fact: facts.AppointmentCancelled) -> None:
        self._needs(self.slips.turn(fact.booking, "cancelled"))

    def _missed(self, fact: facts.AppointmentMissed) -> None:
        slip = self.slips.turn(fact.booking, "missed")
        self._needs(slip and slip.date == self.date and slip.slot_at <= fact.at)

    # ── The hall ────────────────────────────────────────────────────────────

    def _hall_closed(self, fact: facts.HallClosed) -> None:
        seal: list[tuple[type[Fact], str]] = [(facts.DaySealed, "")]
        absent: list[tuple[type[Fact], str]] = []
        if self.used and fact.reason != "emergency":
            slips = self.slips.absent(self.date, fact.at, self.catalogue)
            absent = [(facts.AppointmentMissed, slip.id) for slip in slips]
        spans = self.catalogue.open_spans(self.date)
        if fact.reason == "emergency" and spans and spans[-1][1] > fact.at:
            self.owed.append((facts.OutageDeclared, ""))
        # The next day has begun when its first fact is one of a quarter.
        late = fact.reason == "day_change"
        self.owed += [*seal, *absent] if late else [*absent, *seal]
        self.closed = True
        for card in self.cards.values():
            if card.state in OPEN:
                card.state = "closed"
        self.desks = {id: Desk() for id in self.desks}

    def _sealed(self, fact: facts.DaySealed) -> None:
        assert self._entry is not None
        self._needs(self.closed and fact.size == self._entry.version - 1)

    def _reopened(self, fact: facts.HallReopened) -> None:
        self._needs(self.closed)
        self.closed = False

    def _published(self, fact: facts.CataloguePublished) -> None:
        self.publish(fact.catalogue)
        at_work = (id for id, desk in self.desks.items() if desk.clerk)
        self._needs(all(fact.catalogue.window(id) for id in at_work))
        wanted = (card.item for card in self.cards.values() if card.state in OPEN)
        self._needs(all(fact.catalogue.item(item) for item in wanted))

    # ── Where a card is ─────────────────────────────────────────────────────

    def _card(self, ticket: str, *states: str) -> Card:
        card = self.cards.get(ticket)
        self._needs(card and card.state in states)
        assert card is not None
        return card

    def _in_hand(self, ticket: str, window: str, *states: str) -> Card:
        card = self._card(ticket, *states)
        self._needs(self.desks[window].hand == ticket)
        return card

    def _hold(self, card: Card, window: str, state: str) -> None:
        self.desks[window].hand = card.id
        card.window, card.state = window, state

    def _let_go(self, card: Card, state: str) -> None:
        for desk in self.desks.values():
            if desk.hand == card.id:
                desk.hand = ""
            if card.id in desk.held:
                desk.held.remove(card.id)
        card.state = state

    def _wait(self, card: Card, line: str = "") -> None:
        self._let_go(card, "waiting")
        card.line, card.window = line, ""

    def _line_again(self, card: Card) -> str:
        """Where it was sent, if somebody is still there."""
        there = [f"window:{id}" for id, desk in self.desks.items() if desk.clerk]
        there += [f"clerk:{desk.clerk}" for desk in self.desks.values()]
        return card.line if card.line in there else ""


#: What each fact does on paper.
HAPPENS: dict[type[Fact], Callable[[Paper, Any], None]] = {
    facts.CataloguePublished: Paper._published,
    facts.TicketTaken: Paper._taken,
    facts.AppointmentCheckedIn: Paper._checked_in,
    facts.WindowOpened: Paper._opened,
    facts.WindowPaused: Paper._paused,
    facts.WindowResumed: Paper._resumed,
    facts.WindowClosed: Paper._window_closed,
    facts.ClerkMoved: Paper._moved,
    facts.TicketCalled: Paper._called,
    facts.TicketRecalled: Paper._recalled,
    facts.CallUndone: Paper._undone,
    facts.NoShowDeclared: Paper._no_show,
    facts.ServiceStarted: Paper._started,
    facts.TicketHeld: Paper._held,
    facts.TicketReturned: Paper._returned,
    facts.ServiceFinished: Paper._finished,
    facts.TicketContinued: Paper._continued,
    facts.TicketTransferred: Paper._transferred,
    facts.TicketRequeued: Paper._requeued,
    facts.TicketAbandoned: Paper._abandoned,
    facts.EvaluationInvited: Paper._invited,
    facts.EvaluationGiven: Paper._rated,
    facts.AppointmentBooked: Paper._booked,
    facts.AppointmentCancelled: Paper._cancelled,
    facts.AppointmentMissed: Paper._missed,
    facts.HallClosed: Paper._hall_closed,
    facts.HallReopened: Paper._reopened,
    facts.DaySealed: Paper._sealed,
    # These change nobody's place.
    facts.OutageDeclared: lambda paper, fact: None,
    facts.ClockStepped: lambda paper, fact: None,
}
