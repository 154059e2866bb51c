"""The import: recorded tickets of another system become a log of ours.

A row is never written as it stands. Each business day is first rehearsed in memory
through the real rules, so that a row they refuse is left out as a whole and takes no
number; then the same commands are decided for good on a new log.
"""

import csv
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from floor import commands, effects, log
from floor.commands import Command
from floor.day import Day
from floor.facts import Entry, Fact, TicketTaken
from floor.hall import Draft
from floor.intake.maps import Map
from floor.intake.records import BadFile, RefusedRow, shown
from floor.intake.rows import Row, ServerBusy, read
from floor.intake.source_hall import SourceHall, hall_of
from floor.refusals import Refused, WindowBusy

# Large enough that the disk is not waited for, small enough to be forgotten quickly.
COMMIT_FACTS = 2_000
FILE_NAME_CHARS_MAX = 40  # Of the row's name in a command id.
#: Calls of the source are kept in its own order, so each is a designated one of ours.
REASON = "按原记录 as recorded"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: rows = taken + refused, taken = served + abandoned.

    days: business days with at least one ticket.
    adjusted, refused_by: how many taken rows the map let stand with which change, and
        how many were refused for which reason.
    """

    rows: int
    taken: int
    served: int
    abandoned: int
    refused: int
    days: int
    seconds: float
    adjusted: dict[str, int]
    refused_by: dict[str, int]


def import_tickets(file: Path, map: Map, target: Path) -> Imported:
    """Turn a file of tickets into a new log, and a report of its refused rows.

    The report stands beside the log as `<log>.refused.csv`. The log appears under its
    name only when it is whole.

    Raises:
        BadFile: the file cannot be used, or the log holds something already.
        LogInUse, LogUnreadable: the log's name cannot be had.
        LogFailed: the disk refused it.
    """
    began = time.perf_counter()
    _check_free(target)
    rows, refused = _sorted_out(read(file, map))
    hall = hall_of(rows, map)
    days = {
        day: _rehearsed(of_day, hall, day, refused)
        for day, of_day in _by_day(rows, map).items()
    }
    days = {day: kept for day, kept in days.items() if kept}
    try:
        with TemporaryDirectory(
            prefix=f"{target.name}.part-", dir=target.parent
        ) as part:
            _write_report(Path(part, "refused.csv"), refused)
            beside = target.with_name(target.name + ".refused.csv")
            os.replace(Path(part, "refused.csv"), beside)
            if not days:
                raise _nothing_taken(file, refused)
            _record(days, hall, _name_of(file), Path(part, "events.db"))
            _check_free(target)
            os.replace(Path(part, "events.db"), target)
    except OSError as error:
        raise BadFile(
            f"写不了 {target.name}：{error.strerror}",
            f"{target.name} cannot be written: {error.strerror}",
        ) from error
    taken = [row for kept in days.values() for row in kept]
    served = sum(row.served for row in taken)
    return Imported(
        rows=len(taken) + len(refused),
        taken=len(taken),
        served=served,
        abandoned=len(taken) - served,
        refused=len(refused),
        days=len(days),
        seconds=round(time.perf_counter() - began, 2),
        adjusted=_counted(kind for row in taken for kind in row.adjusted),
        refused_by=_counted(row.why.code for row in refused),
    )


def _check_free(target: Path) -> None:
    """The log's name must be free: a new log is never mixed into an older one."""
    if not target.parent.is_dir():
        raise BadFile(
            f"没有文件夹 {target.parent}", f"There is no folder {target.parent}"
        )
    wal = target.with_name(target.name + "-wal")
    # SQLite would read what another log has left there into the new one.
    if not target.exists() and wal.exists() and wal.stat().st_size:
        raise BadFile(
            f"{wal.name} 是另一个日志留下的，请先移走",
            f"{wal.name} was left by another log; move it away first",
        )
    if not target.exists():
        return
    try:
        empty = target.stat().st_size == 0 or next(log.read(target), None) is None
    except log.LogUnreadable:
        empty = False
    if not empty:
        raise BadFile(
            f"{target.name} 里已有内容，请换一个日志文件名",
            f"{target.name} holds something already; choose another name for the log",
        )
    log.Log(target).close()  # Raises LogInUse when a hall is at work on it.


