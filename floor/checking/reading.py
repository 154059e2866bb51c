"""Reading a log in its order: what holds for every fact, and which day it goes to."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from floor import facts
from floor.catalogue import Catalogue
from floor.checking import bookings, calls, hall, tickets, windows
from floor.checking.bookings import Bookings
from floor.checking.findings import Findings
from floor.checking.sheet import EPOCH, MILLISECOND, Sheet
from floor.checking.sums import close_books
from floor.facts import Fact

DAY_MS = 24 * 3600 * 1000

#: What each fact of a business day must be like, and does; a test holds that none is
#: forgotten. Check-ins and the facts of a quarter are beside it, with the bookings.
CHECKS: dict[type[Fact], Callable[[Sheet, Any, int], None]] = {
    facts.TicketTaken: tickets.taken,
    facts.TicketRequeued: tickets.requeued,
    facts.TicketAbandoned: tickets.abandoned,
    facts.TicketCalled: calls.called,
    facts.TicketRecalled: calls.recalled,
    facts.CallUndone: calls.undone,
    facts.NoShowDeclared: calls.no_show,
    facts.ServiceStarted: calls.started,
    facts.ServiceFinished: calls.finished,
    facts.TicketContinued: calls.continued,
    facts.TicketHeld: calls.held,
    facts.TicketReturned: calls.returned,
    facts.TicketTransferred: calls.transferred,
    facts.WindowOpened: windows.opened,
    facts.WindowPaused: windows.paused,
    facts.WindowResumed: windows.resumed,
    facts.WindowClosed: windows.closed,
    facts.ClerkMoved: windows.moved,
    facts.EvaluationInvited: hall.invited,
    facts.EvaluationGiven: hall.rated,
    facts.EvaluationLapsed: hall.lapsed,
    facts.HallClosed: hall.closed,
    facts.HallReopened: hall.reopened,
    facts.DeviceLost: hall.nothing,
    facts.DeviceRestored: hall.nothing,
    facts.ClockStepped: hall.nothing,
    facts.OutageDeclared: hall.nothing,
}
OF_QUARTER: dict[type[Fact], Callable[[Sheet, Any, Bookings], None]] = {
    facts.AppointmentBooked: bookings.booked,
    facts.AppointmentCancelled: bookings.cancelled,
    facts.AppointmentMissed: bookings.missed,
}


class Before(msgspec.Struct, kw_only=True):
    """What came before the part of a hall's log that is to be checked.

    commands: ids carried out on the day before; a repeated press is known so long.
    """

    position: int = 0
    ms: int = 0
    catalogue: Catalogue | None = None
    versions: dict[str, int] = {}
    booked: list[Fact] = []
    commands: set[str] = set()


class Reading:
    """The check of one hall's log, fact by fact, in the order of writing."""

    def __init__(self, before: Before | None = None) -> None:
        before = before or Before()
        self.findings = Findings()
        self._position, self._ms = before.position, before.ms
        self._catalogue = before.catalogue
        self._versions = dict(before.versions)
        self._bookings = Bookings()
        for fact in before.booked:
            self._bookings.know(fact, before.catalogue)
        self._yesterday = before.commands
        self._commands: set[str] = set()
        self._stream = ""
        self._version = 0
        self._to_ms = 0  # When the business day ends, as the catalogue has it.
        self._sheet: Sheet | None = None

    def take(self, stream: str, version: int, fact: Fact) -> None:
        """Check one fact in its place, and let it happen on the day's sheet."""
        position = fact.position
        since = fact.at - EPOCH
        micros = since.microseconds
        ms = since.days * DAY_MS + since.seconds * 1000 + micros // 1000
        if position != self._position + 1 or ms < self._ms or micros % 1000:
            self._out_of_order(stream, position, ms, micros)
        self._position, self._ms = position, ms
        command = fact.command
        if command:
            if command in self._commands or command in self._yesterday:
                self._say("command_twice", stream, position, command=command)
            self._commands.add(command)
        if stream != self._stream and not self._begins(stream, fact, ms):
            self._elsewhere(stream, version, fact, ms)
            return
        if version != self._version + 1:
            self._gap(stream, version, self._version + 1, position)
        self._version = version
        sheet = self._sheet
        assert sheet is not None, "A day's stream has a sheet."
        # Time passes, it happens, and then all must agree.
        passed = ms - sheet.ms
        if passed:
            areas = sheet.areas
            areas[0] += passed * sheet.waiting
            areas[1] += passed * sheet.serving
            areas[2] += passed * sheet.held
            sheet.ms = ms
        if sheet.owed is not None:
            _paid(sheet, fact)
        check = CHECKS.get(type(fact))
        if check is not None:
            check(sheet, fact, ms)
        else:
            self._seldom(sheet, fact, ms)
        if ms >= self._to_ms:
            _other_day(sheet, fact)
        if sheet.waiting != sheet.lines.count or sheet.serving != sheet.at_windows:
            _unequal(sheet, position)

    def finish(self, *, goes_on: bool = False) -> Findings:
        """Close the last day; `goes_on` when the log has another one after it."""
        self._day_over(goes_on)
        return self.findings

    def _seldom(self, sheet: Sheet, fact: Fact, ms: int) -> None:
        """What needs more than the day: bookings, the version, another stream."""
        if isinstance(fact, facts.AppointmentCheckedIn):
            bookings.checked_in(sheet, fact, ms, self._bookings)
        elif isinstance(fact, facts.DaySealed):
            before = self._version - 1
            if fact.size != before:
                sheet.wrong("wrong_size", fact.position, size=fact.size, found=before)
        else:
            sheet.wrong("wrong_stream", fact.position, topic=type(fact).__name__)

    # ── From day to day ─────────────────────────────────────────────────────

    def _begins(self, stream: str, fact: Fact, ms: int) -> bool:
        """Whether a later business day begins with this fact; then it has begun."""
        day = day_of(stream)
        if day is None or self._catalogue is None:
            return False
        if self._sheet is not None and day <= self._sheet.day and self._stream:
            return False
        self._day_over(goes_on=True)
        self._yesterday, self._commands = self._commands, {fact.command}
        self._bookings.forget(day)
        self._stream, self._version = stream, 0
        self._sheet = Sheet(stream, day, self._catalogue, ms, self.findings)
        self._to_ms = 0
        self._lasts(self._catalogue)
        return True

    def _day_over(self, goes_on: bool) -> None:
        sheet = self._sheet
        if sheet is None or not self._stream:
            return
        self.findings.rates.facts += self._version
        close_books(sheet, self._position)
        closed_at = sheet.closed_at
        if goes_on and closed_at and sheet.closed and not sheet.emergency:
            for id, known in self._bookings.open_on(sheet.day):
                # Whoever met a closed hall, or an item that is gone, missed nothing.
                if known.slot_at <= closed_at and known.item in sheet.items:
                    sheet.wrong("never_missed", known.position, booking=id)

    def _lasts(self, catalogue: Catalogue) -> None:
        """Until when the business day lasts; of two catalogues, the later end.

        Its beginning is no bound: a clock that is put back before the day has a fact
        makes the first ones a little older than the day.
        """
        assert self._sheet is not None, "A day that lasts has begun."
        self._to_ms = max(self._to_ms, _end_ms(catalogue, self._sheet.day))

    def _elsewhere(self, stream: str, version: int, fact: Fact, ms: int) -> None:
        """A fact that is not of the day: a catalogue, a booking, or misplaced."""
        position = fact.position
        self.findings.rates.facts += 1
        due = self._versions.get(stream, 0) + 1
        if day_of(stream) is not None:
            what = "no_catalogue" if self._catalogue is None else "day_goes_on"
            self._say(what, stream, position)
            return
        if version != due:
            self._gap(stream, version, due, position)
        self._versions[stream] = version
        if isinstance(fact, facts.CataloguePublished):
            if not stream.endswith("/setup"):
                self._say("wrong_stream", stream, position, topic="CataloguePublished")
            self._publish(fact, ms)
            return
        if self._catalogue is None:
            self._say("no_catalogue", stream, position)
            return
        sheet = self._sheet
        if sheet is None:  # Booked before the hall ever opened.
            day = self._catalogue.business_date(fact.at)
            sheet = Sheet(stream, day, self._catalogue, ms, self.findings)
            self._sheet = sheet
        check = OF_QUARTER.get(type(fact))
        days = sheet.day, self._catalogue.business_date(fact.at)
        if check is None or stream.rpartition("/")[2] not in map(quarter_of, days):
            self._say("wrong_stream", stream, position, topic=type(fact).__name__)
        if check is not None:
            own, sheet.stream = sheet.stream, stream  # Where the fact itself stands.
            check(sheet, fact, self._bookings)
            sheet.stream = own

    def _publish(self, fact: facts.CataloguePublished, ms: int) -> None:
        catalogue = self._catalogue = fact.catalogue
        sheet = self._sheet
        if sheet is not None and catalogue.business_date(fact.at) <= sheet.day:
            sheet.publish(catalogue, ms)
            if self._stream:
                self._lasts(catalogue)

    # ── What is wrong ───────────────────────────────────────────────────────

    def _out_of_order(self, stream: str, position: int, ms: int, micros: int) -> None:
        if position != self._position + 1:
            due = self._position + 1
            self._say("position_gap", stream, position, due=due, found=position)
        if micros % 1000:
            self._say("not_milliseconds", stream, position)
        if ms < self._ms:
            self._say("time_back", stream, position, ms=self._ms - ms)

    def _gap(self, stream: str, version: int, due: int, position: int) -> None:
        self._say("version_gap", stream, position, due=due, found=version)

    def _say(self, what: str, stream: str, position: int, **words: object) -> None:
        self.findings.note(what, stream, (position,), **words)


