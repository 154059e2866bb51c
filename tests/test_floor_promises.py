"""What the hall promises, whatever is pressed, lost, repeated or mistimed.

A hall on paper (paper.py) says beforehand what each command must come to; the hall
must do just that, and its log must tell the same story again.
"""

from datetime import timedelta
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from floor import effects, facts
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import advance
from floor.facts import Entry
from floor.refusals import Refused
from floor.streams import setup_stream_of, stream_for
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
from promises import (
    CHOICES,
    NINE,
    PAUSES,
    SECOND,
    SEEN,
    TIMES,
    asked,
    holds,
    kept,
    replayed,
)
from timeline import told

WALK_STEPS = 300


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
            assert decided.code == expected, (command, decided, expected)
            return
        (answer,) = (fact for fact in decided if effects.answers(command, fact))
        assert " ".join(told(answer)) == expected, (command, answer, expected)
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
