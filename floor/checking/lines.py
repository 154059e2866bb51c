"""Who waits where, by the facts; and who is next there, by the policy in force.

A ticket stands in one line, under one kind, in the order of (due time, turn). Sorted
lists are enough: the next of a window is the head of one of them.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge
from itertools import islice

from floor.practice import CallPolicy

#: Due time in milliseconds, the position that gave the place, the positions that put
#: tickets before that one, and the ticket. No two tickets stand at the same place.
Standing = tuple[int, int, tuple[int, ...], str]
#: The tickets of a line by the kind under which they are weighed.
ByKind = dict[str, list[Standing]]
#: The kind under which a ticket is weighed, and where it stands.
Placed = tuple[str, Standing]
#: Rank and urgency, both negative, and the standing; the least goes first.
Urgency = tuple[int, int, Standing]
#: Ends the way to a place: whoever was put before a ticket sorts before it.
LAST = 1 << 62
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
        return -rank, -(value * weight if value > 0 else value), standing


class Lines:
    """All waiting lines of a day. `count` is how many wait in all of them."""

    def __init__(self) -> None:
        self.of: dict[str, ByKind] = {}
        self.count = 0

    def line(self, line: str) -> ByKind:
        """A line that stays the same object for the whole day."""
        return self.of.setdefault(line, {})

    def add(self, line: str, kind: str, standing: Standing) -> None:
        """Stand behind all who stand before."""
        self.count += 1
        tickets = self.of.setdefault(line, {}).setdefault(kind, [])
        if not tickets or tickets[-1] < standing:
            tickets.append(standing)
        else:
            insort(tickets, standing)

    def remove(self, line: str, kind: str, standing: Standing) -> None:
        self.count -= 1
        tickets = self.of[line][kind]
        place = 0 if tickets[0] == standing else bisect_left(tickets, standing)
        assert tickets[place] == standing, "Each ticket is where it stands."
        del tickets[place]

    def dissolve(self, line: str) -> Iterator[tuple[str, Standing]]:
        """Empty a line; gives who stood there, by kind."""
        by_kind = self.of.get(line, {})
        stood = [(kind, one) for kind, tickets in by_kind.items() for one in tickets]
        by_kind.clear()
        self.count -= len(stood)
        yield from sorted(stood, key=lambda one: one[1])

    def at_place(
        self, line: str, place: int, own: Placed, weights: Weights, at_ms: int
    ) -> Placed:
        """Where a ticket stands that so many of the line are to stay ahead of.

        Only those who are due count; -1 is behind all of them. Whoever would come
        forward again by its kind stands under the kind of the last one ahead.
        """
        by_kind = self.of.get(line, {})
        if weights.plain:  # Age alone decides: all who are due go before `own`.
            in_order = merge(*by_kind.values())
            behind = next(islice(in_order, place, None), None) if place >= 0 else None
            if behind is None or behind[0] > at_ms:
                return own
            kind = next(k for k, tickets in by_kind.items() if behind in tickets)
            return kind, _before(behind, own[1])
        due = [
            (weights.urgency(kind, one, at_ms, 1), kind)
            for kind, tickets in by_kind.items()
            for one in tickets
            if one[0] <= at_ms
        ]
        due.sort()
        if 0 <= place < len(due):
            (_, _, behind), kind = due[place]
            return kind, _before(behind, own[1])
        if not due or due[-1][0] < weights.urgency(*own, at_ms, 1):
            return own
        return due[-1][1], own[1]


def _before(behind: Standing, own: Standing) -> Standing:
    """Directly before another, and behind all who were put there earlier."""
    due_ms, turn, path, _ = behind
    return due_ms, turn, (*path[:-1], own[1], LAST), own[3]


def before(reach: list[Reach], standing: Standing) -> int:
    """How many of these lines have been due longer than this standing."""
    passed = 0
    for _, by_kind, _ in reach:
        for tickets in by_kind.values():
            if tickets and tickets[0] < standing:
                passed += bisect_left(tickets, standing)
    return passed


def most_urgent(reach: list[Reach], weights: Weights, at_ms: int) -> Standing | None:
    """The one that must be called now."""
    best: Urgency | None = None
    of = weights.of
    for _, by_kind, weight in reach:
        for kind, tickets in by_kind.items():
            if not tickets:
                continue
            # As in `Weights.urgency`, written out: this runs for each head of a line.
            head = tickets[0]
            rank, rate, credit_ms = of[kind]
            value = rate * (at_ms - head[0]) + credit_ms
            if value > 0:
                value *= weight
            urgency = -rank, -value, head
            if best is None or urgency < best:
                best = urgency
    return None if best is None else best[2]


def oldest(reach: list[Reach]) -> Standing | None:
    """The head that has been due longest."""
    best: Standing | None = None
    for _, by_kind, _ in reach:
        for tickets in by_kind.values():
            if tickets and (best is None or tickets[0] < best):
                best = tickets[0]
    return best
