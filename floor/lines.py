"""The waiting lines (等候): who stands where, in the order of the hall.

A ticket stands in one line, under one kind, at one due time. Whoever is put before
another ticket takes its standing, so that it goes before it under every call policy.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice

import msgspec

from floor.practice import BACK, KINDS, CallPolicy, Kind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Stand(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """Where a ticket stands: earlier due goes first, then the earlier turn.

    due_ms: from when it counts, milliseconds since 1970; before it was taken for a
        booked slot or a credit, else when it joined.
    turn: position of the fact that put it there.
    kind: under which the policy weighs it; not always the ticket's own.
    """

    due_ms: int
    turn: int
    kind: Kind


#: Rank, urgency, and the stand reversed: the greatest is called first.
Urgency = tuple[int, int, int, int]


class Weighing:
    """A call policy as numbers: how urgent a ticket is at an instant."""

    def __init__(self, policy: CallPolicy) -> None:
        self.policy = policy.name
        self._of = {kind: self._standing(policy, kind) for kind in KINDS}

    @staticmethod
    def _standing(policy: CallPolicy, kind: Kind) -> tuple[int, int, int]:
        standing = getattr(policy, kind)
        credit_ms = standing.credit_s * 1000
        match policy.name:
            case "first_come":
                return 0, 1, 0
            case "fixed_credit":
                return 0, 1, credit_ms
            case "accumulating":
                return 0, standing.rate, credit_ms
            case "strict":
                return standing.rank, 1, 0

    def of_kind(self, kind: Kind) -> tuple[int, int, int]:
        """Rank, rate and credit in milliseconds."""
        return self._of[kind]

    def urgency(self, stand: Stand, at_ms: int, weight: int = 1) -> Urgency:
        """Greater is called first; all differ while the turns do."""
        rank, rate, credit_ms = self._of[stand.kind]
        value = rate * (at_ms - stand.due_ms) + credit_ms
        if value > 0:  # Before its time no weight makes a ticket less urgent.
            value *= weight
        return rank, value, -stand.due_ms, -stand.turn


class Line:
    """The tickets waiting for one item, or for one window or clerk alone."""

    def __init__(self) -> None:
        self._by_kind: dict[Kind, list[tuple[Stand, str]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_kind.values()))

    def __iter__(self) -> Iterator[str]:
        """By due time alone, whatever the policy."""
        lists = self._by_kind.values()
        return (id for _, id in merge(*lists, key=lambda standing: standing[0]))

    def add(self, id: str, stand: Stand) -> None:
        """Stand behind all who are due before, and before whoever has this stand."""
        tickets = self._by_kind.setdefault(stand.kind, [])
        if not tickets or tickets[-1][0] < stand:
            tickets.append((stand, id))  # Nearly always.
        else:
            tickets.insert(bisect_left(tickets, (stand,)), (stand, id))

    def remove(self, id: str, stand: Stand) -> None:
        """Leave the line."""
        tickets = self._by_kind[stand.kind]
        place = bisect_left(tickets, (stand,))
        while tickets[place][1] != id:  # Some may share a stand.
            place += 1
        del tickets[place]

    def clear(self) -> None:
        self._by_kind.clear()

    def heads(self) -> Iterator[tuple[Stand, str]]:
        """The first of each kind: one of them is the next to be called."""
        return (tickets[0] for tickets in self._by_kind.values() if tickets)

    def before(self, stand: Stand) -> int:
        """How many have been due longer than this stand."""
        return sum(bisect_left(tickets, (stand,)) for tickets in self._by_kind.values())

    def ahead_of(self, id: str, stand: Stand, weighing: Weighing, at_ms: int) -> int:
        """How many are called before this ticket, were they called at this instant."""
        mine = weighing.urgency(stand, at_ms)
        ahead = 0
        for kind, tickets in self._by_kind.items():
            if kind == stand.kind:
                place = bisect_left(tickets, (stand,))
                ahead += place
                while tickets[place][1] != id:
                    place, ahead = place + 1, ahead + 1
            else:
                ahead += bisect_right(
                    tickets,
                    (-mine[0], -mine[1], -mine[2], -mine[3]),
                    key=lambda standing: _least_first(
                        weighing.urgency(standing[0], at_ms)
                    ),
                )
        return ahead

    def in_order(
        self, weighing: Weighing, at_ms: int, weight: int = 1
    ) -> Iterator[tuple[Urgency, str]]:
        """The tickets as they would be called at this instant, most urgent first."""

        def weighed(
            tickets: list[tuple[Stand, str]],
        ) -> Iterator[tuple[Urgency, str]]:
            for stand, id in tickets:
                yield weighing.urgency(stand, at_ms, weight), id

        lists = [weighed(tickets) for tickets in self._by_kind.values()]
        return merge(*lists, key=_urgency_of, reverse=True)

    def state(self) -> dict[Kind, list[tuple[Stand, str]]]:
        return {kind: tickets for kind, tickets in self._by_kind.items() if tickets}


def stand_at(
    line: Line,
    place: int,
    own: Stand,
    stand_of: Callable[[str], Stand],
    weighing: Weighing,
    at_ms: int,
) -> Stand:
    """Where a ticket stands that so many of the line are to stay ahead of."""
    if place == BACK:
        return own
    following = next(islice(line.in_order(weighing, at_ms), place, None), None)
    return own if following is None else stand_of(following[1])


def epoch_ms(at: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (at - EPOCH) // MILLISECOND


def _urgency_of(weighed: tuple[Urgency, str]) -> Urgency:
    return weighed[0]


def _least_first(urgency: Urgency) -> Urgency:
    rank, value, due, turn = urgency
    return -rank, -value, -due, -turn
