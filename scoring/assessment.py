"""The assessment (考核): every window's marks, from a log, a rulebook and an instant.

The same three give the same assessment, byte for byte. Steps: facts, visits,
observations, marks; each knows only the one before it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from floor import facts
from floor.catalogue import Catalogue, Window
from floor.facts import Entry
from floor.refusals import Unusable
from scoring.items import Mark, Result, Subject, judge
from scoring.observations import Measure, Observation, observe
from scoring.rulebook import Item, Rulebook, UnmeasuredItem
from scoring.visits import hall_days


class NothingToAssess(Unusable):
    """The log says nothing at that instant."""

    def __init__(self) -> None:
        super().__init__(
            "截至该时刻，日志中还没有任何事实",
            "At that instant the log holds no fact yet",
        )


class Line(msgspec.Struct, frozen=True):
    """One item of the rubric and what the window got for it."""

    item: Item
    result: Result


class WindowScore(msgspec.Struct, frozen=True, kw_only=True):
    """One window: its marks and their sums (得分 / 可计满分).

    total, points_max: over marks alone, which is what a total may be compared with.
    """

    window: str
    name: str
    name_en: str
    department: str
    total: int
    points_max: int
    lines: tuple[Line, ...]

    @property
    def marks(self) -> Iterator[tuple[Item, Mark]]:
        for line in self.lines:
            if isinstance(line.result, Mark):
                yield line.item, line.result


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """All windows of a hall, and everything that is needed to compute it again.

    as_of: the instant up to which the hall is known.
    position: the last fact at or before that instant.
    facts: how many facts were read.
    streams: the last version of each stream among them.
    """

    hall: str
    name: str
    name_en: str
    time_zone: str
    rulebook: Rulebook
    as_of: datetime
    position: int
    facts: int
    streams: dict[str, int]
    windows: tuple[WindowScore, ...]

    @property
    def measured(self) -> list[Item]:
        """Items that this log can feed."""
        items = self.rulebook.items
        return [item for item in items if not isinstance(item, UnmeasuredItem)]

    @property
    def unmeasured(self) -> list[UnmeasuredItem]:
        """Items that no record feeds yet; they are in no sum."""
        items = self.rulebook.items
        return [item for item in items if isinstance(item, UnmeasuredItem)]


def assess(
    entries: Iterable[Entry], rulebook: Rulebook, *, as_of: datetime | None = None
) -> Assessment:
    """The score of every window of a hall.

    Args:
        entries: the log of one hall in order of position, catalogues included.
        rulebook: what costs points.
        as_of: aware; facts after it are not known, and what is open ages to it. None
            takes the instant of the last fact.

    Raises:
        NothingToAssess: no fact is known at that instant.
    """
    read = _Reading(entries, as_of)
    seen: dict[str, dict[Measure, list[Observation]]] = {}
    for day in hall_days(read):
        # The last day ends the reading, so the instant of the last fact is known.
        for row in observe(day, as_of or read.last_at):
            seen.setdefault(row.window, {}).setdefault(row.measure, []).append(row)
    if read.catalogue is None:
        raise NothingToAssess
    windows = read.windows(seen)
    departments: dict[str, list[str]] = {}
    for id, window in windows.items():
        departments.setdefault(window.department or id, []).append(id)
    return Assessment(
        hall=read.catalogue.hall,
        name=read.catalogue.name,
        name_en=read.catalogue.name_en,
        time_zone=read.catalogue.time_zone,
        rulebook=rulebook,
        as_of=as_of or read.last_at,
        position=read.position,
        facts=read.count,
        streams=dict(sorted(read.streams.items())),
        windows=tuple(
            _score(window, rulebook, seen, departments[window.department or id])
            for id, window in windows.items()
        ),
    )


def _score(
    window: Window,
    rulebook: Rulebook,
    seen: dict[str, dict[Measure, list[Observation]]],
    colleagues: Sequence[str],
) -> WindowScore:
    def of(window: str, measure: Measure) -> list[Observation]:
        return seen.get(window, {}).get(measure, [])

    subject = Subject(
        window=window.id,
        department=window.department,
        seen=lambda measure: of(window.id, measure),
        seen_in_department=lambda measure: [
            row for colleague in colleagues for row in of(colleague, measure)
        ],
    )
    lines = tuple(Line(item, judge(item, subject)) for item in rulebook.items)
    marks = [line.result for line in lines if isinstance(line.result, Mark)]
    return WindowScore(
        window=window.id,
        name=window.name,
        name_en=window.name_en,
        department=window.department,
        total=sum(mark.points for mark in marks),
        points_max=sum(mark.points_max for mark in marks),
        lines=lines,
    )


class _Reading:
    """The part of a log that is known at an instant, and what was read of it."""

    def __init__(self, entries: Iterable[Entry], as_of: datetime | None) -> None:
        self._entries = entries
        self._as_of = as_of
        self._known: dict[str, Window] = {}
        self.catalogue: Catalogue | None = None
        self.count = 0
        self.position = 0
        self.streams: dict[str, int] = {}

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            # The instant becomes a position here, once: the log's own order decides
            # what was known, also where a clock stepped back.
            if self._as_of is not None and entry.fact.at > self._as_of:
                return
            self.count += 1
            self.position = entry.position
            self.last_at = entry.fact.at
            self.streams[entry.stream] = entry.version
            if isinstance(entry.fact, facts.CataloguePublished):
                self.catalogue = entry.fact.catalogue
                self._known.update({w.id: w for w in self.catalogue.windows})
            yield entry

    def windows(self, seen: Iterable[str]) -> dict[str, Window]:
        """Windows in force and any that facts name, in natural order of their ids."""
        assert self.catalogue is not None
        ids = {window.id for window in self.catalogue.windows}
        ids.update(id for id in seen if id)
        return {id: self._known[id] for id in sorted(ids, key=natural)}


def natural(id: str) -> list[tuple[int, int, str]]:
    """A sorting key in which window 2 comes before window 10."""
    return [
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", id)
        if part
    ]
