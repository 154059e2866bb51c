"""The log, where every fact of a hall is kept and none is ever changed.

The one door to it, whatever it is kept in: a SQLite file or a PostgreSQL database
(`floor.storing.storage.Place`). Figures and reasons: docs/decisions.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from floor import facts
from floor.catalogue import Catalogue
from floor.day import setup_stream_of
from floor.facts import Entry
from floor.refusals import LogFailed, LogLost
from floor.seals import LeafLists, StreamTree
from floor.storing.sqlite import SQLite
from floor.storing.storage import (
    Database,
    LogInUse,
    LogUnreachable,
    LogUnreadable,
    Place,
    Reader,
    Row,
    Storage,
    place_of,
)

__all__ = [
    "Database",
    "Log",
    "LogFailed",
    "LogInUse",
    "LogLost",
    "LogUnreachable",
    "LogUnreadable",
    "Place",
    "Row",
    "halls",
    "migrate",
    "place_of",
    "read",
    "read_catalogue",
    "read_last_day",
    "read_last_days",
    "read_rows",
    "stand_by",
    "tail",
]

# Read in pages, each its own short transaction: a reader that stops half-way would
# keep SQLite's write-ahead log from being emptied, or one of PostgreSQL's connections,
# for as long as it stops.
PAGE_ROWS = 2_000
# A standby looks this often whether the hall is free.
STAND_BY_S = 0.2
# Something may be written without a ring: a dropped connection, a file copied over.
LOOK_AGAIN_S = 1.0
# Bookings are made a month ahead and remembered for a month.
QUARTERS_KNOWN = 2
DATE = re.compile(r"\d{4}-\d\d-\d\d")
FIRST, LAST = "", "\U0010ffff"  # Around the names of all streams.

logger = logging.getLogger(__name__)


def storage_of(place: Place) -> Storage:
    """The storage that keeps the log of a place: this is the table of storages."""
    if isinstance(place, Database):
        # Its driver takes a fifth of a second to load, which most halls never need.
        from floor.storing.postgres import Postgres

        return Postgres(place)
    return SQLite(place)


def migrate(place: Place) -> None:
    """Make what a log needs at its place; again is no harm.

    Apart from the start of a hall: in a database, that needs rights to change tables
    which a hall has no use for, and halls that start together would meet in it.

    Raises:
        LogInUse, LogUnreadable: the place cannot be had.
    """
    storage_of(place).migrate()


class Log:
    """The writing end of a log, held by this process for one hall.

    Args:
        path: where it lies; a SQLite file is made when absent.
        hall: None holds all of a file for whatever comes, as an import does.

    Raises:
        LogInUse: another process, or this one, writes this hall.
        LogUnreadable: the place is not a log, or cannot be written.
    """

    def __init__(self, path: Place, hall: str | None = None) -> None:
        self.path = path
        self._writer = storage_of(path).write(hall)

    def append(self, entries: Sequence[Entry]) -> None:
        """Make these facts durable, all or none.

        Raises:
            LogFailed: the caller must throw its memory away and read the log again;
                the rows may or may not be there.
            LogLost: the process must end.
        """
        self._writer.append(entries)

    def check(self) -> None:
        """See that nobody else can be writing this hall.

        Raises:
            LogFailed: the hall is not held any more, as after a failed append.
        """
        self._writer.check()

    def recent(self, hall: str, days: int) -> list[Entry]:
        """What a hall has to know to go on: see `read_last_days`.

        After a failure the hall is held again before it is read, so what is read here
        is what the log will be, with nothing of ours still on its way.

        Raises:
            LogUnreadable: the log cannot be had now.
            LogLost: another process has taken the hall over; this one must end.
        """
        self._writer.settle()
        return read_last_days(self.path, hall, days)

    def checkpoint(self) -> None:
        """Keep what grows with the log small (a file's write-ahead log).

        Raises:
            LogFailed: as by an append.
        """
        self._writer.checkpoint()

    def ask_for_room(self, make_room: Callable[[LogFailed], bool]) -> None:
        """Ask this when an append has failed; True when it is worth another try."""
        self._writer.ask_for_room(make_room)

    def keep_leaves(self, tree: StreamTree) -> None:
        """Keep the leaf hashes of a sealed stream beside a log in a file.

        Beside a database there is no place that every server shares; there
        `verify --keep-leaves` makes them where they are wanted.

        Raises:
            OSError: they could not be written.
        """
        if isinstance(self.path, Path):
            tree.keep(LeafLists(self.path))

    def close(self) -> None:
        """Let go of the log; another process may write it."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def stand_by(place: Place, hall: str) -> Log:
    """Hold a hall as soon as whoever holds it lets go or dies.

    Raises:
        LogUnreadable: at the first look; later, a server that is away is waited for.
    """
    waiting = False
    while True:
        try:
            return Log(place, hall)
        except LogInUse as held:
            if not waiting:
                logger.warning("备用进程等待接管 / Standing by: %s", held)
            waiting = True
        except LogUnreachable:
            if not waiting:
                raise
        await asyncio.sleep(STAND_BY_S)


# ── Reading ─────────────────────────────────────────────────────────────────


def read(place: Place, *, since: int = 0, hall: str | None = None) -> Iterator[Entry]:
    """The facts of a log after a position, in order of position.

    Of one hall, or of all of them in the order of writing.

    Raises:
        LogUnreadable: with a sentence that an operator can act on.
    """
    # A hall's position never exceeds its row number, in either storage: rows of a
    # failed append leave holes in PostgreSQL's numbers, never in positions.
    for page in _pages(place, since, hall):
        for entry in _entries(place, [row for _, row in page]):
            if entry.position > since:
                yield entry


def read_rows(place: Place, *, hall: str | None = None) -> Iterator[Row]:
    """Every row as it is stored, in order of writing, for those who verify it."""
    for _, row in _numbered(place, 0, hall):
        yield row


def tail(place: Place, *, since: int = 0, hall: str | None = None) -> Iterator[Entry]:
    """The facts after a position, then each new one as it is written; never ends.

    For another process than the writer's. A connection that is lost is made again.

    Raises:
        LogUnreadable: the log is not there, or holds what is not ours.
    """
    last = since
    reached = False
    while True:
        try:
            # Listening comes first: what is written between a pull and the listening
            # after it would be found only with the next fact.
            with storage_of(place).bell() as bell:
                while True:
                    for number, row in _numbered(place, last, hall):
                        last = number
                        entry = _entry(place, row)
                        if entry.position > since:
                            yield entry
                    reached = True
                    bell.wait(LOOK_AGAIN_S)
        except LogUnreachable as error:
            if not reached:
                raise
            logger.warning("%s", error)
            time.sleep(LOOK_AGAIN_S)


def read_last_day(place: Place, hall: str) -> list[Entry]:
    """The hall's catalogues and its last business day; empty for a new log."""
    return read_last_days(place, hall, 1)


def read_last_days(place: Place, hall: str, days: int) -> list[Entry]:
    """What a hall has to know to go on, in order of position.

    Its catalogues, its last two quarters and its last business days: milliseconds,
    however long the log is.
    """
    with storage_of(place).read() as reader:
        streams = [setup_stream_of(hall), *_newest(reader, hall, days)]
        rows = [row for stream in streams for row in reader.stream(stream)]
    return sorted(_entries(place, rows), key=attrgetter("fact.position"))


def read_catalogue(place: Place) -> Catalogue:
    """The catalogue in force at the end of a log of one hall.

    Raises:
        LogUnreadable: there is none, or the file is not a log of ours.
    """
    setups = [setup_stream_of(hall) for hall in halls(place)]
    with storage_of(place).read() as reader:
        rows = [row for setup in setups for row in reader.stream(setup)]
    if not rows:
        raise LogUnreadable(
            f"{place.name} 中没有任何记录", f"There is nothing in {place.name}"
        )
    last = _entry(place, rows[-1]).fact
    assert isinstance(last, facts.CataloguePublished), "Setup is catalogues alone."
    return last.catalogue


def halls(place: Place) -> list[str]:
    """The halls that a log holds, by their setup streams."""
    found: list[str] = []
    with storage_of(place).read() as reader:
        low = FIRST
        while (stream := reader.first_stream(low, LAST)) is not None:
            hall = stream.partition("/")[0]
            if reader.stream(setup_stream_of(hall)):
                found.append(hall)
            low = max(_around(hall)[1], f"{stream}\1")
    return found


def _newest(reader: Reader, hall: str, days: int) -> Iterator[str]:
    """The hall's last two quarters and its last days, each found by one look.

    The quarters of a year stand after its days: `2026-12-31` < `2026-Q1` < `2026-R`.
    """
    low, high = f"{hall}/", f"{hall}/:"  # After every date, before `setup`.
    last = reader.last_stream(low, high)
    if last is None:
        return
    year = last.removeprefix(low)[:4]
    if year.isdecimal():
        years = (int(year), int(year) - 1)
        quarters = (q for of in years for q in _quarters(reader, f"{low}{of:04d}"))
        yield from islice(quarters, QUARTERS_KNOWN)
    while days and (stream := reader.last_stream(low, high)) is not None:
        high = stream
        if DATE.fullmatch(stream.removeprefix(low)):
            days -= 1
            yield stream


def _quarters(reader: Reader, year: str) -> Iterator[str]:
    high = f"{year}-R"
    while (stream := reader.last_stream(f"{year}-Q", high)) is not None:
        high = stream
        yield stream


def _around(hall: str | None) -> tuple[str, str]:
    """Between what names the streams of a hall, or of all halls, are."""
    return (FIRST, LAST) if hall is None else (f"{hall}/", f"{hall}0")  # After "/".


def _numbered(place: Place, after: int, hall: str | None) -> Iterator[tuple[int, Row]]:
    return chain.from_iterable(_pages(place, after, hall))


def _pages(
    place: Place, after: int, hall: str | None
) -> Iterator[list[tuple[int, Row]]]:
    low, high = _around(hall)
    while True:
        with storage_of(place).read() as reader:
            rows = reader.page(low, high, after, PAGE_ROWS)
        yield rows
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1][0]


def _entries(place: Place, rows: Sequence[Row]) -> list[Entry]:
    """All of them at once: a start decodes tens of thousands."""
    decoders = facts.DECODERS
    entries: list[Entry] = []
    add = entries.append
    try:
        for stream, version, topic, state in rows:
            add(Entry(stream, version, decoders[topic](state)))
    except (KeyError, ValueError, TypeError):
        _entry(place, rows[len(entries)])  # Says what is wrong with it.
        raise
    return entries


def _entry(place: Place, row: Row) -> Entry:
    try:
        return Entry(row.stream, row.version, facts.decode(row.topic, row.state))
    except (ValueError, TypeError) as error:  # Not ours, not fitting, not bytes.
        where, version = row.stream, row.version
        raise LogUnreadable(
            f"{place.name} 中 {where} 第 {version} 条无法读取：{error}",
            f"Fact {version} of {where} in {place.name} cannot be read: {error}",
        ) from None
