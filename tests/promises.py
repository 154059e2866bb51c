"""What tests of the promises share: what must hold, and how long is looked."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    run_state_machine_as_test,
)

from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry
from floor.lines import epoch_ms
from floor.refusals import Refused
from paper import OPEN
from paper_hall import Paper

NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
#: Around the seconds that catalogues demand.
PAUSES = st.sampled_from([0, 1, 5, 29, 30, 31, 60, 600, 900, 1800, 3600])
#: What is chosen of what is likely, and the seconds until it is pressed.
CHOICES = st.lists(st.integers(0, 99), min_size=1, max_size=9)
#: How often each command came to something, and to which refusals.
SEEN: Counter[str] = Counter()
ON_CARD = (
    *("id", "item", "kind", "person", "then", "state", "line", "placed"),
    *("window", "clerk", "calls", "returns", "defers", "taken_at"),
)
T = TypeVar("T")
Done = list[dict[str, tuple[Command, Entry]]]


def asked(decide: Callable[[], T]) -> T | Refused:
    """What was decided, or the refusal."""
    try:
        return decide()
    except Refused as refusal:
        return refusal


def holds(day: Day, paper: Paper) -> None:
    """The whole day is what stands on paper, and keeps the promises of the floor."""
    assert day.closed == paper.closed
    for ticket, card in zip(day.tickets.values(), paper.cards.values(), strict=True):
        for name in ON_CARD:
            assert getattr(ticket, name) == getattr(card, name), (ticket, vars(card))
        assert (ticket.level is not None) == card.rated
        over = ticket.state not in OPEN
        assert over == (ticket.ended_at is not None)
    for id, place in day.places.items():
        desk = paper.desks[id]
        for name in ("state", "clerk", "items", "ticket", "last"):
            assert getattr(place, name) == getattr(desk, name), (place, vars(desk))
        assert list(place.held) == desk.held
    at = day.last_at or NINE
    in_line = Counter[str]()
    for id, line in day.lines.items():
        order = [ticket for _, ticket in line.in_order(day.weighing, epoch_ms(at))]
        assert order == [card.id for card in paper.in_line(id, at)], id
        assert [day.ahead(day.tickets[ticket]) for ticket in order] == list(
            range(len(order))
        )
        in_line.update(order)
    in_hand = Counter(
        id for p in day.places.values() for id in (p.ticket, *p.held) if id
    )
    for ticket in day.tickets.values():
        assert in_line[ticket.id] == (ticket.state == "waiting")
        assert in_hand[ticket.id] == (ticket.state in ("called", "serving", "held"))
    states = {id: slip.state for id, slip in paper.slips.items()}
    assert {b.id: b.state for b in day.bookings.by_id.values()} == states


def replayed(entries: list[Entry]) -> Day:
    day: Day | None = None
    for entry in entries:
        day = advance(day, entry)
    assert day is not None
    return day


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
#: `JIAOHAO_PROMISES=50` looks fifty times as long.
TIMES = int(os.environ.get("JIAOHAO_PROMISES", "1"))


def kept(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * TIMES,
            stateful_step_count=60,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=QUIET,
        ),
    )
