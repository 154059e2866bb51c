"""The rows of a recorded file, read through its map and checked one by one.

A row comes out either as the moments of one ticket, or refused with its line and the
reason.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from floor.facts import Outcome
from floor.intake.maps import Columns, Map, Moment
from floor.intake.records import BadFile, Record, RefusedRow, records, shown
from floor.refusals import Refused


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One ticket of the file that can be true.

    parts: the item's value in each of its columns.
    window: the server's own name; empty when unknown.
    called_at, started_at, ended_at: all when the visitor left, if not served.
    adjusted: what was done to the row because the map orders it.
    """

    line: int
    text: str
    ticket: str
    item: str
    parts: tuple[str, ...]
    window: str
    served: bool
    outcome: Outcome
    taken_at: datetime
    called_at: datetime
    started_at: datetime
    ended_at: datetime
    adjusted: tuple[str, ...]


def read(path: Path, map: Map) -> Iterator[Row | RefusedRow]:
    """Every row below the header, in order of the file; blank lines are no rows.

    Raises:
        BadFile: nothing of the file can be used.
    """
    below = records(path, map.file)
    header = next(below, None)
    if header is None:
        raise BadFile(f"{path.name} 是空文件", f"{path.name} is empty")
    if isinstance(header, RefusedRow):
        raise BadFile(
            f"{path.name} 的表头读不懂：{header.why.message['zh']}",
            f"The header of {path.name} cannot be read: {header.why.message['en']}",
        )
    checker = _Checker(map, _places(path, header.cells, map))
    for record in below:
        yield record if isinstance(record, RefusedRow) else checker.check(record)


def _places(path: Path, header: list[str], map: Map) -> dict[str, int]:
    """Where each column of the header stands."""
    fields = msgspec.structs.asdict(map.columns)
    needed = [column for columns in fields.values() for column in columns]
    for column in needed:
        if (times := header.count(column)) != 1:
            seen = shown(", ".join(header))
            raise BadFile(
                f"{path.name} 的表头里有 {times} 个“{column}”列，应为 1 个；"
                f"表头：{seen}",
                f"The header of {path.name} has {times} columns {column!r}, "
                f"not 1; it reads: {seen}",
            )
    return {column: place for place, column in enumerate(header)}


# ── One row ─────────────────────────────────────────────────────────────────

FIELD_ZH = {
    "ticket": "票号",
    "item": "事项",
    "window": "窗口",
    "arrive": "取号时间",
    "call": "叫号时间",
    "leave": "离开时间",
    "start": "开始办理时间",
    "end": "办结时间",
    "outcome": "结果",
}
STEPS: tuple[tuple[Moment, Moment, str], ...] = (
    ("arrive", "call", "wait_s"),
    ("call", "start", "answer_s"),
    ("start", "end", "service_s"),
)
NO_TIME = timedelta(0)
# Ticket machines are younger; a date far away is an empty field of some database.
FIRST_AT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_AT = datetime(2200, 1, 1, tzinfo=UTC)

Moments = dict[Moment, datetime]