def _sorted_out(
    read: Iterator[Row | RefusedRow],
) -> tuple[list[Row], list[RefusedRow]]:
    rows: list[Row] = []
    refused: list[RefusedRow] = []
    for row in read:
        if isinstance(row, Row):
            rows.append(row)
        else:
            refused.append(row)
    return rows, refused


def _by_day(rows: list[Row], map: Map) -> dict[date, list[Row]]:
    """The rows of each business day, days in order."""
    days: dict[date, list[Row]] = {}
    for row in rows:
        days.setdefault(map.business_date(row.taken_at), []).append(row)
    return dict(sorted(days.items()))


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _nothing_taken(file: Path, refused: list[RefusedRow]) -> BadFile:
    if not refused:
        return BadFile(f"{file.name} 里没有票", f"There are no tickets in {file.name}")
    first = refused[0]
    zh, en = first.why.message["zh"], first.why.message["en"]
    return BadFile(
        f"{file.name} 的 {len(refused)} 行全部被拒绝，第 {first.line} 行：{zh}",
        f"All {len(refused)} rows of {file.name} are refused; line {first.line}: {en}",
    )


# ── One day ─────────────────────────────────────────────────────────────────

Do = Callable[[Command, datetime], Fact]
#: When, what goes first at that instant, of which row, which step; and the step.
Event = tuple[datetime, int, datetime, int, int, str, Row]


def _events(rows: Iterable[Row]) -> list[Event]:
    """Everything that happened on a day, in an order that can have happened.

    At one instant, first goes on what was in hand before, so that a window is free
    for its next call; then tickets are taken; then they are called, and of those the
    ones that are also done at this instant first.
    """
    events: list[Event] = []
    for row in rows:
        steps = [("take", row.taken_at)]
        if row.served:
            steps.append(("call", row.called_at))
            steps.append(("start", row.started_at))
            steps.append(("finish", row.ended_at))
        else:
            steps.append(("abandon", row.ended_at))
        for place, (step, at) in enumerate(steps):
            if step == "take":
                first, last = 1, at
            elif row.called_at < at:
                first, last = 0, at
            else:
                first, last = 2, row.ended_at
            events.append((at, first, last, row.line, place, step, row))
    return sorted(events, key=lambda event: event[:5])


class _Play:
    """Says to the hall what the rows tell, one command after the other.

    Args:
        file: names the rows in the command ids, so that a fact leads to its line.
        do: carries out a command.
        last: per window, the line of the ticket after which it closes.
    """

    def __init__(
        self, hall: SourceHall, file: str, do: Do, last: Mapping[str, int]
    ) -> None:
        self._hall = hall
        self._file = file
        self._do = do
        self._last = last
        self._open: set[str] = set()
        self._numbers: dict[int, str] = {}
        self.in_hand: dict[str, int] = {}  # The line last called, per window.

    def step(self, event: Event) -> None:
        at, step, row = event[0], event[5], event[6]
        id = f"{self._file}:{row.line}:"
        if step == "take":
            item = self._hall.items[row.item]
            fact = self._do(
                commands.TakeTicket(command_id=id + step, item=item, channel="import"),
                at,
            )
            assert isinstance(fact, TicketTaken)
            self._numbers[row.line] = fact.ticket
            return
        ticket = self._numbers[row.line]
        if step == "abandon":
            self._do(commands.AbandonTicket(command_id=id + step, ticket=ticket), at)
            return
        window = self._hall.window_of(row)
        names = {"command_id": id + step, "window": window, "ticket": ticket}
        if step == "call":
            self._sign_in(window, id, at)
            self._do(commands.CallTicket(**names, reason=REASON), at)
            self.in_hand[window] = row.line
        elif step == "start":
            self._do(commands.StartService(**names), at)
        else:
            self._do(commands.FinishService(**names, outcome=row.outcome), at)
            if self._last.get(window) == row.line:
                closing = commands.CloseWindow(command_id=id + "close", window=window)
                self._do(closing, at)

    def _sign_in(self, window: str, id: str, at: datetime) -> None:
        """A window opens with its first call: the source tells nothing earlier."""
        if window not in self._open:
            self._open.add(window)
            clerk = self._hall.clerks[window]
            opening = commands.OpenWindow(
                command_id=id + "open", window=window, clerk=clerk
            )
            self._do(opening, at)

    def close(self, event: Event) -> None:
        """The hall closes with the last thing that happened."""
        id = f"{self._file}:{event[3]}:close-hall"
        self._do(commands.CloseHall(command_id=id), event[0])


