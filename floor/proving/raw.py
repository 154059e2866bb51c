"""The rows of a log as they stand, undecoded: what proofs and audits are made of.

Nothing here trusts a row. Names come as bytes, since a log that somebody wrote into
need not hold text where text belongs.
"""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from floor.log import LogUnreadable, Place, read_rows, storage_of
from floor.seals import Row
from floor.storing import storage
from floor.storing.sqlite_writer import LOCK_TIMEOUT_S

COLUMNS = "originator_id, originator_version, topic, state"
# Each page is its own short transaction, so that reading a year does not keep the
# write-ahead log from being emptied.
PAGE_ROWS = 2_000
ROWID_MAX = 2**63 - 1


def rows(
    path: Place, *, since: int = -ROWID_MAX, until: int = ROWID_MAX
) -> Iterator[Row]:
    """All rows in the order of writing, which is the order of reading a log.

    Args:
        path: the log.
        since: rows up to this row number are left out; no fact has a position beyond
            its row number.
        until: rows beyond this row number are left out.

    Raises:
        LogUnreadable: it is missing, or no log.
    """
    if not isinstance(path, Path):
        # The server holds the columns to their types; only a file can hold anything.
        return map(_as_bytes, read_rows(path))
    return chain.from_iterable(_pages(path, since, until))


def _pages(path: Path, since: int, until: int) -> Iterator[list[Row]]:
    last = (
        "SELECT rowid FROM stored_events "
        "WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT 1 OFFSET ?"
    )
    page = (
        f"SELECT {COLUMNS} FROM stored_events "
        "WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
    )
    with closing(_opened(path)) as connection:
        while end := _fetched(path, connection, last, (since, until, PAGE_ROWS - 1)):
            yield _fetched(path, connection, page, (since, end[0][0]))
            since = end[0][0]
        yield _fetched(path, connection, page, (since, until))


def _as_bytes(row: storage.Row) -> Row:
    return row.stream.encode(), row.version, row.topic.encode(), row.state


def rows_of(path: Place, stream: str) -> Iterator[Row]:
    """The rows of one stream, in order of version."""
    if not isinstance(path, Path):
        with storage_of(path).read() as reader:
            yield from map(_as_bytes, reader.stream(stream))
        return
    page = (
        f"SELECT {COLUMNS} FROM stored_events "
        "WHERE originator_id = CAST(? AS TEXT) "
        "ORDER BY originator_version LIMIT ? OFFSET ?"
    )
    name = stream.encode("utf-8", "surrogateescape")  # As `streams` gives it.
    with closing(_opened(path)) as connection:
        done = 0
        while found := _fetched(path, connection, page, (name, PAGE_ROWS, done)):
            yield from found
            done += len(found)


def rows_after(path: Path, stream: bytes, since: int, until: int) -> list[Row]:
    """The rows of one stream in a part of the log, in the order of writing."""
    part = (
        f"SELECT {COLUMNS} FROM stored_events WHERE originator_id = CAST(? AS TEXT) "
        "AND rowid > ? AND rowid <= ? ORDER BY rowid"
    )
    with closing(_opened(path)) as connection:
        return _fetched(path, connection, part, (stream, since, until))


def rows_by_stream(path: Place) -> Iterator[Row]:
    """All rows, stream by stream in the order of their bytes, each by version."""
    for stream in streams(path):
        yield from rows_of(path, stream)


def streams(path: Place) -> list[str]:
    """The streams of a log, in the order of their bytes."""
    if not isinstance(path, Path):
        return sorted({row.stream for row in read_rows(path)}, key=str.encode)
    with closing(_opened(path)) as connection:
        every = "SELECT DISTINCT originator_id FROM stored_events"
        found = [row[0] for row in _fetched(path, connection, every, ())]
    names = sorted(name for name in found if isinstance(name, bytes))
    return [name.decode("utf-8", "surrogateescape") for name in names]


def last_row(path: Path) -> int:
    """The number of the last row; 0 for an empty log."""
    last = "SELECT MAX(rowid) FROM stored_events"
    with closing(_opened(path)) as connection:
        return _fetched(path, connection, last, ())[0][0] or 0


def newest_stream(path: Place) -> str:
    """The stream that the log's last row is in; empty for an empty log."""
    if not isinstance(path, Path):
        newest = deque(read_rows(path), maxlen=1)
        return newest[0].stream if newest else ""
    last = "SELECT originator_id FROM stored_events ORDER BY rowid DESC LIMIT 1"
    with closing(_opened(path)) as connection:
        found = _fetched(path, connection, last, ())
    return found[0][0].decode("utf-8", "replace") if found else ""


class _Numbered(msgspec.Struct, gc=False):
    """Of a fact, its position alone."""

    position: int = 0


_NUMBERED = msgspec.json.Decoder(_Numbered)


def position_of(row: Row) -> int:
    """The position that a row states; 0 where it cannot be read."""
    try:
        return _NUMBERED.decode(row[3]).position
    except (ValueError, TypeError):
        return 0


def _opened(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise LogUnreadable(f"没有日志文件 {path.name}", f"There is no log {path.name}")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S
    )
    connection.text_factory = bytes
    return connection


def _fetched(
    path: Path, connection: sqlite3.Connection, statement: str, words: tuple[Any, ...]
) -> list[Any]:
    try:
        connection.execute("PRAGMA query_only=1")
        # Checkpoints of the write-ahead log are the writer's, as in floor/log.py.
        connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection.execute(statement, words).fetchall()
    except sqlite3.Error as error:
        raise LogUnreadable(
            f"{path.name} 不是可用的日志：{error}",
            f"{path.name} is not a usable log: {error}",
        ) from None