class _Checker:
    """Reads the cells of a record as the map says, and believes only what can be."""

    def __init__(self, map: Map, places: dict[str, int]) -> None:
        self._map = map
        self._places = places
        self._empty = frozenset(map.file.empty) | {""}
        self._seen: dict[tuple[date, str], int] = {}

    def check(self, record: Record) -> Row | RefusedRow:
        try:
            return self._row(record)
        except Refused as why:
            return RefusedRow(record.line, record.text, why)

    def _row(self, record: Record) -> Row:
        if (has := len(record.cells)) != (wanted := len(self._places)):
            raise WrongColumnCount(has=has, wanted=wanted)
        map, columns, cells = self._map, self._map.columns, record.cells
        ticket = self._needed("ticket", columns.ticket, cells) if columns.ticket else ""
        item = self._needed("item", columns.item, cells)
        served = self._served(cells)
        adjusted: list[str] = []
        window = ""
        if served:
            window = self._word(columns.window, cells)
            if not window:
                self._gap("window", map.missing.window, adjusted)
            moments = self._served_moments(cells, adjusted)
        else:
            moments = self._left_moments(cells)
        self._settle(moments, adjusted)
        self._same_day(moments, ticket, record.line)
        return Row(
            line=record.line,
            text=record.text,
            ticket=ticket,
            item=item,
            parts=tuple(cells[self._places[column]] for column in columns.item),
            window=window,
            served=served,
            outcome="unrecorded" if "end_missing" in adjusted else "done",
            taken_at=moments["arrive"],
            called_at=moments["call"],
            started_at=moments.get("start", moments["call"]),
            ended_at=moments.get("end", moments["call"]),
            adjusted=tuple(adjusted),
        )

    # ── Words ───────────────────────────────────────────────────────────────

    def _word(self, columns: Columns, cells: list[str], between: str = ".") -> str:
        """The columns' values together; empty when one of them has none."""
        parts = [cells[self._places[column]] for column in columns]
        return "" if self._empty.intersection(parts) else between.join(parts)

    def _needed(self, field: str, columns: Columns, cells: list[str]) -> str:
        word = self._word(columns, cells)
        if not word:
            raise MissingField(field=field, zh=FIELD_ZH[field])
        return word

    def _gap(self, field: str, instead: str, adjusted: list[str]) -> None:
        """A missing value is refused, or filled as the map says and counted."""
        if instead == "refuse":
            raise MissingField(field=field, zh=FIELD_ZH[field])
        adjusted.append(f"{field}_missing")

    def _served(self, cells: list[str]) -> bool:
        columns, outcome = self._map.columns, self._map.outcome
        match outcome.rule:
            case "all-served":
                return True
            case "served-if-called":
                return bool(self._word(columns.call, cells))
            case "served-if-started":
                return bool(self._word(columns.start, cells))
        word = self._needed("outcome", columns.outcome, cells)
        if word not in outcome.served and word not in outcome.abandoned:
            raise UnknownOutcome(word=shown(word))
        return word in outcome.served

    # ── Moments ─────────────────────────────────────────────────────────────

    def _served_moments(self, cells: list[str], adjusted: list[str]) -> Moments:
        columns, missing = self._map.columns, self._map.missing
        taken = self._moment("arrive", columns.arrive, cells)
        call = self._instant("call", columns.call, cells)
        start = self._instant("start", columns.start, cells)
        end = self._instant("end", columns.end, cells)
        if call is None:
            # With both unknown there is nothing to take either of them from.
            self._gap("call", missing.call if start else "refuse", adjusted)
            call = self._moment("start", columns.start, cells)
        if start is None:
            self._gap("start", missing.start, adjusted)
            start = call
        if end is None:
            self._gap("end", missing.end, adjusted)
            end = start
        return {"arrive": taken, "call": call, "start": start, "end": end}

    def _left_moments(self, cells: list[str]) -> Moments:
        columns = self._map.columns
        for field, served_only in (("start", columns.start), ("end", columns.end)):
            if self._word(served_only, cells):
                raise ServedAndAbandoned(field=field, zh=FIELD_ZH[field])
        taken = self._moment("arrive", columns.arrive, cells)
        return {"arrive": taken, "call": self._moment("leave", columns.left, cells)}

    def _moment(self, field: str, columns: Columns, cells: list[str]) -> datetime:
        at = self._instant(field, columns, cells)
        if at is None:
            raise MissingField(field=field, zh=FIELD_ZH[field])
        return at

    def _instant(
        self, field: str, columns: Columns, cells: list[str]
    ) -> datetime | None:
        """A time of the file as aware UTC in whole milliseconds; None when missing."""
        word = self._word(columns, cells, between=" ")
        if not word:
            return None
        try:
            return self._utc(word)
        except (ValueError, OverflowError):
            raise BadTime(field=field, zh=FIELD_ZH[field], word=shown(word)) from None

    def _utc(self, word: str) -> datetime:
        if self._map.time.format != "iso":
            at = datetime.strptime(word, self._map.time.format)  # noqa: DTZ007
        elif len(word) > len("1999-02-01"):
            at = datetime.fromisoformat(word)
        else:
            raise ValueError("A date alone tells no time.")
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        at = at.astimezone(UTC) if at.tzinfo else self._from_zone(at)
        if not FIRST_AT <= at < LAST_AT:
            raise ValueError("No ticket was taken then.")
        return at

    def _from_zone(self, naive: datetime) -> datetime:
        """An instant of the zone's clock that happened, and happened once."""
        zone = self._map.zone
        earlier = naive.replace(tzinfo=zone).astimezone(UTC)
        if earlier.astimezone(zone).replace(tzinfo=None) != naive:
            raise NoSuchTime(word=naive.isoformat(" "), zone=zone.key)
        later = naive.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if later != earlier and self._map.time.ambiguous == "refuse":
            raise TimeHappenedTwice(word=naive.isoformat(" "), zone=zone.key)
        return later if self._map.time.ambiguous == "later" else earlier

    # ── Order ───────────────────────────────────────────────────────────────

    def _settle(self, moments: Moments, adjusted: list[str]) -> None:
        """Each step after the one before it, and not later than can be."""
        for earlier, later, _ in STEPS:
            back = _span(moments, earlier, later)
            rule = self._map.order.within(earlier, later)
            if back >= NO_TIME:
                continue
            if rule is None or -back > timedelta(seconds=rule.within_s):
                raise _out_of_order(moments, earlier, later)
            moments[earlier] = moments[later] = moments[rule.take]
            adjusted.append(f"{later}_before_{earlier}")
        for earlier, later, limit in STEPS:
            span = _span(moments, earlier, later)
            if span < NO_TIME:  # An adjustment has moved it before its forerunner.
                raise _out_of_order(moments, earlier, later)
            longest_s: int = getattr(self._map.limits, limit)
            if span > timedelta(seconds=longest_s):
                raise SpanTooLong(
                    earlier_zh=FIELD_ZH[earlier],
                    later_zh=FIELD_ZH[later],
                    earlier=earlier,
                    later=later,
                    span_s=int(span.total_seconds()),
                    longest_s=longest_s,
                )

    def _same_day(self, moments: Moments, ticket: str, line: int) -> None:
        day = self._map.business_date(moments["arrive"])
        if self._map.business_date(max(moments.values())) != day:
            raise CrossesDay(day=day.isoformat())
        if ticket and (before := self._seen.setdefault((day, ticket), line)) != line:
            raise DuplicateTicket(ticket=shown(ticket), line=before)


