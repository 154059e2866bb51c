"""A hall day on paper, as a child would keep it: plain lists, searched from the top.

`press` says what a command must come to: the name of the refusal, or what the answer
tells (`timeline.told`). It knows nothing of facts, lines, or the day of the floor.
"""

from datetime import date, datetime, timedelta
from typing import Any

from floor.catalogue import Catalogue, Item

OPEN = ("waiting", "called", "serving", "held")


class No(Exception):
    """The name of a refusal."""


def no(name: str, when: object = True) -> None:
    if when:
        raise No(name)


class Standing:
    """A place on the big list of all who ever came, in the order of being due."""

    def __init__(self, due: datetime, kind: str) -> None:
        self.due = due
        self.kind = kind


class Card:
    """A ticket."""

    def __init__(self, id: str, item: str, kind: str, at: datetime) -> None:
        self.id, self.item, self.kind, self.taken_at = id, item, kind, at
        self.line = item
        self.person, self.state = "", "waiting"
        self.then: tuple[str, ...] = ()
        self.standing = Standing(at, kind)
        self.placed = self.rated = False
        self.window = self.clerk = ""
        self.calls = self.returns = self.defers = 0
        self.called_at = self.recalled_at = at


class Desk:
    """A window."""

    def __init__(self) -> None:
        self.state, self.clerk, self.ticket, self.last = "closed", "", "", ""
        self.items: tuple[str, ...] = ()
        self.held: list[str] = []


class Slip:
    """A booking."""

    def __init__(self, item: str, slot_at: datetime, date: date, person: str) -> None:
        self.item, self.slot_at, self.date, self.person = item, slot_at, date, person
        self.state = "booked"


class Notes:
    """What is written down of a day, and how the lines are read from it."""

    def __init__(
        self, catalogue: Catalogue, date: date, slips: dict[str, Slip] | None = None
    ) -> None:
        self.date = date
        self.closed = False
        self.facts = 0  # In the stream of this day.
        self.cards: dict[str, Card] = {}
        self.desks: dict[str, Desk] = {}
        self.order: list[Standing] = []
        self.taken: list[tuple[str, datetime]] = []
        self.slips: dict[str, Slip] = dict(slips or {})
        self.publish(catalogue)

    def publish(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        for window in catalogue.windows:
            desk = self.desks.setdefault(window.id, Desk())
            if desk.state != "closed":
                desk.items = window.items

    def item(self, id: str) -> Item:
        for item in self.catalogue.items:
            if item.id == id:
                return item
        raise No("UnknownItem")

    def lines(self, desk: Desk) -> list[tuple[Card, int]]:
        """All whom a window may call, with their weights there."""
        (id,) = (id for id, known in self.desks.items() if known is desk)
        window = self.catalogue.window(id)
        found = []
        for card in self.cards.values():
            if card.state != "waiting":
                continue
            weight = window.weights.get(card.line, 1) if window else 1
            if card.line in desk.items:
                found.append((card, weight))
            elif window and card.line in window.helps:
                if len(self.waiting(card.line)) >= window.helps[card.line]:
                    found.append((card, weight))
            elif card.line in (f"window:{id}", f"clerk:{desk.clerk}"):
                found.append((card, 1))
        return found

    def waiting(self, line: str) -> list[Card]:
        every = self.cards.values()
        return [x for x in every if x.state == "waiting" and x.line == line]

    def in_line(self, line: str, at: datetime) -> list[Card]:
        """Those of a line, the next one first."""
        waiting = self.waiting(line)
        return sorted(waiting, key=lambda card: self.urgency(card.standing, at, 1))

    def urgency(self, standing: Standing, at: datetime, weight: int) -> Any:
        """The least goes first."""
        policy = self.catalogue.policy
        worth = getattr(policy, standing.kind)
        value = (at - standing.due) / timedelta(milliseconds=1)
        if policy.name == "accumulating":
            value *= worth.rate
        if policy.name in ("accumulating", "fixed_credit"):
            value += worth.credit_s * 1000
        if value > 0:
            value *= weight
        rank = worth.rank if policy.name == "strict" else 0
        return -rank, -value, self.order.index(standing)

    # ── Where somebody stands ───────────────────────────────────────────────

    def arrive(self, due: datetime, kind: str) -> Standing:
        """Behind all who are due as early."""
        standing = Standing(due, kind)
        earlier = [old for old in self.order if old.due <= due]
        self.order.insert(len(earlier), standing)
        return standing

    def put(self, card: Card, line: str, place: int, at: datetime) -> None:
        """Behind so many of those who are due by now."""
        due = [x for x in self.in_line(line, at) if x.standing.due <= at]
        old, standing = card.standing, self.arrive(at, card.kind)
        placed = False
        if 0 <= place < len(due):
            other = due[place].standing
            standing, placed = Standing(other.due, other.kind), True
            self.order.insert(self.order.index(other), standing)
        elif due:
            last = due[-1].standing
            if self.urgency(standing, at, 1) < self.urgency(last, at, 1):
                standing.kind, placed = last.kind, True
        if place == 0:
            standing = min((standing, old), key=lambda s: self.urgency(s, at, 1))
        if standing is not old:
            card.placed = placed
        self.wait(card, line, standing)

    def wait(self, card: Card, line: str, standing: Standing) -> None:
        card.line, card.standing, card.state = line, standing, "waiting"
        card.window = card.clerk = ""
        card.calls = 0

    def line_again(self, card: Card) -> str:
        """The line it came from, if somebody is still there to call it."""
        here = [(id, d) for id, d in self.desks.items() if d.state != "closed"]
        sent = [f"window:{id}" for id, _ in here] + [
            f"clerk:{d.clerk}" for _, d in here
        ]
        return card.line if card.line in sent else card.item

    def leave(self, card: Card) -> None:
        """No window has it any more."""
        for desk in self.desks.values():
            if desk.ticket == card.id:
                desk.ticket, desk.state = "", "free"
            if card.id in desk.held:
                desk.held.remove(card.id)

    def release(self, line: str) -> None:
        for card in self.waiting(line):
            card.line = card.item

    def still_missing(self, at: datetime) -> list[Slip]:
        """Those who booked for this day, could have come, and have not."""
        if self.closed or not self.facts:
            return []
        items = [item.id for item in self.catalogue.items]
        return [
            slip
            for slip in self.slips.values()
            if slip.date == self.date
            and slip.state == "booked"
            and slip.slot_at <= at
            and slip.item in items
        ]

    def close(self) -> None:
        self.closed = True
        for card in self.cards.values():
            if card.state in OPEN:
                card.state = "closed"
        self.desks = {id: Desk() for id in self.desks}
