"""Bugs that the simulation must find: parts and rules with one thing wrong in each."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from unittest.mock import patch

import msgspec

from floor import commands, effects, facts
from floor.bookings import Bookings
from floor.day import Day
from floor.effects import Effect
from floor.facts import Entry, Fact
from floor.follow import Feed, Follower
from floor.hall import Draft, Receipt
from floor.log import LogUnreadable
from floor.refusals import Refused
from floor.rules import bookings, calls, hall
from simulated_disk import SimulatedLog
from simulated_process import Build, Process

# ── The log ─────────────────────────────────────────────────────────────────


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


class CommitsOneByOne(SimulatedLog):
    """What happens together is written in several commits."""

    def append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            super().append([entry])


# ── The draft ───────────────────────────────────────────────────────────────


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


class ForgetsTheBookings(Draft):
    """After a reload nobody has booked."""

    def reload(self) -> list[Entry]:
        entries = super().reload()
        if self.position:
            self.day.bookings = Bookings()
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


class TakesAnyFile(Draft):
    """A start puts a catalogue into force that has no place for those who are here."""

    def open(self, at: datetime) -> Refused | None:
        with patch.object(hall, "_still_there", lambda *_: None):
            return super().open(at)


class NamesAllOfAGroup(Draft):
    """Each fact that a command causes bears its id."""

    named = ""

    def decide(self, command: commands.Command, at: datetime) -> Receipt:
        self.named = command.command_id
        return super().decide(command, at)

    def _write(self, fact: Fact, day: date, command: str = "") -> Entry:
        if isinstance(fact, facts.ServiceFinished | facts.TicketContinued):
            command = self.named
        return super()._write(fact, day, command)


# ── The feed ────────────────────────────────────────────────────────────────


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


PARTS = [
    Build(log=AnswersBeforeTheDisk),
    Build(log=TellsBeforeTheDisk),
    Build(log=CommitsOneByOne),
    Build(draft=KeepsItsMemory),
    Build(draft=ForgetsTheCommands),
    Build(draft=ForgetsTheBookings),
    Build(draft=ForgetsWhatItStored),
    Build(draft=CountsOnlyWhatItRead),
    Build(draft=NeverComesBack),
    Build(draft=LeavesTheDayOpen),
    Build(draft=TakesAnyFile),
    Build(draft=NamesAllOfAGroup),
    Build(feed=SubscribesAfterReading),
    Build(feed=RepeatsTheOverlap),
]

# ── Rules ───────────────────────────────────────────────────────────────────

Facts = tuple[Fact, ...]


def call_last(day: Day, at: datetime, *, window: str) -> Facts:
    """Those who came last overtake."""
    *finished, called = calls.call_next(day, at, window=window)
    assert isinstance(called, facts.TicketCalled)
    waiting = day.waiting(day.places[window].items)
    last = max(waiting, key=lambda ticket: ticket.turn, default=None)
    ticket = last.id if last else called.ticket
    return *finished, msgspec.structs.replace(called, ticket=ticket)


def call_whoever(day: Day, at: datetime, *, window: str) -> Facts:
    """A ticket is called which another window holds already."""
    held = [ticket for ticket in day.tickets.values() if ticket.state == "called"]
    if held and day.places[window].state == "free":
        clerk = day.places[window].clerk
        called = facts.TicketCalled(
            at=at, ticket=held[0].id, window=window, clerk=clerk, policy="first_come"
        )
        return (called,)
    return calls.call_next(day, at, window=window)


def finish_and_forget(day: Day, at: datetime, **words: Any) -> Facts:
    """A visit of several items ends with the first."""
    return calls.finish_service(day, at, **words)[:1]


def miss_twice(day: Day, at: datetime, **words: Any) -> Facts:
    """Who did not come is written down twice."""
    closed = hall.close_hall(day, at, **words)
    return *closed, *closed[1:]


def check_in_again(day: Day, at: datetime, *, booking: str, channel: str) -> Fact:
    """One booking becomes two tickets."""
    known = day.bookings.by_id.get(booking)
    if known is not None and known.state == "checked_in":
        known = msgspec.structs.replace(known, state="booked")
        with patch.dict(day.bookings.by_id, {booking: known}):
            return bookings.check_in(day, at, booking=booking, channel=channel)
    return bookings.check_in(day, at, booking=booking, channel=channel)


WRONG_RULES: list[tuple[type[commands.Command], effects.Rule]] = [
    (commands.CallNext, call_last),
    (commands.CallNext, call_whoever),
    (commands.FinishService, finish_and_forget),
    (commands.CloseHall, miss_twice),
    (commands.CheckIn, check_in_again),
]


def wrongly(command: type[commands.Command], rule: effects.Rule) -> Any:
    """The hall goes by this rule for as long as the patch stands."""
    topic = effects.EFFECTS[command].topic
    return patch.dict(effects.EFFECTS, {command: Effect(rule, topic)})
