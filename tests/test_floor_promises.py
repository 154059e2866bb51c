"""What the hall promises, whatever is pressed, lost, repeated or mistimed.

A hall on paper (paper.py) says beforehand what each command must come to; the hall
must do just that, and its log must tell the same story again.
"""

import copy
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from floor import commands, effects, facts, refusals
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day, advance, stream_of
from floor.facts import Entry
from floor.hall import STEP_MAX, Draft
from floor.lines import epoch_ms
from floor.log import Log, read
from floor.refusals import Refused
from floor.streams import setup_stream_of, stream_for
from paper import OPEN
from paper_hall import Paper
from presses import (
    CLERKS,
    PRESSED,
    SELDOM,
    WINDOWS,
    catalogues,
    filled_in,
    likely,
    odd,
)
from timeline import told

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


class Rules(RuleBasedStateMachine):
    """The rules and the day alone, in memory: many and long days."""

    @initialize(catalogue=catalogues())
    def open(self, catalogue: Catalogue) -> None:
        self.now = NINE
        published = facts.CataloguePublished(at=NINE, position=1, catalogue=catalogue)
        self.entries = [Entry(setup_stream_of(catalogue.hall), 1, published)]
        self.day = advance(None, self.entries[0])
        self.paper = Paper(catalogue, self.day.date)

    @rule(said=PRESSED, seconds=PAUSES)
    def press(self, said: Any, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.do(filled_in(said, self.paper))

    @rule(said=st.one_of(SELDOM), lot=st.integers(0, 19))
    def press_seldom(self, said: Any, lot: int) -> None:
        if lot == 13:
            self.do(filled_in(said, self.paper))

    @rule(window=WINDOWS, clerk=CLERKS, choices=CHOICES)
    def work(self, window: str, clerk: str, choices: list[int]) -> None:
        for nth in choices:
            self.now += nth % 40 * SECOND
            self.do(likely(self.paper, window, clerk, nth))

    def do(self, command: Command) -> None:
        before = self.day.digest()
        decided = asked(lambda: effects.decide(command, self.day, self.now))
        assert self.day.digest() == before
        expected = self.paper.press(command, self.now)
        SEEN[type(command).__name__] += not isinstance(decided, Refused)
        if isinstance(decided, Refused):
            SEEN[decided.code] += 1
            assert decided.code == expected, (command, decided)
            return
        (answer,) = (fact for fact in decided if effects.answers(command, fact))
        assert " ".join(told(answer)) == expected, (command, answer)
        for fact in decided:
            self.happen(fact)

    def happen(self, fact: facts.Fact) -> None:
        stream = stream_for(fact, "hall-1", self.day.date)
        version = 1 + sum(entry.stream == stream for entry in self.entries)
        position = len(self.entries) + 1
        numbered = msgspec.structs.replace(fact, position=position)
        self.entries.append(Entry(stream, version, numbered))
        self.day = advance(self.day, self.entries[-1])

    @invariant()
    def the_day_holds(self) -> None:
        if hasattr(self, "paper"):
            holds(self.day, self.paper)

    def teardown(self) -> None:
        if hasattr(self, "paper"):
            assert replayed(self.entries).digest() == self.day.digest()


def replayed(entries: list[Entry]) -> Day:
    day: Day | None = None
    for entry in entries:
        day = advance(day, entry)
    assert day is not None
    return day


class Hall(RuleBasedStateMachine):
    """The writer's draft on a real log: lost, repeated, mistimed, over days."""

    @initialize(
        catalogue=catalogues(),
        date=st.sampled_from([NINE, datetime(2026, 12, 30, 1, tzinfo=UTC)]),
    )
    def open(self, catalogue: Catalogue, date: datetime) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="promises-"))
        self.path = self.folder / "events.db"
        self.log = Log(self.path)
        self.draft = Draft(self.log, catalogue)
        self.draft.open(date)
        self.now = self.high = date
        self.paper = Paper(catalogue, catalogue.business_date(date))
        self.begun = True  # Whether anything in the log belongs to this day.
        self.done: Done = [{}, {}]
        self.before: tuple[Paper, Done] | None = None  # The last day that had begun.
        self.noted = timedelta()  # How far behind the clock is known to be.
        self.steps = 0
        self.presses = 0
        self.committed: list[Entry] = []
        self.commit()

    # ── What may happen ─────────────────────────────────────────────────────

    @rule(said=PRESSED, seconds=PAUSES)
    def press(self, said: Any, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.do(lambda: filled_in(said, self.paper))

    @rule(said=st.one_of(SELDOM), lot=st.integers(0, 19))
    def press_seldom(self, said: Any, lot: int) -> None:
        if lot == 13:
            self.do(lambda: filled_in(said, self.paper))

    @rule(window=WINDOWS, clerk=CLERKS, choices=CHOICES)
    def work(self, window: str, clerk: str, choices: list[int]) -> None:
        for nth in choices:
            self.now += nth % 40 * SECOND
            self.do(lambda nth=nth: likely(self.paper, window, clerk, nth))  # type: ignore[misc]

    def do(self, fill_in: Callable[[], Command]) -> None:
        self.presses += 1
        id = f"c{self.presses}"
        self.settle()
        command = msgspec.structs.replace(fill_in(), command_id=id)
        at = max(self.now, self.high)
        expected = self.paper.press(command, at)
        receipt = asked(lambda: self.draft.decide(command, self.now))
        SEEN[type(command).__name__] += not isinstance(receipt, Refused)
        if isinstance(receipt, Refused):
            SEEN[receipt.code] += 1
            assert receipt.code == expected, (command, receipt)
            return
        fact = receipt.entry.fact
        assert (" ".join(told(fact)), receipt.repeated) == (expected, False)
        assert (fact.at, fact.command) == (at, id)
        self.note(at)
        self.done[0][id] = (command, receipt.entry)

    @precondition(lambda self: any(self.done))
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        known = {**self.done[1], **self.done[0]}
        id = data.draw(st.sampled_from(sorted(known)))
        command, entry = known[id]
        pending = list(self.draft.pending)
        receipt = self.draft.decide(command, self.now)
        assert receipt.repeated
        assert receipt.entry == entry
        other = commands.TakeTicket(command_id=id, item="a", channel="import")
        with pytest.raises(refusals.CommandIdReused):
            self.draft.decide(other, self.now)
        assert self.draft.pending == pending

    @rule(seconds=st.integers(0, 600), ms=st.integers(0, 999))
    def time_passes(self, seconds: int, ms: int) -> None:
        self.now += timedelta(seconds=seconds, milliseconds=ms)

    @rule(seconds=st.integers(1, 7_200))
    def the_clock_goes_back(self, seconds: int) -> None:
        self.now -= timedelta(seconds=seconds)

    @rule()
    def the_clock_is_put_right(self) -> None:
        self.now = max(self.now, self.high + SECOND)

    @rule()
    def the_next_day_comes(self) -> None:
        """At 16:00 UTC it is midnight in Shanghai."""
        midnight = datetime.combine(self.paper.date, time(16), UTC)
        if self.now < midnight:
            self.now = midnight - timedelta(milliseconds=1)
            self.the_hall_looks_at_the_clock()
            assert self.draft.day.date == self.paper.date
            self.now = midnight
        self.the_hall_looks_at_the_clock()
        assert self.draft.day.date > (midnight - SECOND).date()

    @rule()
    def the_morning_comes(self) -> None:
        """And all that was booked for the day can be checked in."""
        self.the_next_day_comes()
        self.now = max(self.now, datetime.combine(self.paper.date, time(1), UTC))

    @rule(us=st.integers(0, 999))
    def the_hall_looks_at_the_clock(self, us: int = 0) -> None:
        self.settle()
        self.draft.turn_day(self.now + timedelta(microseconds=us))

    @rule()
    def commit(self) -> None:
        self.committed += self.draft.commit()
        self.saved = copy.deepcopy(self.kept())

    @rule()
    def the_commit_fails(self) -> None:
        """Memory is thrown away; what was not durable never happened."""
        assert self.draft.reload()
        self.back_to_what_is_saved()

    @rule()
    def the_process_dies(self) -> None:
        self.log.close()
        self.log = Log(self.path)
        self.back_to_what_is_saved()
        self.draft = Draft(self.log, self.paper.catalogue)
        now, self.now = self.now, self.high
        self.settle()
        self.draft.open(self.high)
        self.now = now
        assert self.draft.pending == []

    # ── How the paper keeps up ──────────────────────────────────────────────

    def kept(self) -> Any:
        return (self.paper, self.begun, self.before, self.done, self.high,
                self.noted, self.steps)  # fmt: skip

    def back_to_what_is_saved(self) -> None:
        (self.paper, self.begun, self.before, self.done, self.high,
         self.noted, self.steps) = copy.deepcopy(self.saved)  # fmt: skip
        # A day that began without anything is not in the log.
        if not self.begun:
            assert self.before is not None
            self.paper, self.done = self.before
            self.begun = True

    def settle(self) -> None:
        """What the hall does by itself before it decides."""
        behind = self.high - self.now
        if behind > self.noted + STEP_MAX:
            self.steps += 1
            self.noted = behind
            self.paper.facts += 1
            self.begun = True
        at = max(self.now, self.high)
        date = self.paper.catalogue.business_date(at)
        if date > self.paper.date:
            over = self.paper
            absent = over.still_missing(at)
            if over.facts and not over.closed:
                over.close()
                self.note(at)
            if self.begun:
                self.before = (over, self.done)
            self.done = [{}, self.done[0]]  # Today's and yesterday's are known.
            self.paper = Paper(over.catalogue, date, copy.deepcopy(over.slips))
            self.begun = False
            for id, slip in over.slips.items():
                if slip in absent:
                    self.paper.slips[id].state = "missed"
                    self.note(at)

    def note(self, at: datetime) -> None:
        """A fact happened at this instant."""
        self.begun = True
        if at > self.high:
            self.noted = timedelta()
        self.high = max(self.high, at)

    # ── What must hold ──────────────────────────────────────────────────────

    @invariant()
    def the_day_holds(self) -> None:
        if hasattr(self, "paper"):
            assert self.draft.day.date == self.paper.date
            assert self.draft.day.stream == stream_of("hall-1", self.paper.date)
            holds(self.draft.day, self.paper)

    def teardown(self) -> None:
        if not hasattr(self, "paper"):
            return
        try:
            self.commit()
            live = self.draft.day
            self.log.close()
            self.check(list(read(self.path)), live)
        finally:
            self.log.close()
            shutil.rmtree(self.folder)

    def check(self, entries: list[Entry], live: Day) -> None:
        assert entries == self.committed
        assert [e.position for e in entries] == list(range(1, len(entries) + 1))
        instants = [entry.fact.at for entry in entries]
        assert instants == sorted(instants)
        assert not any(at.microsecond % 1000 for at in instants)
        steps = [e for e in entries if isinstance(e.fact, facts.ClockStepped)]
        assert len(steps) == self.steps
        ids = [e.fact.command for e in entries if e.fact.command]
        assert len(ids) == len(set(ids)), "A command had two effects."
        for stream in {entry.stream for entry in entries}:
            versions = [e.version for e in entries if e.stream == stream]
            assert versions == list(range(1, len(versions) + 1))
        if self.begun:
            for cut in {1, 1 + len(entries) // 2}:
                day = replayed(entries[:cut])
                for entry in entries[cut:]:
                    day = advance(day, entry)
                assert day.digest() == live.digest()
            with Log(self.path) as held:
                again = Draft(held, live.catalogue).day
                assert again.digest() == live.digest()


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
WALK_STEPS = 300
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


def test_the_rules_keep_their_promises() -> None:
    kept(Rules, 60)


@given(catalogues(), st.integers(0, 2**32))
@settings(max_examples=40 * TIMES, deadline=None, derandomize=True)
def walks(catalogue: Catalogue, seed: int) -> None:
    """A long day by chance: deeper than a search that looks for the shortest."""
    chance = Random(seed)
    machine = Rules()
    machine.open(catalogue)
    for _ in range(WALK_STEPS):
        machine.now += chance.choice([0, 1, 5, 30, 31, 60, 90]) * SECOND
        window, clerk = chance.choice("123"), chance.choice("xyz")
        if chance.random() < 0.2:
            machine.do(odd(machine.paper, chance))
        else:
            nth = chance.randrange(200)
            machine.do(likely(machine.paper, window, clerk, nth))
        machine.the_day_holds()
    machine.teardown()


def test_long_days_by_chance_keep_their_promises() -> None:
    before = SEEN.copy()
    walks()
    seen = SEEN - before
    # Closing the hall would end the walk.
    shapes = {shape.__name__ for shape in set(effects.EFFECTS)}
    assert shapes - seen.keys() <= {"CloseHall", "ReopenHall"}


def test_the_writer_and_its_log_keep_their_promises() -> None:
    kept(Hall, 60)
