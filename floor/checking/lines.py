"""Who waits where, by the facts; and who is next there, by the policy in force.

A ticket stands in one line, under one kind, in the order of (due time, turn). Sorted
lists are enough: the next of a window is the head of one of them.
"""

from bisect import bisect_left
from collections.abc import Iterator

from floor.practice import CallPolicy

#: Due time in milliseconds, the position that gave the place, the ticket.
Standing = tuple[int, int, str]
#: The tickets of a line by the kind under which they are weighed.
ByKind = dict[str, list[Standing]]
#: Rank, urgency in milliseconds, and the standing reversed; the greatest goes first.
Urgency = tuple[int, int, int, int]
#: A line that a window may call from: its name, the tickets, the weight there.
Reach = tuple[str, ByKind, int]


class Weights:
    """The policy in force, as rank, rate and credit of each kind."""

    def __init__(self, policy: CallPolicy) -> None:
        self.name = policy.name
        self.of: dict[str, tuple[int, int, int]] = {}
        for kind in ("normal", "appointment", "priority", "care"):
            worth = getattr(policy, kind)
            rank = worth.rank if policy.name == "strict" else 0
            rate = worth.rate if policy.name == "accumulating" else 1
            credited = policy.name in ("fixed_credit", "accumulating")
            self.of[kind] = rank, rate, worth.credit_s * 1000 if credited else 0
        #: Whether age alone decides, so that nothing has to be weighed.
        self.plain = len(set(self.of.values())) == 1

    def urgency(
        self, kind: str, standing: Standing, at_ms: int, weight: int
    ) -> Urgency:
        """How urgent a ticket is. A weight counts only once its time has come."""
        rank, rate, credit_ms = self.of[kind]
        value = rate * (at_ms - standing[0]) + credit_ms
        return rank, value * weight if value > 0 else value, -standing[0], -standing[1]


class Lines:
    """All waiting lines of a day. `count` is how many wait in all of them."""

    def __init__(self) -> None:
        self.of: dict[str, ByKind] = {}
        self.count = 0

    def line(self, line: str) -> ByKind:
        """A line that stays the same object for the whole day."""
        return self.of.setdefault(line, {})

    def add(self, line: str, kind: str, standing: Standing) -> None:
        """Stand behind all who are due before, and before whoever is due the same."""
        self.count += 1
        tickets = self.of.setdefault(line, {}).setdefault(kind, [])
        if not tickets or tickets[-1][:2] < standing[:2]:
            tickets.append(standing)
        else:
            tickets.insert(bisect_left(tickets, standing[:2]), standing)

    def remove(self, line: str, kind: str, standing: Standing) -> None:
        self.count -= 1
        tickets = self.of[line][kind]
        if tickets[0] == standing:
            del tickets[0]
            return
        place = bisect_left(tickets, standing[:2])
        del tickets[tickets.index(standing, place)]

    def dissolve(self, line: str) -> Iterator[tuple[str, Standing]]:
        """Empty a line; gives who stood there, by kind."""
        by_kind = self.of.get(line, {})
        stood = [(kind, one) for kind, tickets in by_kind.items() for one in tickets]
        by_kind.clear()
        self.count -= len(stood)
        yield from sorted(stood, key=lambda one: one[1][:2])

    def at_place(
        self, line: str, place: int, weights: Weights, at_ms: int
    ) -> tuple[str, Standing] | None:
        """Whoever has so many of the line ahead; None when there are not so many."""
        if place < 0:
            return None
        by_kind = {kind: kept for kind, kept in self.of.get(line, {}).items() if kept}
        if len(by_kind) == 1:
            ((kind, kept),) = by_kind.items()
            return (kind, kept[place]) if place < len(kept) else None
        if place >= sum(map(len, by_kind.values())):
            return None
        nth = dict.fromkeys(by_kind, 0)
        while True:  # One step for each of those ahead.
            heads = [
                (weights.urgency(kind, by_kind[kind][n], at_ms, 1), kind)
                for kind, n in nth.items()
                if n < len(by_kind[kind])
            ]
            kind = max(heads)[1]
            if not place:
                return kind, by_kind[kind][nth[kind]]
            nth[kind] += 1
            place -= 1


def before(reach: list[Reach], standing: Standing) -> int:
    """How many of these lines have been due longer than this standing."""
    due_turn = standing[:2]
    passed = 0
    for _, by_kind, _ in reach:
        for tickets in by_kind.values():
            if tickets and tickets[0][:2] < due_turn:
                passed += bisect_left(tickets, due_turn)
    return passed


def most_urgent(
    reach: list[Reach], weights: Weights, at_ms: int
) -> tuple[Urgency, str] | None:
    """The ticket that must be called now; one of them, where two have one standing."""
    best: Urgency | None = None
    next_id = ""
    of = weights.of
    for _, by_kind, weight in reach:
        for kind, tickets in by_kind.items():
            if not tickets:
                continue
            # As in `Weights.urgency`, written out: this runs for each head of a line.
            due_ms, turn, id = tickets[0]
            rank, rate, credit_ms = of[kind]
            value = rate * (at_ms - due_ms) + credit_ms
            if value > 0:
                value *= weight
            if (
                best is None
                or value > best[1]
                or rank > best[0]
                or (value == best[1] and rank == best[0])
            ):
                urgency = rank, value, -due_ms, -turn
                if best is None or urgency > best:
                    best, next_id = urgency, id
    return None if best is None else (best, next_id)


def oldest(reach: list[Reach]) -> Standing | None:
    """The head that has been due longest; one of them, where two have one standing."""
    best: Standing | None = None
    for _, by_kind, _ in reach:
        for tickets in by_kind.values():
            if tickets and (best is None or tickets[0][:2] < best[:2]):
                best = tickets[0]
    return best