def _rehearsed(
    rows: list[Row], hall: SourceHall, date: date, refused: list[RefusedRow]
) -> list[Row]:
    """The rows that the real rules let happen together; the others are refused.

    Only a call can be refused, and until then its ticket has only waited: leaving the
    row out changes nothing for the others, so one rehearsal is enough.
    """
    day = Day(hall.catalogue, date)

    def do(command: Command, at: datetime) -> Fact:
        decided = effects.decide(command, day, at)
        for fact in decided:
            numbered = msgspec.structs.replace(fact, position=day.position + 1)
            day.apply(Entry(day.stream, day.version + 1, numbered))
        return next(fact for fact in decided if effects.answers(command, fact))

    play = _Play(hall, "", do, {})
    thrown: dict[int, RefusedRow] = {}
    for event in _events(rows):
        row = event[6]
        if row.line in thrown:
            continue
        try:
            play.step(event)
        except WindowBusy:
            # Said in words of the file; the number is only the rehearsal's.
            line = play.in_hand[hall.window_of(row)]
            busy = ServerBusy(server=shown(row.window or row.item), line=line)
            thrown[row.line] = RefusedRow(row.line, row.text, busy)
        except Refused as why:
            thrown[row.line] = RefusedRow(row.line, row.text, why)
    refused.extend(thrown.values())
    return [row for row in rows if row.line not in thrown]


def _record(
    days: dict[date, list[Row]], hall: SourceHall, file: str, path: Path
) -> None:
    """Decide the rehearsed days for good, on a log that nobody else knows yet."""
    with log.Log(path) as held:
        draft = Draft(held, hall.catalogue)

        def do(command: Command, at: datetime) -> Fact:
            try:
                fact = draft.decide(command, at).entry.fact
            except Refused as why:
                raise AssertionError("A rehearsed command was refused.") from why
            if len(draft.pending) >= COMMIT_FACTS:
                draft.commit()
            return fact

        opened = False
        for rows in days.values():
            events = _events(rows)
            if not opened:
                draft.open(events[0][0])
                opened = True
            last = {hall.window_of(e[6]): e[3] for e in events if e[5] == "finish"}
            play = _Play(hall, file, do, last)
            for event in events:
                play.step(event)
            play.close(events[-1])
        draft.commit()
    # The last connection has brought the WAL in; a file that is moved without it
    # would be half a log.
    assert not path.with_name(path.name + "-wal").exists()


def _name_of(file: Path) -> str:
    """The file's name as it can stand in a command id."""
    return "".join(
        char if char.isalnum() or char in "._-" else "-" for char in file.name
    )[-FILE_NAME_CHARS_MAX:]


# ── The report ──────────────────────────────────────────────────────────────


def _write_report(path: Path, refused: list[RefusedRow]) -> None:
    """Each refused row with its line, the reason and how it begins."""
    refused.sort(key=lambda row: row.line)
    # With a byte order mark, without which Excel reads Chinese as noise.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        report = csv.writer(file)
        report.writerow(["line", "code", "zh", "en", "row"])
        for row in refused:
            zh, en = row.why.message["zh"], row.why.message["en"]
            # A row that begins like a formula must not become one in a spreadsheet.
            text = f"'{row.text}" if row.text[:1] in "=+-@" else row.text
            report.writerow([row.line, row.why.code, zh, en, text])
