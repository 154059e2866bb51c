"""The draft of the day: what the writer has decided, durable or not yet.

A command is decided on it at once, so that the next one meets its effect; when the log
does not take what is pending, the draft is read again.
"""

import logging
import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from floor import effects, facts, refusals
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry, Fact
from floor.log import Log
from floor.rules.hall import missed, still_there
from floor.streams import OUTSIDE_DAYS, stream_for

# A command repeated just after midnight is still known: today's and yesterday's.
DAYS_KNOWN = 2
# Smaller steps back are what time synchronisation does all day.
STEP_MAX = timedelta(seconds=2)

logger = logging.getLogger(__name__)


class Receipt(msgspec.Struct, frozen=True):
    """A durable answer: the fact, and whether an earlier press had caused it."""

    entry: Entry
    repeated: bool = False


class Draft:
    """The writer's own state: decided, and perhaps not durable yet.

    Used alone by the import, which needs no event loop; `Hall` puts it to work for
    many callers at once.

    Args:
        log: the log, held by this process.
        catalogue: what is to be in force; published when it is news to the log.
        known: the last days of the log, where somebody has read them just now.
    """

    def __init__(
        self, log: Log, catalogue: Catalogue, known: list[Entry] | None = None
    ) -> None:
        self._log = log
        self._hall = catalogue.hall
        self._publish: Catalogue | None = catalogue
        self.pending: list[Entry] = []
        if known is None:
            self.reload()
        else:
            self._begin(known)

    def reload(self) -> list[Entry]:
        """Throw memory away and read the last days from the log.

        Returns:
            what was read, in order of position.
        """
        entries = self._log.recent(self._hall, DAYS_KNOWN)
        self._begin(entries)
        return entries

    def _begin(self, entries: list[Entry]) -> None:
        self.pending = []
        self.position = 0
        self._day: Day | None = None
        self._done_before: dict[str, Entry] = {}
        self._last_at: datetime | None = None
        self._stepped: facts.ClockStepped | None = None
        self._ends: dict[str, int] = {}  # The last version of each stream.
        for entry in entries:
            self._take_in(entry)

    @property
    def day(self) -> Day:
        assert self._day is not None, "A catalogue is published before any command."
        return self._day

    def open(self, at: datetime) -> None:
        """Publish the catalogue if the one in force differs.

        Not when it takes away what somebody waits for or sits at: the hall goes on
        with the one in force, and nobody is left at a window that is no more.
        """
        # A day that was left open ends before there is news.
        at = self.turn_day(at) if self._day else self._settle_clock(at)
        in_force = self._day.catalogue if self._day else None
        wanted, self._publish = self._publish, None
        if wanted is None or wanted == in_force:
            return
        try:
            if self._day:
                still_there(self._day_of(at), wanted)
        except refusals.Refused as refused:
            logger.warning(
                "目录未生效：%(zh)s / The catalogue is not put into force: %(en)s",
                refused.message,
            )
        else:
            published = facts.CataloguePublished(at=at, catalogue=wanted)
            self._write(published, wanted.business_date(at))

    def decide(self, command: Command, at: datetime) -> Receipt:
        """The fact that a command causes, on the draft; not durable before `commit`.

        Raises:
            Refused: nothing changed.
        """
        id = command.command_id
        done = self.done(id)
        if done is not None:
            if not effects.same(command, done.fact):
                raise refusals.CommandIdReused
            return Receipt(done, repeated=True)
        at = self.turn_day(at)
        day = self._day_of(at)
        answer = None
        for fact in effects.decide(command, day, at):
            if answer is None and effects.answers(command, fact):
                answer = self._write(fact, day.date, id or os.urandom(16).hex())
            else:
                self._write(fact, day.date)
        assert answer is not None, f"No fact answers {command!r}."
        return Receipt(answer)

    def done(self, command_id: str) -> Entry | None:
        """The fact that a command caused, today or yesterday."""
        if not command_id:
            return None
        return self.day.done.get(command_id) or self._done_before.get(command_id)

    def commit(self) -> list[Entry]:
        """Make all that is pending durable, in one transaction.

        Raises:
            LogFailed: the draft is ahead of the log now; `reload` it.
        """
        entries = self.take()
        self.append(entries)
        return entries

    def take(self) -> list[Entry]:
        """What is pending, to be appended; what is decided later comes after it."""
        entries, self.pending = self.pending, []
        return entries

    def append(self, entries: Sequence[Entry]) -> None:
        """Make durable what was taken; in any thread, as it touches the log alone.

        Raises:
            LogFailed: the draft is ahead of the log now; `reload` it.
        """
        if entries:
            self._log.append(entries)
        else:
            self._log.check()

    def _write(self, fact: Fact, day: date, command: str = "") -> Entry:
        present = self._day
        if present is None or day != present.date or type(fact) in OUTSIDE_DAYS:
            stream = stream_for(fact, self._hall, day)
        else:
            stream = present.stream
        version = self._ends.get(stream, 0) + 1
        fact = msgspec.structs.replace(
            fact, position=self.position + 1, command=command
        )
        entry = Entry(stream, version, fact)
        self._take_in(entry)
        self.pending.append(entry)
        return entry

    def _take_in(self, entry: Entry) -> None:
        """Let a fact happen on the draft, just written or read again."""
        day = advance(self._day, entry)
        if self._day is not None and day is not self._day:
            self._done_before = self._day.done
        self._day = day
        self._ends[entry.stream] = entry.version
        # Positions run over all streams, so the last one may be a catalogue's.
        self.position = entry.position
        self._last_at = entry.fact.at
        if isinstance(entry.fact, facts.ClockStepped):
            self._stepped = entry.fact
        elif self._stepped is not None and entry.fact.at > self._stepped.at:
            self._stepped = None  # The clock has caught up with the log.

    def _settle_clock(self, at: datetime) -> datetime:
        """Whole milliseconds, and never before the last fact."""
        if at.microsecond % 1000:
            at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        last = self._last_at
        if last is None or at >= last:
            return at
        noted = timedelta()
        if self._stepped is not None:
            noted = timedelta(milliseconds=self._stepped.back_ms)
        if self._day is not None and last - at > noted + STEP_MAX:
            back_ms = (last - at) // timedelta(milliseconds=1)
            stepped = facts.ClockStepped(at=last, back_ms=back_ms)
            self._write(stepped, self._day_of(last).date)
        return last

    def turn_day(self, at: datetime) -> datetime:
        """Close a business day that was left open and is over at this instant.

        Returns:
            the instant, settled: what happens now happens at it.
        """
        at = self._settle_clock(at)
        over = self.day
        if self._day_of(at) is over:
            return at
        absent = missed(over, at)
        if over.version and not over.closed:
            closed = facts.HallClosed(at=at, reason="day_change")
            self._write(closed, over.date)
        for fact in absent:
            self._write(fact, over.date)
        return at

    def _day_of(self, at: datetime) -> Day:
        """The day to decide on: the present one, or one that nothing happened on yet.

        Only its first fact begins a day. A draft that has turned to an empty one is
        ahead of the log, and is on another day than a replay when the clock goes back.
        """
        day = self.day
        if at < day.ends_at:
            return day  # Nearly always, and sooner than by the calendar.
        date_of = day.catalogue.business_date(at)
        if date_of <= day.date:
            return day
        return Day(day.catalogue, date_of, day.bookings)
