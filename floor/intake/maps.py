"""The map (对照表) of a recorded file: which column is what, and what to do with gaps.

A TOML file that a person writes for one source. Whatever the import does to a row
beyond reading it stands in the map, and is counted in its report: nothing is repaired
in silence.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from floor.catalogue import (
    BadCatalogue,
    Catalogue,
    Hours,
    Item,
    Seconds,
    Window,
    check,
    minutes,
)
from floor.practice import Name
from floor.refusals import Unusable
from floor.written import Written

DAY_S = 24 * 3600

Column = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
#: A field may be spread over columns: a date and a time, an office and a line.
Columns = Annotated[tuple[Column, ...], msgspec.Meta(max_length=5)]
Needed = Annotated[tuple[Column, ...], msgspec.Meta(min_length=1, max_length=5)]
Words = Annotated[tuple[str, ...], msgspec.Meta(max_length=50)]
Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Template = Annotated[str, msgspec.Meta(max_length=200)]
SpanS = Annotated[int, msgspec.Meta(ge=0, le=DAY_S)]
Moment = Literal["arrive", "call", "start", "end"]


class BadMap(Unusable):
    """The map cannot be used."""


FILE = Written("对照表", "map", BadMap)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the map; a word that means nothing is refused."""


class FileShape(Part, frozen=True, kw_only=True):
    """How the file is written; `empty` are the words that stand for no value."""

    encoding: Literal[
        "utf-8", "gb18030", "big5", "windows-1250", "windows-1251", "windows-1252"
    ] = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    empty: Words = ("",)


class HallShape(Part, frozen=True, kw_only=True):
    """The hall that the tickets were taken in."""

    hall: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
    name: Name
    name_en: Name
    time_zone: str
    hours: Hours = Hours()


class Fields(Part, frozen=True, kw_only=True):
    """Which columns make a field; none where the source does not know it.

    ticket: together unique within a business day.
    window: the server of the source, a desk or a person.
    leave: when somebody who gave up went away; the call columns when none.
    """

    ticket: Columns = ()
    item: Needed
    window: Columns = ()
    arrive: Needed
    call: Columns = ()
    leave: Columns = ()
    start: Columns = ()
    end: Columns = ()
    outcome: Columns = ()

    @property
    def left(self) -> tuple[str, ...]:
        return self.leave or self.call


class Times(Part, frozen=True, kw_only=True):
    """How times are written.

    format: `iso`, or directives of strptime.
    zone: of times without an offset; the hall's own when empty.
    ambiguous: what to take where clocks went back and a time happened twice.
    """

    format: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "iso"
    zone: str = ""
    ambiguous: Literal["refuse", "earlier", "later"] = "refuse"


class Outcomes(Part, frozen=True, kw_only=True):
    """How a ticket ended: by words of the outcome column, or by a rule."""

    served: Words = ()
    abandoned: Words = ()
    rule: Literal["words", "all-served", "served-if-called", "served-if-started"] = (
        "words"
    )


class Missing(Part, frozen=True, kw_only=True):
    """What to do for a served ticket where the source has no value.

    window: `per-item` gives each item one window that stands for the unknown ones.
    end: `at-start` records a service of unknown length (outcome `unrecorded`).
    """

    window: Literal["refuse", "per-item"] = "refuse"
    call: Literal["refuse", "at-start"] = "refuse"
    start: Literal["refuse", "at-call"] = "refuse"
    end: Literal["refuse", "at-start"] = "refuse"


class Within(Part, frozen=True, kw_only=True):
    """A step back in time that is accepted: both moments become the one taken."""

    within_s: Annotated[int, msgspec.Meta(ge=0, le=3600)]
    take: Moment


class Order(Part, frozen=True, kw_only=True):
    """Which steps back in time are accepted; all others are refused."""

    call_before_arrive: Within | None = None
    start_before_call: Within | None = None
    end_before_start: Within | None = None

    def within(self, earlier: Moment, later: Moment) -> Within | None:
        rule: Within | None = getattr(self, f"{later}_before_{earlier}")
        return rule


class Limits(Part, frozen=True, kw_only=True):
    """Longer spans cannot be true in this source: to the call, the start, the end."""

    wait_s: SpanS = DAY_S
    answer_s: SpanS = DAY_S
    service_s: SpanS = DAY_S


class KnownItem(Part, frozen=True, kw_only=True):
    """What is known of an item that may be in the file."""

    name: Name
    name_en: Name
    service_s: Seconds | None = None
    wait_s: Seconds | None = None


class Items(Part, frozen=True, kw_only=True):
    """How items are named; `{column}` stands for the item's value in that column."""

    name: Template = ""
    name_en: Template = ""
    service_s: Seconds = 900
    wait_s: Seconds = 1800
    known: dict[str, KnownItem] = {}


class Windows(Part, frozen=True, kw_only=True):
    """What all windows are called; they are numbered in order of their servers."""

    name: Name = "窗口"
    name_en: Name = "Window"
    department: Name = "未注明"


