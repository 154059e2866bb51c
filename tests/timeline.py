"""A hall's day written as lines, run through the real rules.

    09:00:00 opens 1 c1            a clerk opens a window
    09:00:00 takes zonghe          the next ticket of an item
    09:04:00 calls 1               call next;  `calls 1 A003 reason` by hand
    09:04:40 starts 1              and so on: see WORDS
    09:05:00 takes zonghe care channel=staff then=xuke,shebao
    09:06:00 calls 1 -> A002 kind 1     the answer: ticket, because, passed
    09:07:00 calls 1 ! WindowBusy       the refusal; nothing changes
    09:08:00 books zonghe +1/10:00 person=1 -> 20261124-001

Times are the hall's own clock on 2026-11-23, a Monday; `+1 09:00:00` is a day later.
Words after the verb's own ones join the last of them; `name=word` fills any other.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from floor import commands, effects, facts
from floor.catalogue import Catalogue, Item, Window, check, load
from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry
from floor.refusals import Refused
from floor.streams import setup_stream_of, stream_for

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
SAMPLE = Path(__file__).parent.parent / "floor" / "hall.toml"
FULL = SAMPLE.with_name("hall-full.toml")

#: Three items and three windows, for rules that need no more.
SMALL = Catalogue(
    hall="hall-1",
    name="小厅",
    name_en="Small hall",
    items=(
        Item(id="a", name="甲", name_en="A", prefix="A"),
        Item(id="b", name="乙", name_en="B", prefix="B"),
        Item(id="c", name="丙", name_en="C", prefix="C"),
    ),
    windows=(
        Window(id="1", name="一", name_en="1", department="x", items=("a", "b")),
        Window(id="2", name="二", name_en="2", department="x", items=("b",)),
        Window(id="3", name="三", name_en="3", department="x", items=("a", "c")),
    ),
)

#: The command of each verb and the names of its own words.
WORDS: dict[str, tuple[type[Command], str]] = {
    "opens": (commands.OpenWindow, "window clerk"),
    "pauses": (commands.PauseWindow, "window reason"),
    "resumes": (commands.ResumeWindow, "window"),
    "closes": (commands.CloseWindow, "window"),
    "moves": (commands.MoveClerk, "window to"),
    "takes": (commands.TakeTicket, "item kind"),
    "calls": (commands.CallNext, "window"),
    "calls-ticket": (commands.CallTicket, "window ticket reason"),
    "recalls": (commands.RecallTicket, "window ticket"),
    "undoes": (commands.UndoCall, "window ticket"),
    "no-show": (commands.DeclareNoShow, "window ticket"),
    "starts": (commands.StartService, "window ticket"),
    "finishes": (commands.FinishService, "window item"),
    "holds": (commands.HoldTicket, "window reason"),
    "returns": (commands.ReturnTicket, "window ticket"),
    "transfers": (commands.TransferTicket, "window item"),
    "invites": (commands.InviteEvaluation, "window ticket"),
    "rates": (commands.Evaluate, "ticket level"),
    "requeues": (commands.RequeueTicket, "ticket place"),
    "defers": (commands.DeferTicket, "ticket"),
    "abandons": (commands.AbandonTicket, "ticket"),
    "books": (commands.BookAppointment, "item slot_at"),
    "cancels": (commands.CancelAppointment, "booking"),
    "checks-in": (commands.CheckIn, "booking channel"),
    "closes-hall": (commands.CloseHall, "reason"),
    "reopens-hall": (commands.ReopenHall, "reason"),
    "breaks": (commands.DeclareOutage, "from_at to_at reason"),
}


#: What is said, and after an arrow the answer, or after a mark the refusal.
SAID = re.compile(r"(.*?)(?: (->|!) (.*))?$")


def spoken(
    verb: str, words: list[str], at: Callable[[str], datetime] | None = None
) -> Command:
    """What a line of a timeline asks of the hall; `at` reads its instants."""
    if verb == "calls" and len(words) > 1:
        verb = "calls-ticket"
    shape, names = WORDS[verb]
    own = [word for word in words if "=" not in word]
    last = len(names.split()) - 1
    said: dict[str, Any] = dict(
        zip(names.split(), [*own[:last], " ".join(own[last:])], strict=False)
    )
    said |= dict(word.split("=", 1) for word in words if "=" in word)
    if verb == "opens":
        said["clerk"] = said["clerk"] or f"c{said['window']}"
    for name in ("slot_at", "from_at", "to_at"):
        if name in said:
            assert at is not None, "An instant needs a day."
            said[name] = at(said[name])
    if "then" in said:
        said["then"] = said["then"].split(",")
    said["person"] = said.get("person", "") * 32
    said = {name: word for name, word in said.items() if word != ""}
    said["command"] = shape.__struct_config__.tag
    return msgspec.convert(said, shape, strict=False)


#: Each verb as a function of its words, for those who talk to a hall that is live.
VERBS: dict[str, Callable[[list[str]], Command]] = {
    verb: partial(spoken, verb) for verb in WORDS
}


def hall(**changes: Any) -> "FloorDay":
    """A day of the small hall with some of its practice changed."""
    return FloorDay(msgspec.structs.replace(SMALL, **changes))


def items(**changes: dict[str, Any]) -> tuple[Item, ...]:
    """The items of the small hall, some of them changed: `items(a={"last": 2})`."""
    return tuple(
        msgspec.structs.replace(item, **changes.get(item.id, {}))
        for item in SMALL.items
    )


def windows(**changes: dict[str, Any]) -> tuple[Window, ...]:
    """The windows of the small hall: `windows(w1={"helps": {"c": 3}})`."""
    return tuple(
        msgspec.structs.replace(window, **changes.get(f"w{window.id}", {}))
        for window in SMALL.windows
    )


class FloorDay:
    """A day in memory: what was said to the hall, and the facts it became.

    told: all days of the running test; they are checked when it ends (conftest).
    """

    told: ClassVar[list["FloorDay"]] = []

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.told.append(self)
        self.catalogue = catalogue or load(SAMPLE)
        check(self.catalogue)
        published = facts.CataloguePublished(
            at=self.at("00:00:00"), position=1, catalogue=self.catalogue
        )
        self.entries = [Entry(setup_stream_of(self.catalogue.hall), 1, published)]
        self.day: Day = advance(None, self.entries[0])

    def at(self, clock: str) -> datetime:
        """An instant of the hall's clock on Monday, or on `+1/` Tuesday, aware UTC."""
        days, _, clock = clock.rpartition("/")
        hours, minutes, seconds = (int(part) for part in f"{clock}:0".split(":")[:3])
        local = MONDAY.replace(tzinfo=self.catalogue.zone)
        time = timedelta(
            days=int(days or 0), hours=hours, minutes=minutes, seconds=seconds
        )
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
            if line.strip():
                self._play(line)
        return self

    def _play(self, line: str) -> None:
        said, mark, expected = SAID.match(line.strip()).groups("")  # type: ignore[union-attr]
        words = said.split()
        days = words.pop(0) if words[0].startswith("+") else "+0"
        clock, verb, *rest = words
        before = self.day.digest() if mark == "!" else ""
        fact, refused = None, ""
        try:
            fact = self.do(spoken(verb, rest, self.at), self.at(f"{days}/{clock}"))
        except Refused as refusal:
            refused = refusal.code
        assert refused == (expected if mark == "!" else ""), line.strip()
        if fact is None:
            assert self.day.digest() == before
            return
        answer = told(fact)
        assert answer[: len(expected.split())] == expected.split(), (
            f"{line.strip()}: {answer}"
        )

    def position_of(self, topic: type[facts.Fact], ticket: str = "") -> int:
        """The position of the first fact of a kind, of one ticket when named."""
        return next(
            entry.position
            for entry in self.entries
            if isinstance(entry.fact, topic)
            and ticket in ("", getattr(entry.fact, "ticket", ""))
        )

    # ── What a person would see ─────────────────────────────────────────────

    def states(self) -> dict[str, str]:
        """The state of each ticket."""
        return {ticket.id: ticket.state for ticket in self.day.tickets.values()}

    def line(self, id: str) -> list[str]:
        """Who stands in a line, as they would be called at the last fact."""
        at_ms = self.day._now_ms()
        line = self.day.lines.get(id)
        if line is None:
            return []
        return [ticket for _, ticket in line.in_order(self.day.weighing, at_ms)]

    def facts(self, topic: type[facts.Fact]) -> list[Any]:
        """All facts of a kind, in order."""
        return [entry.fact for entry in self.entries if isinstance(entry.fact, topic)]


def told(fact: facts.Fact) -> list[str]:
    """What an answer says, as words."""
    if isinstance(fact, facts.TicketCalled):
        return [fact.ticket, fact.because, str(fact.passed)]
    names = ("booking", "ticket", "window")
    about = next((getattr(fact, name) for name in names if hasattr(fact, name)), "")
    if isinstance(fact, facts.AppointmentCheckedIn):
        about = fact.ticket
    return [about]
