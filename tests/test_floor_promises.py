"""What the hall promises, whatever is pressed, lost, repeated or mistimed.

A naive model of the hall says beforehand what each command must do; the hall must do
just that, and its log must tell the same story again.
"""

import copy
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from floor import commands, effects, facts, refusals
from floor.catalogue import Catalogue, Hours, Item, Window
from floor.commands import Command
from floor.day import Day, advance, stream_of
from floor.facts import Entry, Level
from floor.hall import STEP_MAX, Draft
from floor.log import Log, read
from floor.refusals import Refused

HALL = Catalogue(
    hall="hall-1",
    name="小厅",
    name_en="Small hall",
    hours=Hours(),
    items=(
        Item(id="a", name="甲", name_en="A", prefix="A"),
        Item(id="b", name="乙", name_en="B", prefix="B"),
    ),
    windows=(
        Window(id="1", name="一", name_en="1", department="x", items=("a", "b")),
        Window(id="2", name="二", name_en="2", department="x", items=("b",)),
        Window(id="3", name="三", name_en="3", department="x", items=("a",)),
    ),
)
NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
T = TypeVar("T")

WINDOWS = st.sampled_from(["1", "2", "3"])
TICKETS = st.sampled_from([f"{p}{n:03d}" for n in range(1, 6) for p in "AB"])


def _at(kind: type[Command]) -> st.SearchStrategy[Command]:
    return st.builds(kind, window=WINDOWS)


COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(commands.TakeTicket, item=st.sampled_from(["a", "b"])),
    _at(commands.CallNext),
    _at(commands.StartService),
    _at(commands.FinishService),
    st.builds(commands.OpenWindow, window=WINDOWS, clerk=st.sampled_from(["x", "y"])),
    _at(commands.RecallTicket),
    _at(commands.DeclareNoShow),
    _at(commands.PauseWindow),
    _at(commands.ResumeWindow),
    _at(commands.CloseWindow),
    st.builds(commands.CallTicket, window=WINDOWS, ticket=TICKETS),
    st.builds(commands.StartService, window=WINDOWS, ticket=TICKETS),
    st.builds(commands.AbandonTicket, ticket=TICKETS),
    st.builds(commands.InviteEvaluation, window=WINDOWS),
    st.builds(commands.Evaluate, ticket=TICKETS, level=st.sampled_from(list(Level))),
)


def a_good_service(window: str) -> list[Command]:
    """What a clerk presses when all goes well, so that days get beyond the start."""
    return [
        commands.OpenWindow(window=window, clerk=f"c{window}"),
        commands.TakeTicket(item="b" if window == "2" else "a"),
        commands.TakeTicket(item="b"),
        commands.CallNext(window=window),
        commands.StartService(window=window),
        commands.FinishService(window=window),
        commands.InviteEvaluation(window=window),
    ]