def day_of(stream: str) -> date | None:
    """The business day of a stream; None for catalogues and quarters."""
    name = stream.rpartition("/")[2]
    if len(name) != len("2026-11-22") or not name[:4].isdecimal():
        return None
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def quarter_of(day: date) -> str:
    return f"{day.year:04d}-Q{(day.month + 2) // 3}"


def _end_ms(catalogue: Catalogue, day: date) -> int:
    """When a business day ends, in milliseconds since 1970."""
    hour, minute = catalogue.hours.day_starts.split(":")
    starts = datetime.combine(day, time(int(hour), int(minute)), catalogue.zone)
    return ((starts + timedelta(days=1)).astimezone(UTC) - EPOCH) // MILLISECOND


def _paid(sheet: Sheet, fact: Fact) -> None:
    """What had to follow the fact before, because one command causes both."""
    assert sheet.owed is not None, "Asked only when something is owed."
    first, window, due = sheet.owed
    topic = type(fact).__name__
    here = getattr(fact, "window", "")
    if topic not in due or (window and here != window):
        sheet.wrong(
            "not_followed", fact.position, first, first=first, due=" / ".join(due)
        )
        sheet.owed = None
    elif topic == due[0]:
        sheet.owed = None


def _other_day(sheet: Sheet, fact: Fact) -> None:
    """Only what ends a day that was left open may be dated after it."""
    if isinstance(fact, facts.HallClosed) and fact.reason == "day_change":
        return
    topic = type(fact).__name__
    sheet.wrong("wrong_stream", fact.position, topic=topic)


def _unequal(sheet: Sheet, position: int) -> None:
    """I2: as many wait and are served as the facts say; then count on from there."""
    found = sheet.lines.count
    if sheet.waiting != found:
        sheet.wrong("lines_differ", position, counted=sheet.waiting, found=found)
        sheet.waiting = found
    if sheet.serving != sheet.at_windows:
        counted, found = sheet.serving, sheet.at_windows
        sheet.wrong("services_differ", position, counted=counted, found=found)
        sheet.serving = found
