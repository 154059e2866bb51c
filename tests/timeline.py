"""A hall's day written as lines, run through the real rules.

    09:00:00 opens 1 c1            a clerk opens a window
    09:00:00 takes zonghe          the next ticket of an item
    09:04:00 calls 1               call next;  `calls 1 A003 reason` by hand
    09:04:40 starts 1              also: recalls, no-show, finishes, pauses, resumes,
    09:30:00 rates A001 satisfied  closes, invites, abandons A002, closes-hall

Times are the hall's own clock on 2026-11-23, a Monday; `+1 09:00:00` is a day later.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from floor import commands, effects, facts
from floor.catalogue import Catalogue, load
from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry, Level
from floor.streams import setup_stream_of, stream_for

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
SAMPLE = Path(__file__).parent.parent / "floor" / "hall.toml"

VERBS: dict[str, Callable[[list[str]], Command]] = {
    "opens": lambda w: commands.OpenWindow(window=w[0], clerk=[*w, f"c{w[0]}"][1]),
    "pauses": lambda w: commands.PauseWindow(window=w[0], reason=" ".join(w[1:])),
    "resumes": lambda w: commands.ResumeWindow(window=w[0]),
    "closes": lambda w: commands.CloseWindow(window=w[0]),
    "takes": lambda w: commands.TakeTicket(item=w[0], kind=_kind([*w, "normal"][1])),
    "calls": lambda w: (
        commands.CallTicket(window=w[0], ticket=w[1], reason=" ".join(w[2:]))
        if w[1:]
        else commands.CallNext(window=w[0])
    ),
    "recalls": lambda w: commands.RecallTicket(window=w[0]),
    "no-show": lambda w: commands.DeclareNoShow(window=w[0]),
    "starts": lambda w: commands.StartService(window=w[0]),
    "finishes": lambda w: commands.FinishService(window=w[0]),
    "invites": lambda w: commands.InviteEvaluation(window=w[0]),
    "rates": lambda w: commands.Evaluate(ticket=w[0], level=Level(w[1])),
    "abandons": lambda w: commands.AbandonTicket(ticket=w[0]),
    "closes-hall": lambda w: commands.CloseHall(),
    "undoes": lambda w: commands.UndoCall(window=w[0]),
    "holds": lambda w: commands.HoldTicket(window=w[0]),
    "returns": lambda w: commands.ReturnTicket(window=w[0], ticket=[*w, ""][1]),
    "moves": lambda w: commands.MoveClerk(window=w[0], to=w[1]),
    "requeues": lambda w: commands.RequeueTicket(ticket=w[0]),
    "defers": lambda w: commands.DeferTicket(ticket=w[0]),
    "transfers": lambda w: commands.TransferTicket(
        window=w[0], item=w[1], front=w[2:] == ["front"]
    ),
    "checks-in": lambda w: commands.CheckIn(booking=w[0]),
}


def _kind(word: str) -> Any:
    return word


class FloorDay:
    """A day in memory: what was said to the hall, and the facts it became."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or load(SAMPLE)
        published = facts.CataloguePublished(
            at=self.at("00:00:00"), position=1, catalogue=self.catalogue
        )
        self.entries = [Entry(setup_stream_of(self.catalogue.hall), 1, published)]
        self.day: Day = advance(None, self.entries[0])

    def at(self, clock: str) -> datetime:
        """An instant of the hall's clock on Monday, as aware UTC."""
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        local = MONDAY.replace(tzinfo=self.catalogue.zone)
        time = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return (local + time).astimezone(UTC)

    def do(self, command: Command, at: datetime) -> facts.Fact:
        """Carry out one command through the real rules, or raise its refusal."""
        day = self.day
        date = day.catalogue.business_date(at)
        if date != day.date:
            day = Day(day.catalogue, date, day.bookings)
        decided = effects.decide(command, day, at)
        id = f"t{self.entries[-1].position + 1}"
        for fact in decided:
            answer = effects.answers(command, fact)
            self.happen(fact, date, id if answer else "")
        return next(fact for fact in decided if effects.answers(command, fact))

    def happen(self, fact: facts.Fact, date: date, command: str = "") -> None:
        """Let a fact happen, whether a rule would write it or not."""
        position = self.entries[-1].position + 1
        fact = msgspec.structs.replace(fact, position=position, command=command)
        stream = stream_for(fact, self.catalogue.hall, date)
        version = 1 + sum(entry.stream == stream for entry in self.entries)
        entry = Entry(stream, version, fact)
        self.day = advance(self.day, entry)
        self.entries.append(entry)

    def play(self, lines: str) -> "FloorDay":
        """Carry out each line of a timeline."""
        for line in lines.strip().splitlines():
            words = line.split()
            if not words:
                continue
            days = int(words.pop(0)) if words[0].startswith("+") else 0
            clock, verb, *rest = words
            self.do(VERBS[verb](rest), self.at(clock) + timedelta(days=days))
        return self

    def position_of(self, topic: type[facts.Fact], ticket: str = "") -> int:
        """The position of the first fact of a kind, of one ticket when named."""
        return next(
            entry.position
            for entry in self.entries
            if isinstance(entry.fact, topic)
            and ticket in ("", getattr(entry.fact, "ticket", ""))
        )
