"""Who should have been called: cards and desks on paper, and the order of a line."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from floor import facts
from floor.catalogue import Catalogue

OPEN = ("waiting", "called", "serving", "held")
IN_HAND = ("called", "serving")


class Card:
    """A ticket on paper.

    line: `window:3` or `clerk:c1` when it was sent there alone; empty for its item.
    due_at, turn: from when it counts in the order of coming, and which fact put it
        there.
    placed: it was put somewhere, so that its order is not that of coming.
    """

    def __init__(
        self, id: str, item: str, kind: str, at: datetime, position: int
    ) -> None:
        self.id = id
        self.item = item
        self.kind = kind
        self.taken_at = at
        self.due_at = at
        self.called_at = at
        self.turn = position
        self.placed = False
        self.state = "waiting"
        self.line = ""
        self.window = ""
        self.person = ""
        self.then: tuple[str, ...] = ()
        self.calls = self.returns = self.defers = 0
        self.rated = False

    def come_again(self, at: datetime, position: int) -> None:
        """Stand like somebody who came to the line now."""
        self.due_at, self.turn, self.placed = at, position, False

    @property
    def came(self) -> tuple[datetime, int]:
        return self.due_at, self.turn


class Desk:
    """A window on paper; closed while it has no clerk."""

    def __init__(self, clerk: str = "", items: tuple[str, ...] = ()) -> None:
        self.clerk = clerk
        self.items = items
        self.paused = False
        self.hand = ""
        self.held: list[str] = []


def ordered_wrongly(
    fact: facts.TicketCalled,
    card: Card,
    desk: Desk,
    cards: Sequence[Card],
    catalogue: Catalogue,
) -> str:
    """Why this card was not the one to call; empty if it was."""
    weights = dict(_callable(fact.window, desk, cards, catalogue))
    if card.id not in weights:
        return "it does not wait for this window"
    if fact.policy == "by_hand":
        return "" if fact.because == "by_hand" else "it was chosen by hand"
    if fact.policy != catalogue.policy.name:
        return "that is not the policy in force"
    others = [other for other in cards if other.id in weights]
    natural = [other for other in others if not other.placed]
    if card.placed:
        return ""  # Where it was put is a matter of the rules, and tested there.
    if fact.because == "placed":
        return "it was not put anywhere"

    def urgency(other: Card) -> tuple[int, float, float, int]:
        rank, value = _urgency(other, fact.at, catalogue)
        value = value * weights[other.id] if value > 0 else value
        return rank, value, -other.due_at.timestamp(), -other.turn

    first = max(natural, key=urgency)
    if first is not card:
        return f"{first.id} was to be called first"
    if len(natural) < len(others):
        return ""  # Those who were put somewhere are not reckoned with.
    passed = sum(other.came < card.came for other in others)
    if fact.passed != passed:
        return f"it passed {passed}"
    return "" if fact.because in _reasons(card, passed) else f"not {fact.because}"


def _reasons(card: Card, passed: int) -> tuple[str, ...]:
    if card.line:
        return ("sent",)
    if passed:
        return "kind", "weight"
    return ("booked",) if card.due_at < card.taken_at else ("first",)


def _callable(
    window: str, desk: Desk, cards: Sequence[Card], catalogue: Catalogue
) -> Iterator[tuple[str, int]]:
    """The cards that a window may call, with their weight there."""
    known = catalogue.window(window)
    helps, weights = (known.helps, known.weights) if known else ({}, {})
    waiting = [card for card in cards if card.state == "waiting"]
    sent = (f"window:{window}", f"clerk:{desk.clerk}")
    lengths: dict[str, int] = {}
    for card in waiting:
        if not card.line:
            lengths[card.item] = lengths.get(card.item, 0) + 1
    for card in waiting:
        item = card.item
        if card.line:
            if card.line in sent:
                yield card.id, 1
        elif item in desk.items or lengths[item] >= helps.get(item, 1_000_000):
            yield card.id, weights.get(item, 1)


def _urgency(card: Card, at: datetime, catalogue: Catalogue) -> tuple[int, float]:
    """Rank, and age as the policy weighs it, in milliseconds."""
    policy = catalogue.policy
    standing = getattr(policy, card.kind)
    age_ms = (at - card.due_at) // timedelta(milliseconds=1)
    match policy.name:
        case "first_come":
            return 0, age_ms
        case "fixed_credit":
            return 0, age_ms + standing.credit_s * 1000
        case "accumulating":
            return 0, age_ms * standing.rate + standing.credit_s * 1000
        case _:
            return standing.rank, age_ms