def _span(moments: Moments, earlier: Moment, later: Moment) -> timedelta:
    """From one moment to the next; none where the ticket never came so far."""
    return moments[later] - moments[earlier] if later in moments else NO_TIME


def _out_of_order(moments: Moments, earlier: Moment, later: Moment) -> "OutOfOrder":
    back = moments[earlier] - moments[later]
    return OutOfOrder(
        earlier_zh=FIELD_ZH[earlier],
        later_zh=FIELD_ZH[later],
        earlier=earlier,
        later=later,
        back_s=int(back.total_seconds()),
    )


# ── Why a row cannot be true ────────────────────────────────────────────────


class WrongColumnCount(Refused):
    """The row has more or fewer cells than the header."""

    zh = "这一行有 {has} 列，表头有 {wanted} 列"
    en = "The row has {has} cells and the header {wanted}"


class MissingField(Refused):
    """A field without which nothing can be recorded is empty."""

    zh = "缺少{zh}"
    en = "The {field} is missing"


class UnknownOutcome(Refused):
    """The outcome word is not in the map."""

    zh = "对照表里没有结果词“{word}”"
    en = "The outcome word {word!r} is not in the map"


class ServedAndAbandoned(Refused):
    """Somebody who gave up has a moment of service."""

    zh = "已弃号却有{zh}"
    en = "Abandoned, and yet it has a time of {field}"


class BadTime(Refused):
    """The time does not have the format of the map, or lies outside 1970 to 2199."""

    zh = "{zh}“{word}”不是有效的时间"
    en = "The time of {field} {word!r} is not a time in the format of the map"


class NoSuchTime(Refused):
    """The clock of the zone skipped this time."""

    zh = "{zone} 当天没有 {word} 这个时刻（时钟拨快）"
    en = "There was no {word} in {zone}: clocks went forward"


class TimeHappenedTwice(Refused):
    """The clock of the zone showed this time twice, and the map does not choose."""

    zh = "{zone} 当天有两个 {word}（时钟拨慢）"
    en = "{word} happened twice in {zone}: clocks went back"


class OutOfOrder(Refused):
    """A moment lies before the one that must come first."""

    zh = "{later_zh}比{earlier_zh}早 {back_s} 秒"
    en = "The {later} lies {back_s} s before the {earlier}"


class SpanTooLong(Refused):
    """Longer than can be true in this source, as its map says."""

    zh = "从{earlier_zh}到{later_zh}有 {span_s} 秒，超过 {longest_s} 秒"
    en = "From {earlier} to {later} it took {span_s} s, more than {longest_s} s"


class CrossesDay(Refused):
    """The ticket ends on another business day than it was taken."""

    zh = "营业日 {day} 取的号到第二个营业日才结束"
    en = "Taken on the business day {day} and ended on another"


class DuplicateTicket(Refused):
    """The same ticket stands twice on one business day."""

    zh = "同一天已有 {ticket} 号（第 {line} 行）"
    en = "Ticket {ticket} stands on line {line} of the same day already"


class ServerBusy(Refused):
    """The same server still had another ticket in hand."""

    zh = "“{server}”还在办第 {line} 行的票"
    en = "{server!r} still had the ticket of line {line} in hand"