class Model:
    """One day of the hall, as a child would keep it on paper."""

    def __init__(self, before: "Model | None" = None) -> None:
        self.before = before
        self.facts = 0
        self.closed = False
        self.state: dict[str, str] = {}  # Of each ticket, in the order of taking.
        self.served_at: dict[str, str] = {}
        self.rated: set[str] = set()
        self.clerk: dict[str, str] = {}  # Of each open window.
        self.paused: set[str] = set()
        self.hand: dict[str, str] = {}
        self.last: dict[str, str] = {}
        self.done: dict[str, tuple[Command, Entry]] = {}

    def known(self) -> dict[str, tuple[Command, Entry]]:
        return {**(self.before.done if self.before else {}), **self.done}

    def expect(self, command: Command) -> str:
        """The ticket or window that the command is about, or the refusal's name."""
        match command:
            case commands.TakeTicket():
                if self.closed:
                    return "HallIsClosed"
                prefix = command.item.upper()
                count = sum(ticket.startswith(prefix) for ticket in self.state)
                return f"{prefix}{count + 1:03d}"
            case commands.AbandonTicket():
                if command.ticket not in self.state:
                    return "UnknownTicket"
                waits = self.state[command.ticket] == "waiting"
                return command.ticket if waits else "TicketNotWaiting"
            case commands.Evaluate():
                return self._rates(command.ticket)
            case commands.InviteEvaluation():
                last = self.last.get(command.window, "")
                return self._rates(last) if last else "NobodyToInvite"
            case commands.CloseHall():
                return "HallIsClosed" if self.closed else ""
        return self._at_window(command, getattr(command, "window", ""))

    def _rates(self, ticket: str) -> str:
        if ticket not in self.state:
            return "UnknownTicket"
        if self.state[ticket] != "served":
            return "NotServedYet"
        return "AlreadyEvaluated" if ticket in self.rated else ticket

    def _at_window(self, command: Command, window: str) -> str:
        if self.closed:
            return "HallIsClosed"
        if isinstance(command, commands.OpenWindow):
            if window in self.clerk:
                return "WindowAlreadyOpen"
            taken = command.clerk in self.clerk.values()
            return "ClerkElsewhere" if taken else window
        if window not in self.clerk:
            return "WindowNotOpen"
        hand = self.hand.get(window, "")
        match command:
            case commands.ResumeWindow():
                return window if window in self.paused else "WindowNotPaused"
            case commands.CloseWindow():
                return "WindowBusy" if hand else window
            case commands.PauseWindow() | commands.CallNext() | commands.CallTicket():
                if hand:
                    return "WindowBusy"
                if window in self.paused:
                    return "WindowOnPause"
                if isinstance(command, commands.PauseWindow):
                    return window
                return self._calls(command, window)
        if not hand:
            return "NothingCalled"
        if getattr(command, "ticket", "") not in ("", hand):
            return "TicketNotHere"
        if isinstance(command, commands.FinishService):
            return hand if self.state[hand] == "serving" else "NotStarted"
        return hand if self.state[hand] == "called" else "AlreadyStarted"

    def _calls(self, command: Command, window: str) -> str:
        letters = {"1": "AB", "2": "B", "3": "A"}[window]
        waiting = [t for t, state in self.state.items() if state == "waiting"]
        if isinstance(command, commands.CallTicket):
            if command.ticket not in self.state:
                return "UnknownTicket"
            if command.ticket not in waiting:
                return "TicketNotWaiting"
            return command.ticket if command.ticket[0] in letters else "ItemNotAtWindow"
        # First come, first served, among those whom the window can serve.
        return next((t for t in waiting if t[0] in letters), "NobodyWaiting")

    def happen(self, command: Command, about: str) -> None:
        window = getattr(command, "window", "")
        match command:
            case commands.TakeTicket():
                self.state[about] = "waiting"
            case commands.AbandonTicket():
                self.state[about] = "abandoned"
            case commands.Evaluate():
                self.rated.add(about)
            case commands.CallNext() | commands.CallTicket():
                self.hand[window], self.state[about] = about, "called"
            case commands.StartService():
                self.state[about] = "serving"
            case commands.DeclareNoShow():
                del self.hand[window]
                self.state[about] = "no_show"
            case commands.FinishService():
                del self.hand[window]
                self.state[about], self.served_at[about] = "served", window
                self.last[window] = about
            case commands.OpenWindow():
                self.clerk[window] = command.clerk
                self.last.pop(window, None)
            case commands.PauseWindow():
                self.paused.add(window)
            case commands.ResumeWindow():
                self.paused.discard(window)
            case commands.CloseWindow():
                del self.clerk[window]
                self.paused.discard(window)
                self.last.pop(window, None)
            case commands.CloseHall():
                self.close()

    def close(self) -> None:
        self.closed = True
        ended = ("waiting", "called", "serving")
        self.state = {t: "closed" if s in ended else s for t, s in self.state.items()}
        self.clerk, self.hand, self.last = {}, {}, {}
        self.paused = set()


def holds(day: Day, model: Model) -> None:
    """The day is what the model says, and keeps the promises of the floor."""
    assert {t.id: t.state for t in day.tickets.values()} == model.state
    assert {p.id: p.clerk for p in day.places.values() if p.clerk} == model.clerk
    assert {p.id: p.ticket for p in day.places.values() if p.ticket} == model.hand
    assert {p.id for p in day.places.values() if p.state == "paused"} == model.paused
    assert day.closed == model.closed
    in_line = [id for line in day.lines.values() for id in line]
    in_hand = [place.ticket for place in day.places.values() if place.ticket]
    for ticket in day.tickets.values():
        waits, held = in_line.count(ticket.id), in_hand.count(ticket.id)
        assert waits == (ticket.state == "waiting")
        assert held == (ticket.state in ("called", "serving"))
        assert waits + held + (ticket.ended_at is not None) == 1
        assert (ticket.level is not None) == (ticket.id in model.rated)
    for prefix in "AB":
        numbers = [int(id[1:]) for id in day.tickets if id[0] == prefix]
        assert numbers == list(range(1, len(numbers) + 1))
        assert day.issued.get(prefix, 0) == len(numbers)
    for line in day.lines.values():
        turns = [day.tickets[id].turn for id in line]
        assert turns == sorted(set(turns))


