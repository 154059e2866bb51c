"""The waiting lines (等候): who stands where, in the order of the hall.

A ticket stands in one line, under one kind, at one due time. Whoever is put before
another ticket takes its standing, so that it goes before it under every call policy.
No two tickets have the same stand.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from operator import itemgetter

import msgspec

from floor.practice import BACK, KINDS, CallPolicy, Kind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

#: Ends each path: whoever was put before a ticket sorts before it.
ITSELF = 1 << 62


class Stand(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """Where a ticket stands: earlier due goes first, then the earlier turn.

    due_ms: from when it counts, milliseconds since 1970; before it was taken for a
        booked slot or a credit, else when it joined.
    turn: position of the fact that put it there.
    kind: under which the policy weighs it; not always the ticket's own.
    path: of those put before the same ticket, the later goes after the earlier;
        turns of the facts that put it there, and `ITSELF` at the end.
    """

    due_ms: int
    turn: int
    kind: Kind
    path: tuple[int, ...] = (ITSELF,)

    def before(self, turn: int) -> "Stand":
        """Directly before this one, put there by the fact of this turn."""
        path = (*self.path[:-1], turn, ITSELF)
        return Stand(self.due_ms, self.turn, self.kind, path)


#: Rank and age as weighed, both negative, and the stand: the least is called first.
Urgency = tuple[int, int, Stand]


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

    def urgency(self, stand: Stand, at_ms: int, weight: int = 1) -> Urgency:
        """The least is called first, and no two are equal."""
        rank, rate, credit_ms = self._of[stand.kind]
        value = rate * (at_ms - stand.due_ms) + credit_ms
        if value > 0:  # Before its time no weight makes a ticket less urgent.
            value *= weight
        return -rank, -value, stand


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
        """Stand behind all whose stand is before."""
        tickets = self._by_kind.setdefault(stand.kind, [])
        if not tickets or tickets[-1][0] < stand:
            tickets.append((stand, id))  # Nearly always.
        else:
            tickets.insert(bisect_left(tickets, (stand,)), (stand, id))

    def remove(self, id: str, stand: Stand) -> None:
        """Leave the line."""
        tickets = self._by_kind[stand.kind]
        # Whoever leaves is the first, nearly always.
        place = 0 if tickets[0][1] == id else bisect_left(tickets, (stand,))
        assert tickets[place][1] == id, f"{id} is not where it stands."
        del tickets[place]

    def clear(self) -> None:
        self._by_kind.clear()

    def heads(self) -> Iterator[tuple[Stand, str]]:
        """The first of each kind: one of them is the next to be called."""
        return (tickets[0] for tickets in self._by_kind.values() if tickets)

    def before(self, stand: Stand) -> int:
        """How many have been due longer than this stand."""
        return sum(bisect_left(tickets, (stand,)) for tickets in self._by_kind.values())

    def ahead_of(self, stand: Stand, weighing: Weighing, at_ms: int) -> int:
        """How many are called before this stand, were they called at this instant."""
        mine = weighing.urgency(stand, at_ms)

        def urgency(standing: tuple[Stand, str]) -> Urgency:
            return weighing.urgency(standing[0], at_ms)

        return sum(
            bisect_left(tickets, (stand,))
            if kind == stand.kind
            else bisect_left(tickets, mine, key=urgency)
            for kind, tickets in self._by_kind.items()
        )

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
        return merge(*lists, key=itemgetter(0))

    def state(self) -> dict[Kind, list[tuple[Stand, str]]]:
        return {kind: tickets for kind, tickets in self._by_kind.items() if tickets}


def stand_at(
    line: Line, place: int, own: Stand, weighing: Weighing, at_ms: int
) -> Stand:
    """Where a ticket stands that so many of the line are to stay ahead of.

    Those who are not due yet (checked in early) do not count: whoever stood before
    or behind them would wait for their slot as well.

    own: where it would stand if it came now.
    """
    order = (urgency for urgency, _ in line.in_order(weighing, at_ms))
    due = (urgency for urgency in order if urgency[-1].due_ms <= at_ms)
    ahead = list(due) if place == BACK else list(islice(due, place + 1))
    if place != BACK and len(ahead) > place:
        return ahead[place][-1].before(own.turn)
    if not ahead or ahead[-1] < weighing.urgency(own, at_ms):
        return own
    # Its kind would bring it forward again, so it stands under that of the last.
    return Stand(own.due_ms, own.turn, ahead[-1][-1].kind)


def epoch_ms(at: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (at - EPOCH) // MILLISECOND
