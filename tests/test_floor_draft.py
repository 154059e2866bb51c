"""What the writer and its log promise, whatever is lost, repeated or mistimed.

The hall on paper says beforehand what each command must come to, over days and
quarters; what was not durable never happened, and a restart knows what it must.
"""

import copy
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from floor import commands, facts, refusals
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day, advance, stream_of
from floor.facts import Entry
from floor.hall import STEP_MAX, Draft
from floor.log import Log, read
from floor.refusals import Refused
from paper_hall import Paper
from presses import (
    CLERKS,
    PRESSED,
    SELDOM,
    WINDOWS,
    catalogues,
    filled_in,
    likely,
)
from promises import (
    CHOICES,
    NINE,
    PAUSES,
    SECOND,
    SEEN,
    Done,
    asked,
    holds,
    kept,
    replayed,
)
from timeline import told


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
            assert receipt.code == expected, (command, receipt, expected)
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
            assert self.draft.day.date <= self.paper.date
            self.now = midnight
        self.the_hall_looks_at_the_clock()
        assert self.paper.date > (midnight - SECOND).date()

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
        self.forget_a_day_without_a_fact()

    def forget_a_day_without_a_fact(self) -> None:
        """It is not in the log, and when the clock goes back it has not come yet."""
        if not self.begun:
            assert self.before is not None
            self.paper, self.done = self.before
            self.begun = True

    def settle(self) -> None:
        """What the hall does by itself before it decides."""
        self.forget_a_day_without_a_fact()
        behind = self.high - self.now
        if behind > self.noted + STEP_MAX:
            self.turn(self.high)
            self.steps += 1
            self.noted = behind
            self.paper.facts += 1
            self.begun = True
        self.turn(max(self.now, self.high))

    def turn(self, at: datetime) -> None:
        """The day of this instant comes, and closes one that was left open."""
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
            self.forget_a_day_without_a_fact()
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


def test_the_writer_and_its_log_keep_their_promises() -> None:
    kept(Hall, 60)
