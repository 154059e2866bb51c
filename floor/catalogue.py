"""The catalogue (目录) of a hall: what is offered, where, and when.

A TOML file that a person writes; `load` checks all of it before the hall opens, and
the hall publishes it into its log, so a replay uses the catalogue of that day.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from floor.practice import (
    Booking,
    Calling,
    CallPolicy,
    Clock,
    Count,
    Ground,
    Id,
    Name,
    PauseReason,
    Taking,
    same_once,
)
from floor.refusals import Unusable
from floor.written import Written

# A large city hall has some 700 items (湖南娄底: 686) and 200 windows.
ITEMS_MAX = 2_000
WINDOWS_MAX = 500
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: Items that a visit may lead through, one after the other (一票到底).
STEPS_MAX = 8

Prefix = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{1,3}\Z")]
Number = Annotated[int, msgspec.Meta(ge=1, le=999_999)]
Weight = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=8 * 3600)]


class BadCatalogue(Unusable):
    """The catalogue cannot be used; the sentence says where and why."""


FILE = Written("目录", "catalogue", BadCatalogue)


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service item (事项) that a visitor can take a ticket for.

    prefix, booked_prefix: letters of its ticket numbers, and of those with an
        appointment (AP001 where empty); unique in the hall.
    first, last, digits: range and least width of its numbers; from A001.
    service_s: standard service time (标准办理时长), seconds.
    wait_s: promised waiting time (等候时限), seconds.
    slot_quota, day_quota: tickets without an appointment in a time slot and in a
        day; 0 is no limit.
    booking_quota: appointments in a slot; -1 is what the hall allows.
    then: items whose lines the visitor joins next (一票到底), in this order.
    paused: no tickets are taken for it at present; those who wait are served.
    """

    id: Id
    name: Name
    name_en: Name
    prefix: Prefix
    booked_prefix: Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{1,4})?\Z")] = ""
    first: Number = 1
    last: Number = 999_999
    digits: Annotated[int, msgspec.Meta(ge=3, le=6)] = 3
    service_s: Seconds = 900
    wait_s: Seconds = 1800
    slot_quota: Count = 0
    day_quota: Count = 0
    booking_quota: Annotated[int, msgspec.Meta(ge=-1, le=1_000)] = -1
    then: Annotated[tuple[Id, ...], msgspec.Meta(max_length=STEPS_MAX)] = ()
    paused: bool = False

    def prefix_for(self, booked: bool) -> str:
        """Letters of its numbers, with an appointment or without."""
        return (self.booked_prefix or self.prefix + "P") if booked else self.prefix


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A window (窗口) and the items it handles, in no particular order.

    weights: how much more urgent an item is here than elsewhere; 1 if not named.
    helps: items that it calls as well while so many or more wait (溢出支援).
    """

    id: Id
    name: Name
    name_en: Name
    department: Name
    items: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=ITEMS_MAX)]
    weights: dict[Id, Weight] = {}
    helps: dict[Id, Count] = {}


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the hall is open, on its own clock.

    lunch: from and to, empty for none; waiting is not counted within it.
    day_starts: the business day (营业日) changes at this time, so a hall that works
        past midnight keeps its tickets on one day.
    """

    open: Clock = "09:00"
    close: Clock = "17:00"
    lunch: Annotated[tuple[Clock, ...], msgspec.Meta(max_length=2)] = ()
    days: tuple[str, ...] = WEEKDAYS[:5]
    day_starts: Clock = "00:00"


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One hall: its items, windows and hours, and how it takes, books and calls."""

    hall: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
    name: Name
    name_en: Name
    time_zone: str = "Asia/Shanghai"
    hours: Hours = Hours()
    policy: CallPolicy = CallPolicy()
    calling: Calling = Calling()
    taking: Taking = Taking()
    booking: Booking = Booking()
    grounds: Annotated[tuple[Ground, ...], msgspec.Meta(max_length=40)] = ()
    pauses: Annotated[tuple[PauseReason, ...], msgspec.Meta(max_length=40)] = ()
    items: tuple[Item, ...]
    windows: tuple[Window, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The hall's own clock."""
        return ZoneInfo(self.time_zone)

    def item(self, id: str) -> Item | None:
        return next((item for item in self.items if item.id == id), None)

    def window(self, id: str) -> Window | None:
        return next((window for window in self.windows if window.id == id), None)

    def business_date(self, at: datetime) -> date:
        """The business day that an instant belongs to, on the hall's own clock."""
        starts = minutes(self.hours.day_starts)
        return (at.astimezone(self.zone) - timedelta(minutes=starts)).date()

    def ends_at(self, day: date) -> datetime:
        """When the next business day begins, aware UTC; no instant before is of it.

        Nor any when the clocks change just then: of the two readings of that hour it is
        the earlier one.
        """
        next_day = day + timedelta(days=1)
        starts = self.hours.day_starts
        return min(self._instant(next_day, starts, fold) for fold in (0, 1))

    def open_spans(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The hall's open hours on a day without lunch, aware UTC, in order.

        Empty on a day that the hall does not open.
        """
        if WEEKDAYS[day.weekday()] not in self.hours.days:
            return ()
        edges = [self.hours.open, *self.hours.lunch, self.hours.close]
        instants = [self._instant(day, edge) for edge in edges]
        return tuple(zip(instants[::2], instants[1::2], strict=True))

    def begins_at(self, day: date) -> datetime:
        """When a business day begins, aware UTC."""
        return self._instant(day, self.hours.day_starts)

    def bookings_of(self, item: Item) -> int:
        """How many appointments a slot of the item takes; 0 for none at all."""
        return self.booking.quota if item.booking_quota < 0 else item.booking_quota

    def _instant(self, day: date, clock: str, fold: int = 0) -> datetime:
        naive = datetime.combine(day, time.fromisoformat(clock).replace(fold=fold))
        return naive.replace(tzinfo=self.zone).astimezone(UTC)


def minutes(clock: str) -> int:
    """`"09:30"` as 570."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def load(path: Path) -> Catalogue:
    """The catalogue in a TOML file.

    Raises:
        BadCatalogue: it cannot be read, is not TOML, or does not make sense.
    """
    catalogue = FILE.shaped(FILE.table(FILE.read(path)), Catalogue)
    check(catalogue)
    return catalogue


def load_all(paths: Sequence[Path]) -> list[Catalogue]:
    """The catalogues of several halls that one process serves.

    Raises:
        BadCatalogue: one is not right, or two are of the same hall.
    """
    catalogues = [load(path) for path in paths]
    _once("大厅 hall", "hall", [each.hall for each in catalogues])
    return catalogues


def check(catalogue: Catalogue) -> None:
    """What a schema cannot say.

    Raises:
        BadCatalogue: the first thing that does not make sense.
    """
    _check_bounds(catalogue)
    _check_names(catalogue)
    _check_hours(catalogue)


def _check_bounds(catalogue: Catalogue) -> None:
    if not 1 <= len(catalogue.items) <= ITEMS_MAX:
        raise BadCatalogue(
            f"事项应为 1 到 {ITEMS_MAX} 个", f"There must be 1 to {ITEMS_MAX} items"
        )
    if not 1 <= len(catalogue.windows) <= WINDOWS_MAX:
        raise BadCatalogue(
            f"窗口应为 1 到 {WINDOWS_MAX} 个",
            f"There must be 1 to {WINDOWS_MAX} windows",
        )
    try:
        ZoneInfo(catalogue.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadCatalogue(
            f"没有“{catalogue.time_zone}”这个时区",
            f"There is no time zone {catalogue.time_zone!r}",
        ) from None


def _check_names(catalogue: Catalogue) -> None:
    _once("事项 id", "item id", [item.id for item in catalogue.items])
    prefixes = [item.prefix for item in catalogue.items]
    prefixes += [
        item.prefix_for(booked=True)
        for item in catalogue.items
        if catalogue.bookings_of(item)
    ]
    _once("号码前缀", "prefix", prefixes)
    _once("窗口 id", "window id", [window.id for window in catalogue.windows])
    _once("优先理由", "ground", [ground.id for ground in catalogue.grounds])
    _once("暂停事由", "pause reason", [pause.name for pause in catalogue.pauses])
    known = {item.id for item in catalogue.items}
    for window in catalogue.windows:
        _check_window(window, known)
    offered = {id for window in catalogue.windows for id in window.items}
    for item in catalogue.items:
        _check_item(item, known)
        if item.id not in offered:
            raise BadCatalogue(
                f"没有窗口办理事项“{item.id}”", f"No window handles item {item.id!r}"
            )


def _check_window(window: Window, known: set[str]) -> None:
    _once(
        f"{window.id} 号窗口的事项", f"item of window {window.id}", list(window.items)
    )
    for id in (*window.items, *window.helps, *window.weights):
        if id not in known:
            raise BadCatalogue(
                f"{window.id} 号窗口的事项“{id}”不在目录中",
                f"Window {window.id} names an unknown item {id!r}",
            )
    for id in window.helps:
        if id in window.items:
            raise BadCatalogue(
                f"{window.id} 号窗口本来就办理“{id}”，不必再列为支援",
                f"Window {window.id} handles {id!r} anyway and need not help with it",
            )


def _check_item(item: Item, known: set[str]) -> None:
    if item.first > item.last:
        raise BadCatalogue(
            f"事项“{item.id}”的起始号大于结束号",
            f"The numbers of item {item.id!r} end before they begin",
        )
    for id in item.then:
        if id not in known or id == item.id:
            raise BadCatalogue(
                f"事项“{item.id}”的下一步“{id}”不是目录中的另一个事项",
                f"Item {item.id!r} leads to {id!r}, which is no other item",
            )


def _once(zh: str, en: str, ids: list[str]) -> None:
    same_once(zh, en, ids, BadCatalogue)


def _check_hours(catalogue: Catalogue) -> None:
    hours = catalogue.hours
    for day in hours.days:
        if day not in WEEKDAYS:
            raise BadCatalogue(
                f"“{day}”不是星期（应为 {'、'.join(WEEKDAYS)}）",
                f"{day!r} is not a weekday (one of {', '.join(WEEKDAYS)})",
            )
    edges = [minutes(edge) for edge in (hours.open, *hours.lunch, hours.close)]
    if len(hours.lunch) == 1 or edges != sorted(set(edges)):
        raise BadCatalogue(
            "开放时间应为 开门 < 午休开始 < 午休结束 < 关门",
            "Hours must run open < lunch from < lunch to < close",
        )