class Map(Part, frozen=True, kw_only=True, dict=True):
    """The map of one source."""

    source: Sentence
    acknowledgement: Sentence
    hall: HallShape
    columns: Fields
    file: FileShape = FileShape()
    time: Times = Times()
    outcome: Outcomes = Outcomes()
    missing: Missing = Missing()
    order: Order = Order()
    limits: Limits = Limits()
    items: Items = Items()
    windows: Windows = Windows()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of times without an offset."""
        return ZoneInfo(self.time.zone or self.hall.time_zone)

    @cached_property
    def _day(self) -> tuple[ZoneInfo, timedelta]:
        starts = timedelta(minutes=minutes(self.hall.hours.day_starts))
        return ZoneInfo(self.hall.time_zone), starts

    def business_date(self, at: datetime) -> date:
        """As `Catalogue.business_date`, before there is a catalogue."""
        zone, starts = self._day
        return (at.astimezone(zone) - starts).date()

    def catalogue(
        self, items: tuple[Item, ...], windows: tuple[Window, ...]
    ) -> Catalogue:
        """The hall with these items and windows."""
        hall = self.hall
        return Catalogue(
            hall=hall.hall,
            name=hall.name,
            name_en=hall.name_en,
            time_zone=hall.time_zone,
            hours=hall.hours,
            items=items,
            windows=windows,
        )


def load(path: Path) -> Map:
    """The map in a TOML file.

    Raises:
        BadMap: it cannot be read, is not TOML, or does not make sense.
    """
    map = FILE.shaped(FILE.table(FILE.read(path)), Map)
    _check_hall(map)
    _check_times(map)
    _check_outcomes(map)
    _check_order(map)
    _check_names(map)
    return map


def _check_hall(map: Map) -> None:
    """The hall must make a catalogue, whatever items the file will show."""
    item = Item(id="x", name="x", name_en="x", prefix="A")
    window = Window(id="1", name="x", name_en="x", department="x", items=("x",))
    try:
        check(map.catalogue((item,), (window,)))
    except BadCatalogue as error:
        raise BadMap(error.message["zh"], error.message["en"]) from None


def _check_times(map: Map) -> None:
    try:
        ZoneInfo(map.time.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadMap(
            f"没有“{map.time.zone}”这个时区", f"There is no time zone {map.time.zone!r}"
        ) from None
    if map.time.format == "iso":
        return
    # A format that loses the date or the minute would put all tickets at one time.
    specimen = datetime(2001, 12, 23, 14, 56, tzinfo=UTC).replace(tzinfo=None)
    try:
        written = specimen.strftime(map.time.format)
        read = datetime.strptime(written, map.time.format)  # noqa: DTZ007
    except ValueError:
        read = None
    if read is None or read.replace(tzinfo=None) != specimen:
        raise BadMap(
            f"时间格式“{map.time.format}”应写明年月日时分",
            f"The time format {map.time.format!r} must tell "
            "year, month, day, hour and minute",
        )


def _check_outcomes(map: Map) -> None:
    columns, outcome = map.columns, map.outcome
    by_words = outcome.rule == "words"
    if by_words and not (columns.outcome and outcome.served):
        raise BadMap(
            "按结果词判断时，要写明结果列和“已办”的词",
            "With outcome words, name the outcome column and the words for served",
        )
    if both := set(outcome.served) & set(outcome.abandoned):
        raise BadMap(
            f"结果词“{min(both)}”既算已办又算弃号",
            f"The outcome word {min(both)!r} means both served and abandoned",
        )
    if outcome.rule == "served-if-called" and not (columns.call and columns.leave):
        raise BadMap(
            "按有无叫号判断时，要写明叫号列和离开列",
            "With served-if-called, name the call column and the leave column",
        )
    if outcome.rule == "served-if-started" and not (columns.start and columns.left):
        raise BadMap(
            "按有无办理判断时，要写明开始列，以及叫号列或离开列",
            "With served-if-started, name the start column, and call or leave",
        )
    if not (columns.call or columns.start):
        raise BadMap(
            "叫号列和开始列至少要有一个", "Name the call column or the start column"
        )


def _check_order(map: Map) -> None:
    pairs: tuple[tuple[Moment, Moment], ...] = (
        ("arrive", "call"),
        ("call", "start"),
        ("start", "end"),
    )
    for earlier, later in pairs:
        rule = map.order.within(earlier, later)
        if rule is not None and rule.take not in (earlier, later):
            raise BadMap(
                f"{later}_before_{earlier} 只能取 {earlier} 或 {later}",
                f"{later}_before_{earlier} can take {earlier} or {later} only",
            )


def _check_names(map: Map) -> None:
    for template in (map.items.name, map.items.name_en):
        for column in re.findall(r"{([^}]*)}", template):
            if column not in map.columns.item:
                raise BadMap(
                    f"事项名称中的“{{{column}}}”不是事项列",
                    f"{{{column}}} in the item name is not a column of the item",
                )
