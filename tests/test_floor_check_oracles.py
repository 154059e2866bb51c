"""What must come out when nothing is lost between two visitors: theory as an oracle.

A tiny simulator of one line (Kiefer and Wolfowitz: whoever is first goes to the window
that is free first) against the real rules, and both against what the check computes.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from heapq import heapify, heapreplace
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowd import POLICIES, Memory
from floor import commands, facts
from floor.catalogue import Catalogue, Item, Window
from floor.checking.findings import Findings
from floor.checking.whole import check_log
from floor.commands import Command
from floor.facts import Entry, Fact
from floor.hall import Draft
from floor.log import Log
from floor.practice import CallPolicy, Kind

NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
KINDS: tuple[Kind, ...] = ("normal", "priority", "care")

#: Seconds since the one before, seconds of service, and the kind of ticket.
Visitor = tuple[int, int, Kind]
VISITORS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 120), st.sampled_from(KINDS)),
    min_size=1,
    max_size=30,
)


def hall(windows: int, policy: CallPolicy) -> Catalogue:
    return Catalogue(
        hall="h",
        name="厅",
        name_en="Hall",
        policy=policy,
        items=(Item(id="a", name="甲", name_en="A", prefix="A"),),
        windows=tuple(
            Window(id=f"{n}", name="窗", name_en="W", department="x", items=("a",))
            for n in range(windows)
        ),
    )


def served(
    visitors: Sequence[Visitor], windows: int = 1, policy: CallPolicy = POLICIES[0]
) -> list[Entry]:
    """The log of a hall whose clerks lose no time, by the real rules."""
    memory = Memory()
    draft = Draft(cast(Log, memory), hall(windows, policy))
    draft.open(NINE)

    def do(command: Command, second: int) -> Fact:
        return draft.decide(command, NINE + timedelta(seconds=second)).entry.fact

    for n in range(windows):
        do(commands.OpenWindow(window=f"{n}", clerk=f"c{n}"), 0)
    come, at = [], 0
    for gap, service, kind in visitors:
        at += gap
        come.append((at, service, kind))
    takes: dict[str, int] = {}
    busy: dict[str, int] = {}  # Until when.
    while come or busy or len(takes):
        now = min([*busy.values(), *(second for second, _, _ in come[:1])])
        for window in [w for w, until in busy.items() if until == now]:
            do(commands.FinishService(window=window), now)
            del busy[window]
        while come and come[0][0] == now:
            _, service, kind = come.pop(0)
            taken = do(commands.TakeTicket(item="a", kind=kind), now)
            takes[cast(facts.TicketTaken, taken).ticket] = service
        for window in [f"{n}" for n in range(windows) if f"{n}" not in busy]:
            if takes:
                called = cast(
                    facts.TicketCalled, do(commands.CallNext(window=window), now)
                )
                do(commands.StartService(window=window), now)
                busy[window] = now + takes.pop(called.ticket)
    draft.commit()
    return memory.entries


def seconds(entries: Sequence[Entry], kind: type[Fact]) -> list[int]:
    """When facts of a kind happened."""
    second = timedelta(seconds=1)
    return [
        (entry.fact.at - NINE) // second
        for entry in entries
        if isinstance(entry.fact, kind)
    ]


def simulated(visitors: Sequence[Visitor], windows: int) -> list[int]:
    """When each visitor is called, first come, first served."""
    free = [0] * windows
    heapify(free)
    at, calls = 0, []
    for gap, service, _ in visitors:
        at += gap
        called = max(at, free[0])
        heapreplace(free, called + service)
        calls.append(called)
    return calls


def clean(entries: Sequence[Entry]) -> Findings:
    findings = check_log(entries)
    assert findings.violations == []
    return findings


@settings(max_examples=60, deadline=None)
@given(VISITORS)
def test_lindley_gives_every_call_of_a_window_alone(visitors: list[Visitor]) -> None:
    """I12: each wait follows from the wait before, to the millisecond."""
    entries = served(visitors)
    assert seconds(entries, facts.TicketCalled) == simulated(visitors, 1)
    rates = clean(entries).rates
    assert rates.lindley == rates.lindley_exact == len(visitors) - 1
    assert rates.slips == rates.idle_ms == 0


@settings(max_examples=60, deadline=None)
@given(VISITORS, st.integers(1, 4))
def test_the_rules_call_when_theory_does(visitors: list[Visitor], windows: int) -> None:
    """I6, I7 and I12 with several windows."""
    entries = served(visitors, windows)
    assert seconds(entries, facts.TicketCalled) == simulated(visitors, windows)
    rates = clean(entries).rates
    assert rates.slips == rates.idle_ms == rates.overtaking == 0
    assert rates.waited_ms == 1000 * sum(
        called - came
        for called, came in zip(
            simulated(visitors, windows),
            seconds(entries, facts.TicketTaken),
            strict=True,
        )
    )


@settings(max_examples=200, deadline=None)
@given(VISITORS, st.integers(1, 4), st.integers(0, 29), st.integers(1, 120))
def test_one_window_more_or_one_visitor_more(
    visitors: list[Visitor], windows: int, place: int, service: int
) -> None:
    """I14: a window more calls nobody later, a visitor more calls nobody earlier."""
    calls = simulated(visitors, windows)
    with_window = simulated(visitors, windows + 1)
    assert all(a <= b for a, b in zip(with_window, calls, strict=True))
    place %= len(visitors)
    one_more = [*visitors[:place], (0, service, KINDS[0]), *visitors[place:]]
    # The one who comes takes the gap of the one after: all others come as before.
    gap = one_more[place + 1][0]
    one_more[place] = (gap, service, KINDS[0])
    one_more[place + 1] = (0, *one_more[place + 1][1:])
    crowded = simulated(one_more, windows)
    del crowded[place]
    assert all(a >= b for a, b in zip(crowded, calls, strict=True))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.just(45), st.sampled_from(KINDS)), min_size=2
    ),
    st.integers(1, 3),
)
def test_priority_moves_waits_and_makes_none(
    visitors: list[Visitor], windows: int
) -> None:
    """I11: with services alike, whoever goes first, windows are free when they were."""
    logs = [served(visitors, windows, policy) for policy in POLICIES]
    findings = [clean(log) for log in logs]
    ends = [Counter(seconds(log, facts.ServiceFinished)) for log in logs]
    assert all(end == ends[0] for end in ends)
    conserved = [found.rates.conserved for found in findings]
    assert conserved == pytest.approx([conserved[0]] * len(POLICIES))


def test_the_statistic_tells_another_load_apart() -> None:
    visitors: list[Visitor] = [(10, 45, "normal")] * 20
    slower = [(gap, 50, kind) for gap, _, kind in visitors]
    one, other = clean(served(visitors)), clean(served(slower))
    assert one.rates.conserved > 0
    assert one.rates.conserved != pytest.approx(other.rates.conserved, rel=0.05)


@settings(max_examples=40, deadline=None)
@given(VISITORS, st.integers(1, 3), st.sampled_from(POLICIES))
def test_nobody_reads_what_is_to_come(
    visitors: list[Visitor], windows: int, policy: CallPolicy
) -> None:
    """I15: what the check says of a call does not change with what comes after it."""
    entries = served(visitors, windows, policy)
    cut = len(entries) // 2
    spoilt = [
        Entry(e.stream, e.version, msgspec.structs.replace(e.fact, passed=99))
        if isinstance(e.fact, facts.TicketCalled) and e.position > cut
        else e
        for e in entries
    ]
    early = [v for v in check_log(spoilt).violations if v.positions[0] <= cut]
    assert early == check_log(entries[:cut]).violations == []
