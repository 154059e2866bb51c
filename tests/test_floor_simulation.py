"""Whole hall-days under every fault there is, and bugs that must not get through.

    SIM_DAYS=5000 SIM_SEED=100000 pytest tests/test_floor_simulation.py -k days -s

lives more of them. A seed that fails prints its trace; `tests/simulate.py SEED` lives
it again.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from floor import commands, effects, facts, refusals
from floor.commands import Command
from floor.day import Day, days
from floor.effects import Effect
from floor.facts import Entry
from floor.follow import Feed, Follower, opened
from floor.hall import Draft
from floor.log import LogUnreadable, read
from floor.rules import calls
from simulated_disk import Disk, SimulatedLog
from simulated_faults import PEACE, WORST, Faults
from simulated_hall import Broken, Build, simulate
from simulated_process import Process
from simulated_catalogue import PLAIN as CATALOGUE
from virtual_loop import Mortal

DAYS = int(os.environ.get("SIM_DAYS", "150"))
SEED = int(os.environ.get("SIM_SEED", "0"))
#: A bug is found within so many seeds, or the simulation is not worth its time.
SEEDS_MAX = 40
ROOT = Path(__file__).parent.parent


# ── The real hall ───────────────────────────────────────────────────────────


def test_days_with_everything_that_can_go_wrong() -> None:
    counts: Counter[str] = Counter()
    lived = 0
    for seed in count(SEED):
        story = simulate(seed)
        counts += story.counts
        lived += story.days
        if lived >= DAYS:
            break
    unseen = EXPECTED - set(counts)
    assert not unseen or lived < TAME_DAYS, "The simulation has become too tame."


TAME_DAYS = 100
#: What so many days must meet, for the others to mean anything.
EXPECTED = {
    *("lost", "doubled", "cut", "stalled", "cut off", "disk full", "clock"),
    *("commit failed", "commit unknown", "read failed", "start failed"),
    *("died", "stopped", "repeated"),
    *(shape.__name__ for shape in (facts.HallClosed, facts.TicketAbandoned)),
    *(effect.topic.__name__ for effect in effects.EFFECTS.values()),
    *(
        refusal.__name__
        for refusal in refusals.Refused.__subclasses__()
        if refusal
        not in (
            # People here look at the same catalogue as the hall, and need no door.
            refusals.UnknownItem,
            refusals.UnknownWindow,
            refusals.UnknownCommand,
            refusals.BadInput,
            refusals.TooLarge,
            refusals.NotAllowed,
            # Nobody names a ticket when inviting.
            refusals.ServedElsewhere,
        )
    ),
}


def test_a_day_in_which_nothing_goes_wrong() -> None:
    story = simulate(1, days=1, faults=PEACE)
    assert story.facts > 50
    assert not {"lost", "died", "commit failed", "LogUnavailable"} & set(story.counts)


def test_the_worst_day() -> None:
    assert simulate(2, days=1, faults=WORST).counts["died"] > 3


MORNING: Sequence[Sequence[Command]] = (
    (
        commands.OpenWindow(window="1", clerk="c1"),
        commands.CallNext(window="1"),
        commands.StartService(window="1"),
        commands.FinishService(window="1"),
    ),
    (commands.TakeTicket(item="a"), commands.TakeTicket(item="b")),
    (commands.TakeTicket(item="a"), commands.CloseHall()),
)


def test_a_crash_at_every_step_of_a_short_morning() -> None:
    """Before each await goes on, and on both sides of each commit."""
    for step in count():
        story = simulate(3, days=1, faults=Faults(), script=MORNING, dies_at=step)
        if not story.counts["died"]:
            break
    assert step > 200


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    seeds = ["5", "6", "7"]
    heard = []
    for salt in ("1", "2"):
        done = subprocess.run(
            [sys.executable, ROOT / "tests" / "simulate.py", "--brief", *seeds],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        )
        heard.append(done.stdout)
    assert heard[0] == heard[1]
    assert heard[0].count("trace=") == len(seeds)
    assert f"trace={simulate(6, told=True).digest}" in heard[0]


# ── What it has found ───────────────────────────────────────────────────────

NINE = MIDNIGHT + timedelta(hours=9)


async def test_nobody_is_refused_because_of_what_never_came_to_be() -> None:
    disk = Disk(Random(), lambda: PEACE, lambda *_: None, pytest.fail)
    log = SimulatedLog(disk, Mortal())
    async with Build().hall(log, CATALOGUE, lambda _: None) as hall:
        await hall.start(NINE)
        disk.full = True
        close, take = commands.CloseHall(), commands.TakeTicket(item="a")
        answers = await asyncio.gather(
            hall.do(close, NINE), hall.do(take, NINE), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [refusals.LogUnavailable] * 2
        disk.full = False
        await hall.do(take, NINE)


async def test_a_clock_that_was_past_midnight_and_goes_back(tmp_path: Path) -> None:
    """The hall was closed, so that no fact says that the next day has begun."""
    path = tmp_path / "events.db"
    async with opened(path, CATALOGUE, NINE) as (hall, feed):
        for presses in (MORNING[1], MORNING[0], [commands.CloseHall()]):
            for command in presses:
                await hall.do(command, NINE)
        await hall.turn_day(NINE + timedelta(days=1))
        feed.turn_day(NINE + timedelta(days=1))
        assert feed.day.tickets == {}
        with pytest.raises(refusals.HallIsClosed):
            await hall.do(commands.TakeTicket(item="a"), NINE)
        rated = commands.Evaluate(ticket="A001", level=facts.Level.SATISFIED)
        receipt = await hall.do(rated, NINE)
        assert receipt.entry.stream == feed.day.stream == "hall-1/2026-11-23"
        live = feed.day.digest()
    *_, replayed = days(read(path))
    assert replayed.digest() == live


# ── Bugs that it must find ──────────────────────────────────────────────────


class AnswersBeforeTheDisk(SimulatedLog):
    """The disk says yes, and writes with the next commit (synchronous=OFF)."""

    held: Sequence[Entry] = ()

    def append(self, entries: Sequence[Entry]) -> None:
        held, self.held = self.held, list(entries)
        if held:
            super().append(held)


class TellsBeforeTheDisk(SimulatedLog):
    """Followers hear of facts while they are being committed."""

    def append(self, entries: Sequence[Entry]) -> None:
        assert isinstance(self.process, Process)
        assert self.process.feed is not None
        self.process.feed.publish(entries)
        super().append(entries)


class KeepsItsMemory(Draft):
    """After a failed commit the draft goes on as if nothing had happened."""

    def reload(self) -> list[Entry]:
        if "position" not in vars(self):
            return super().reload()
        self.pending = []
        return []


class ForgetsTheCommands(Draft):
    """After a reload a command that was done before is done again."""

    def reload(self) -> list[Entry]:
        entries = super().reload()
        if self.position:
            self.day.done.clear()
        return entries


class ForgetsWhatItStored(Draft):
    """A commit that failed with its rows stored is taken for one that stored none."""

    def reload(self) -> list[Entry]:
        first = "position" not in vars(self)
        entries = super().reload()
        return entries if first else []


class CountsOnlyWhatItRead(Draft):
    """Positions go on from the number of facts read, not from the last one."""

    def reload(self) -> list[Entry]:
        entries = super().reload()
        self.position = len(entries)
        return entries


class NeverComesBack(Draft):
    """After one failed commit the log is never read again."""

    def reload(self) -> list[Entry]:
        if "position" in vars(self):
            raise LogUnreadable("坏了", "broken")
        return super().reload()


class LeavesTheDayOpen(Draft):
    """Nobody closes a day that was left open."""

    def turn_day(self, at: datetime) -> datetime:
        with patch.object(self.day, "closed", True):
            return super().turn_day(at)


class _InTwoParts(Follower):
    """A follower that reads the past itself, and gets what is new from another."""

    def __init__(self, feed: Feed, since: int) -> None:
        self.feed = feed
        self.since = since
        self.past: Iterator[Entry] | None = None
        self.live: Follower | None = None

    async def __anext__(self) -> Entry:
        if self.past is None:
            await asyncio.sleep(0.01)  # It waits for its turn to read.
            self.past = iter(list(self.feed.after(self.since)))
        for entry in self.past:
            return entry
        self.live = self.live or Feed.follow(self.feed, self.feed.position)
        return await anext(self.live)

    def close(self) -> None:
        if self.live is not None:
            self.live.close()


class SubscribesAfterReading(Feed):
    """What happens between the reading and the subscribing is in neither."""

    def follow(self, since: int) -> Follower:
        return _InTwoParts(self, since)


class RepeatsTheOverlap(Feed):
    """What happens between the subscribing and the reading is in both."""

    def follow(self, since: int) -> Follower:
        follower = _InTwoParts(self, since)
        follower.live = super().follow(self.position)
        return follower


Facts = tuple[facts.Fact, ...]


def call_last(day: Day, at: datetime, *, window: str) -> Facts:
    """A rule that lets those who came last overtake."""
    (called,) = calls.call_next(day, at, window=window)
    waiting = day.waiting(day.places[window].items)
    last = max(waiting, key=lambda ticket: ticket.turn)
    return (msgspec.structs.replace(called, ticket=last.id),)


def call_whoever(day: Day, at: datetime, *, window: str) -> Facts:
    """A rule that calls a ticket which another window holds already."""
    held = [ticket for ticket in day.tickets.values() if ticket.state == "called"]
    if held and day.places[window].state == "free":
        clerk = day.places[window].clerk
        called = facts.TicketCalled(
            at=at, ticket=held[0].id, window=window, clerk=clerk, policy="first_come"
        )
        return (called,)
    return calls.call_next(day, at, window=window)


PARTS = [
    Build(log=AnswersBeforeTheDisk),
    Build(log=TellsBeforeTheDisk),
    Build(draft=KeepsItsMemory),
    Build(draft=ForgetsTheCommands),
    Build(draft=ForgetsWhatItStored),
    Build(draft=CountsOnlyWhatItRead),
    Build(draft=NeverComesBack),
    Build(draft=LeavesTheDayOpen),
    Build(feed=SubscribesAfterReading),
    Build(feed=RepeatsTheOverlap),
]
WRONG_RULES: list[tuple[dict[Any, Any], Any, Any]] = [
    (effects.EFFECTS, commands.CallNext, Effect(call_last, facts.TicketCalled)),
    (effects.EFFECTS, commands.CallNext, Effect(call_whoever, facts.TicketCalled)),
]


def first_broken(build: Build | None = None) -> Broken:
    """How a bug shows under the first seed that finds it."""
    for seed in range(SEEDS_MAX):
        try:
            simulate(seed, build=build)
        except Broken as broken:
            print(f"\nseed {broken.seed}, step {broken.step}: {broken.what}")
            return broken
    raise AssertionError("The bug was not found.")


def name_of(build: Build) -> str:
    return " ".join(
        part.__name__
        for part in msgspec.structs.astuple(build)
        if part.__module__ == __name__
    )


@pytest.mark.parametrize("build", PARTS, ids=name_of)
def test_a_bug_in_a_part_is_found(build: Build) -> None:
    assert first_broken(build).what


@pytest.mark.parametrize(("table", "name", "rule"), WRONG_RULES)
def test_a_wrong_rule_is_found(table: dict[Any, Any], name: Any, rule: Any) -> None:
    with patch.dict(table, {name: rule}):
        assert "cannot have happened" in first_broken().what
