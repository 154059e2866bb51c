"""The rows of a log as a check reads them: in parts of some days, each for itself.

Business days follow one another in the file, so a part is a range of row numbers; what
a part must know of the ones before it is looked up, not handed on.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec

from floor import facts
from floor.checking.reading import OF_QUARTER, Before, day_of
from floor.checking.sheet import EPOCH, MILLISECOND
from floor.facts import Fact
from floor.log import LogUnreadable
from floor.storing.sqlite_writer import LOCK_TIMEOUT_S

# A page is one short transaction: a long one would keep the writer's WAL from being
# emptied (floor.log reads in the same way).
PAGE_ROWS = 5_000
# Enough days that what is looked up for a part costs little beside it.
PART_DAYS = 8

DECODERS = {topic: msgspec.json.Decoder(fact) for topic, fact in facts.TOPICS.items()}
ROWS = (
    "SELECT originator_version, originator_id, topic, state, rowid FROM stored_events "
)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some days of one hall: rows after `after` and before `until`.

    day_before: the first row of the day before; 0 when there is none.
    """

    path: Path
    hall: str
    after: int
    until: int
    day_before: int = 0


class _Commanded(msgspec.Struct):
    """Of a fact, only what it answers."""

    command: str = ""


_COMMANDED = msgspec.json.Decoder(_Commanded)


def parts(path: Path) -> list[Part]:
    """The log cut between business days, in the order of reading.

    Raises:
        LogUnreadable: the file is missing or not a log.
    """
    cut: list[Part] = []
    with _reading(path) as log:
        last = log.execute("SELECT MAX(rowid) FROM stored_events").fetchone()[0] or 0
        streams = list(_streams(log))
        for hall in dict.fromkeys(stream.rpartition("/")[0] for stream in streams):
            begins = sorted(
                first
                for stream in streams
                if stream.rpartition("/")[0] == hall and day_of(stream)
                for (first,) in log.execute(
                    "SELECT rowid FROM stored_events WHERE originator_id = ? "
                    "ORDER BY originator_version LIMIT 1",
                    (stream,),
                )
            )
            # What lies before the first day is read with it.
            edges = [1, *begins[PART_DAYS::PART_DAYS], last + 1]
            for number, (begin, end) in enumerate(pairwise(edges)):
                before = begins[number * PART_DAYS - 1] if number else 0
                cut.append(
                    Part(
                        path=path,
                        hall=hall,
                        after=begin - 1,
                        until=end,
                        day_before=before,
                    )
                )
    return cut


def read(part: Part) -> Iterator[tuple[str, int, Fact]]:
    """Stream, version and fact of each row of a part, in order of writing.

    Raises:
        LogUnreadable: a row cannot be read.
    """
    after = part.after
    mine: dict[str, bool] = {}  # Whether a stream is of this hall.
    with _reading(part.path) as log:
        while True:
            page = log.execute(
                ROWS + "WHERE rowid > ? AND rowid < ? ORDER BY rowid LIMIT ?",
                (after, part.until, PAGE_ROWS),
            ).fetchall()
            if not page:
                return
            after = page[-1][4]
            for version, stream, topic, state, _ in page:
                of_hall = mine.get(stream)
                if of_hall is None:
                    of_hall = mine[stream] = stream.rpartition("/")[0] == part.hall
                if of_hall:
                    try:
                        fact = DECODERS[topic].decode(state)
                    except (ValueError, TypeError, KeyError) as error:
                        raise _not_ours(part.path, stream, version, error) from None
                    yield stream, version, fact


def before(part: Part) -> Before:
    """What the part must know of the rows before it."""
    if not part.after:
        return Before()
    with _reading(part.path) as log:
        known = Before()
        _last_fact(log, part, known)
        for stream in _streams(log):
            if stream.rpartition("/")[0] == part.hall and day_of(stream) is None:
                _of_stream(log, part, stream, known)
        known.commands = {
            _COMMANDED.decode(state).command
            for (state,) in log.execute(
                "SELECT state FROM stored_events WHERE rowid >= ? AND rowid <= ? "
                "AND originator_id GLOB ?",
                (part.day_before, part.after, f"{part.hall}/*"),
            )
        }
        return known


def _last_fact(log: sqlite3.Connection, part: Part, known: Before) -> None:
    row = log.execute(
        ROWS + "WHERE rowid <= ? AND originator_id GLOB ? ORDER BY rowid DESC LIMIT 1",
        (part.after, f"{part.hall}/*"),
    ).fetchone()
    if row is not None:
        fact = facts.decode(row[2], row[3])
        known.position, known.ms = fact.position, (fact.at - EPOCH) // MILLISECOND


def _of_stream(log: sqlite3.Connection, part: Part, stream: str, known: Before) -> None:
    """The catalogue in force, or the bookings of a quarter."""
    rows = log.execute(
        ROWS + "WHERE originator_id = ? AND rowid <= ? ORDER BY originator_version",
        (stream, part.after),
    )
    for version, _, topic, state, _ in rows:
        known.versions[stream] = version
        fact = facts.decode(topic, state)
        if isinstance(fact, facts.CataloguePublished):
            known.catalogue = fact.catalogue
        elif isinstance(fact, tuple(OF_QUARTER)):
            known.booked.append(fact)


def _streams(log: sqlite3.Connection) -> Iterator[str]:
    """The names of all streams, each found by one look into the index."""
    last = ""
    while True:
        (last,) = log.execute(
            "SELECT MIN(originator_id) FROM stored_events WHERE originator_id > ?",
            (last,),
        ).fetchone()
        if last is None:
            return
        yield last


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise LogUnreadable(f"没有日志文件 {path.name}", f"There is no log {path.name}")
    try:
        log = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S
        )
        try:
            log.execute("PRAGMA query_only=1")
            log.execute("PRAGMA wal_autocheckpoint=0")  # Checkpoints are the writer's.
            yield log
        finally:
            log.close()
    except sqlite3.Error as error:
        raise LogUnreadable(
            f"{path.name} 不是可用的日志：{error}",
            f"{path.name} is not a usable log: {error}",
        ) from None


def _not_ours(path: Path, stream: str, version: int, error: Exception) -> LogUnreadable:
    return LogUnreadable(
        f"{path.name} 中 {stream} 第 {version} 条无法读取：{error}",
        f"Fact {version} of {stream} in {path.name} cannot be read: {error}",
    )