class Rules(RuleBasedStateMachine):
    """The rules and the day alone, in memory: many and long days."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now = NINE
        self.entries = [self._entry(facts.CataloguePublished(at=NINE, catalogue=HALL))]
        self.day = advance(None, self.entries[0])

    def _entry(self, fact: facts.Fact) -> Entry:
        if isinstance(fact, facts.CataloguePublished):
            fact = msgspec.structs.replace(fact, position=1)
            return Entry("hall-1/setup", 1, fact)
        position = self.day.position + 1
        fact = msgspec.structs.replace(fact, position=position, command=f"c{position}")
        return Entry(self.day.stream, self.day.version + 1, fact)

    @rule(command=COMMANDS)
    def press(self, command: Command) -> None:
        self.now += SECOND
        expected = self.model.expect(command)
        before = self.day.digest()
        decided = asked(lambda: effects.decide(command, self.day, self.now))
        assert self.day.digest() == before
        if isinstance(decided, Refused):
            assert decided.code == expected
            return
        (fact,) = decided
        about = getattr(fact, "ticket", "") or getattr(fact, "window", "")
        assert about == expected
        self.entries.append(self._entry(fact))
        self.day.apply(self.entries[-1])
        self.model.happen(command, expected)

    @rule(window=WINDOWS, steps=st.integers(1, 7))
    def work(self, window: str, steps: int) -> None:
        for command in a_good_service(window)[:steps]:
            self.press(command)

    @invariant()
    def the_day_holds(self) -> None:
        holds(self.day, self.model)

    def teardown(self) -> None:
        day = None
        for entry in self.entries:
            day = advance(day, entry)
        assert day is not None
        assert day.digest() == self.day.digest()
        called = called_in(self.entries)
        assert len(called) == len(set(called)), "A ticket was called twice."


def called_in(entries: list[Entry]) -> list[tuple[str, str]]:
    """Each call of a ticket, with its day."""
    return [
        (entry.stream, entry.fact.ticket)
        for entry in entries
        if isinstance(entry.fact, facts.TicketCalled)
    ]


def asked(decide: Callable[[], T]) -> T | Refused:
    """What was decided, or the refusal."""
    try:
        return decide()
    except Refused as refusal:
        return refusal


class Hall(RuleBasedStateMachine):
    """The writer's draft on a real log: lost, repeated, mistimed, over days."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promises-"))
        self.path = self.folder / "events.db"
        self.log = Log(self.path)
        self.draft = Draft(self.log, HALL)
        self.draft.open(NINE)
        self.model = Model()
        self.date = HALL.business_date(NINE)
        self.now = self.high = NINE
        self.noted = timedelta()  # How far behind the clock is known to be.
        self.steps = 0
        self.presses = 0
        self.committed: list[Entry] = []
        self.commit()

    # ── What may happen ─────────────────────────────────────────────────────

    @rule(command=COMMANDS)
    def press(self, command: Command) -> None:
        self.presses += 1
        command = msgspec.structs.replace(command, command_id=f"c{self.presses}")
        self._settle()
        expected = self.model.expect(command)
        receipt = asked(lambda: self.draft.decide(command, self.now))
        if isinstance(receipt, Refused):
            assert receipt.code == expected
            return
        fact = receipt.entry.fact
        about = getattr(fact, "ticket", "") or getattr(fact, "window", "")
        assert (about, receipt.repeated) == (expected, False)
        assert fact.at == max(self.now, self.high)
        assert fact.command == command.command_id
        self._note(fact.at)
        self.model.happen(command, expected)
        self.model.done[command.command_id] = (command, receipt.entry)

    @rule(window=WINDOWS, steps=st.integers(1, 7))
    def work(self, window: str, steps: int) -> None:
        for command in a_good_service(window)[:steps]:
            self.press(command)

    @rule()
    def close_the_hall(self) -> None:
        self.press(commands.CloseHall())

    @precondition(lambda self: self.model.known())
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.model.known())))
        command, entry = self.model.known()[id]
        pending = list(self.draft.pending)
        receipt = self.draft.decide(command, self.now)
        assert receipt.repeated
        assert receipt.entry == entry
        other = commands.TakeTicket(command_id=id, item="a", kind="care")
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
        midnight = datetime.combine(self.date, time(16), UTC)
        if self.now < midnight:
            self.now = midnight - timedelta(milliseconds=1)
            self.the_hall_looks_at_the_clock()
            assert self.draft.day.date <= self.date
            self.now = midnight
            self.the_hall_looks_at_the_clock()
        assert HALL.business_date(self.now) > HALL.business_date(midnight - SECOND)

    @rule(us=st.integers(0, 999))
    def the_hall_looks_at_the_clock(self, us: int = 0) -> None:
        self._settle()
        self.draft.turn_day(self.now + timedelta(microseconds=us))

    @rule()
    def commit(self) -> None:
        self.committed += self.draft.commit()
        self.saved = copy.deepcopy(self.kept())

    @rule()
    def the_commit_fails(self) -> None:
        """Memory is thrown away; what was not durable never happened."""
        assert self.draft.reload()
        self._back_to_what_is_saved()

    @rule()
    def the_process_dies(self) -> None:
        self.log.close()
        self.log = Log(self.path)
        self.draft = Draft(self.log, HALL)
        self._back_to_what_is_saved()
        now, self.now = self.now, self.high
        self._settle()
        self.draft.open(self.high)
        self.now = now
        assert self.draft.pending == []

    # ── How the model keeps up ──────────────────────────────────────────────

    def kept(self) -> tuple[Model, object, datetime, timedelta, int]:
        return (self.model, self.date, self.high, self.noted, self.steps)

    def _back_to_what_is_saved(self) -> None:
        self.model, date, self.high, self.noted, self.steps = copy.deepcopy(self.saved)
        self.date = date  # type: ignore[assignment]
        self._forget_a_day_without_a_fact()

    def _forget_a_day_without_a_fact(self) -> None:
        """It is not in the log, and when the clock goes back it has not come yet."""
        while self.model.facts == 0 and self.model.before is not None:
            self.model = self.model.before
        self.date = self.draft.day.date

    def _settle(self) -> None:
        """What the hall does by itself before it decides."""
        self._forget_a_day_without_a_fact()
        behind = self.high - self.now
        if behind > self.noted + STEP_MAX:
            self._turn(self.high)
            self.steps += 1
            self.noted = behind
            self.model.facts += 1
        self._turn(max(self.now, self.high))

    def _turn(self, at: datetime) -> None:
        if HALL.business_date(at) > self.date:
            if self.model.facts and not self.model.closed:
                self.model.close()
                self._note(at)
            self.model, self.date = Model(self.model), HALL.business_date(at)

    def _note(self, at: datetime) -> None:
        """A fact happened at this instant."""
        self.model.facts += 1
        if at > self.high:
            self.noted = timedelta()
        self.high = max(self.high, at)

    # ── What must hold ──────────────────────────────────────────────────────

    @invariant()
    def the_day_holds(self) -> None:
        self._forget_a_day_without_a_fact()
        assert self.draft.day.stream == stream_of("hall-1", self.date)
        holds(self.draft.day, self.model)

    def teardown(self) -> None:
        try:
            self.commit()
            live = self.draft.day
            self.log.close()
            self._check(list(read(self.path)), live)
        finally:
            self.log.close()
            shutil.rmtree(self.folder)

    def _check(self, entries: list[Entry], live: Day) -> None:
        assert entries == self.committed
        assert [e.position for e in entries] == list(range(1, len(entries) + 1))
        instants = [entry.fact.at for entry in entries]
        assert instants == sorted(instants)
        assert not any(at.microsecond % 1000 for at in instants)
        steps = [e for e in entries if isinstance(e.fact, facts.ClockStepped)]
        assert len(steps) == self.steps
        ids = [e.fact.command for e in entries if e.fact.command]
        assert len(ids) == len(set(ids)), "A command had two effects."
        calls = called_in(entries)
        assert len(calls) == len(set(calls)), "A ticket was called twice."
        for stream in {entry.stream for entry in entries}:
            versions = [e.version for e in entries if e.stream == stream]
            assert versions == list(range(1, len(versions) + 1))
        if live.version:
            for cut in {1, len(entries) // 2, len(entries)}:
                day = None
                for entry in entries[:cut]:
                    day = advance(day, entry)
                for entry in entries[cut:]:
                    day = advance(day, entry)
                assert day is not None
                assert day.digest() == live.digest()
            with Log(self.path) as held:
                assert Draft(held, HALL).day.digest() == live.digest()


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def test_the_rules_keep_their_promises() -> None:
    run_state_machine_as_test(
        Rules,
        settings=settings(
            max_examples=150,
            stateful_step_count=60,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=QUIET,
        ),
    )


def test_the_writer_and_its_log_keep_their_promises() -> None:
    run_state_machine_as_test(
        Hall,
        settings=settings(
            max_examples=150,
            stateful_step_count=60,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=QUIET,
        ),
    )
