"""What must be true of a log, and of what clients were told, told independently.

Nothing here uses the rules of the hall, but to ask whether a "no" was ever true: it
looks at every durable fact and at every answer.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime

import msgspec

from floor import facts
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry, Fact
from floor.refusals import CommandIdReused, Refused
from simulated_network import TRY_AGAIN
from simulated_paper import Paper
from simulated_process import Attempt
from simulated_slips import OF_QUARTER, Slips
from simulated_stage import Stage, Wrong

Decide = Callable[[Command, Day, datetime], tuple[Fact, ...]]

# ── The log alone ───────────────────────────────────────────────────────────


class LogAudit:
    """Numbers without a gap, time that never goes back, and days that make sense."""

    def __init__(self) -> None:
        self.position = 0
        self._ends: dict[str, int] = {}
        self._slips = Slips()
        self._paper: Paper | None = None
        self._catalogue: Catalogue | None = None
        self._last_at: datetime | None = None

    def hear(self, entry: Entry) -> None:
        """Take in the next fact of the log.

        Raises:
            Wrong: it cannot stand there.
        """
        fact, version = entry.fact, self._ends.get(entry.stream, 0) + 1
        self.position += 1
        if fact.position != self.position:
            raise Wrong(f"position {fact.position} stands at {self.position}")
        if entry.version != version:
            raise Wrong(f"version {entry.version} of {entry.stream} leaves a hole")
        self._ends[entry.stream] = version
        if self._last_at is not None and fact.at < self._last_at:
            raise Wrong(f"{fact} is before the fact ahead of it")
        self._last_at = fact.at
        if isinstance(fact, facts.CataloguePublished):
            self._catalogue = fact.catalogue
        if self._catalogue is None:
            raise Wrong("the log does not begin with a catalogue")
        self._write(entry, self._catalogue)

    def _write(self, entry: Entry, catalogue: Catalogue) -> None:
        fact, paper = entry.fact, self._paper
        day = self._day_of(fact, catalogue)
        hall, quarter = catalogue.hall, (day.month + 2) // 3
        name = day.isoformat()
        if isinstance(fact, OF_QUARTER):
            name = f"{day.year}-Q{quarter}"
        elif isinstance(fact, facts.CataloguePublished):
            name = "setup"
        if entry.stream != f"{hall}/{name}":
            raise Wrong(f"{fact} is in {entry.stream}")
        if paper is None or day > paper.date:
            if paper is not None and paper.used and not paper.closed:
                raise Wrong(f"{paper.date} was never closed")
            if paper is not None and paper.owed:
                raise Wrong(f"{paper.date} ended without {paper.owed}")
            if paper is not None and paper.used and not paper.sealed:
                raise Wrong(f"{paper.date} was not sealed at its end")
            paper = self._paper = Paper(catalogue, day, self._slips)
        paper.write(entry)

    def _day_of(self, fact: Fact, catalogue: Catalogue) -> date:
        """The business day that a fact belongs to, at midnight the one that ends."""
        over = isinstance(fact, facts.AppointmentMissed | facts.DaySealed) or (
            isinstance(fact, facts.HallClosed) and fact.reason == "day_change"
        )
        day = catalogue.business_date(fact.at)
        if self._paper is None:
            return day
        return self._paper.date if over else max(self._paper.date, day)


class GroupAudit:
    """What one command caused stands together, was committed together, and is named
    by one of its facts.

    Args:
        stage: keeps what the hall decided, and where commits ended.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def hear(self, entries: Sequence[Entry]) -> None:
        """Look at new facts.

        Raises:
            Wrong: a group is not whole.
        """
        end = 0
        for place, entry in enumerate(entries):
            if place < end:
                continue
            group = self._group_at(entries, place)
            if group:
                end = place + len(group)
                self._together(entries[place:end])
            elif isinstance(entry.fact, facts.AppointmentMissed | facts.DaySealed):
                # A seal without a closing is that of what came after the last one.
                if isinstance(entries[place - 1].fact, OF_AN_END):
                    self._together(entries[place - 1 : place + 1])
            elif not isinstance(entry.fact, BY_ITSELF) or entry.fact.command:
                raise Wrong(f"{entry.fact} was not decided like that")

    def _group_at(self, entries: Sequence[Entry], place: int) -> tuple[Fact, ...]:
        """The facts of one command that begin here; none when the hall's own do."""
        ahead = entries[place : place + NAMED_WITHIN]
        id = next((each.fact.command for each in ahead if each.fact.command), "")
        for decided in self._stage.decided.get(id, ()):
            heard = [entry.fact for entry in entries[place : place + len(decided)]]
            if [_bare(fact) for fact in heard] == list(decided):
                if [fact.command for fact in heard if fact.command] != [id]:
                    raise Wrong(f"{id} is not the name of one fact of {heard}")
                return decided
        return ()

    def _together(self, entries: Sequence[Entry]) -> None:
        for entry in entries[:-1]:
            if entry.position in self._stage.disk.commits:
                raise Wrong(f"{entry.fact} was committed without what it came with")


#: A window that closes gives so many tickets back before its own fact, and more.
NAMED_WITHIN = 10
#: What is written in one group when a day ends.
OF_AN_END = (facts.HallClosed, facts.AppointmentMissed, facts.DaySealed)
#: What the hall does without being asked.
BY_ITSELF = (facts.HallClosed, facts.CataloguePublished, facts.ClockStepped)


def _bare(fact: Fact) -> Fact:
    """A fact as a rule decided it."""
    return msgspec.structs.replace(fact, position=0, command="")


# ── What clients were told ──────────────────────────────────────────────────


class AnswerAudit:
    """An acknowledged command is in the log once, as it was told; a refused one not."""

    def __init__(self) -> None:
        self._logged: dict[str, Entry] = {}

    def hear(self, entries: Sequence[Entry], attempts: Sequence[Attempt]) -> None:
        """Compare new facts with all that was answered since the facts before.

        Raises:
            Wrong: naming the first command of which it is not so.
        """
        unexplained: dict[str, Entry] = {}
        for entry in entries:
            id = entry.fact.command
            if id in self._logged:
                raise Wrong(f"{id} was done twice: {self._logged[id]}, {entry}")
            if id:
                self._logged[id] = unexplained[id] = entry
        for attempt in attempts:
            id = attempt.exchange.command.command_id
            stored, receipt = self._logged.get(id), attempt.receipt
            if receipt is not None and receipt.entry != stored:
                raise Wrong(f"{id} was told {receipt}, and the log has {stored}")
            # A repeat is explained by the press that caused the fact; of a process
            # that died, or could not know, nobody heard a "no".
            if (
                not receipt.repeated
                if receipt is not None
                else attempt.ended_position is None or attempt.unsure
            ):
                unexplained.pop(id, None)
        for id, entry in unexplained.items():
            raise Wrong(f"{id} was refused, and the log has {entry}")


class RefusalAudit:
    """A rule's "no" was true of the durable hall at some instant while it was asked.

    Otherwise somebody was told of something that never came to be.

    Attributes:
        day: what a replay of all facts heard so far gives.
    """

    def __init__(self, decide: Decide) -> None:
        self.day: Day | None = None
        self._decide = decide
        self._position = 0
        self._ids: set[str] = set()
        self._asked: list[Attempt] = []

    def hear(self, entries: Sequence[Entry], attempts: Sequence[Attempt]) -> None:
        """Go through new facts with all that was refused since the facts before.

        Raises:
            Wrong: naming the first refusal that nothing durable explains.
        """
        began: dict[int, list[Attempt]] = {}
        for attempt in attempts:
            refusal = attempt.refusal
            if refusal is not None and not isinstance(refusal, TRY_AGAIN):
                began.setdefault(attempt.began_position, []).append(attempt)
        self._look(began)
        for entry in entries:
            self.day = advance(self.day, entry)
            self._position = entry.position
            self._ids.add(entry.fact.command)
            self._look(began)

    def _look(self, began: dict[int, list[Attempt]]) -> None:
        self._asked += began.pop(self._position, [])
        self._asked = [each for each in self._asked if not self._explains(each)]
        for each in self._asked:
            if each.ended_position == self._position:
                command, refusal = each.exchange.command, each.refusal
                raise Wrong(f"{command} was refused with {refusal!r} for no reason")

    def _explains(self, attempt: Attempt) -> bool:
        command, day = attempt.exchange.command, self.day
        if isinstance(attempt.refusal, CommandIdReused):
            return command.command_id in self._ids
        assert day is not None
        assert day.last_at is not None
        at = attempt.at
        at = max(at.replace(microsecond=at.microsecond // 1000 * 1000), day.last_at)
        date_of = day.catalogue.business_date(at)
        if date_of > day.date:
            day = Day(day.catalogue, date_of, day.bookings)
        try:
            self._decide(command, day, at)
        except Refused as refusal:
            return type(refusal) is type(attempt.refusal)
        return False
