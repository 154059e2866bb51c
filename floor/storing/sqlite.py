"""A log in a SQLite file: one process, one file, one or several halls."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from floor.storing.sqlite_writer import LOCK_TIMEOUT_S, SQLiteWriter, unreadable
from floor.storing.storage import LogUnreadable, Row

# Another process looks this often whether something was written: 0.2 % of a core.
LOOK_EVERY_S = 0.1


class SQLite:
    """The storage of a log in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, hall: str | None) -> SQLiteWriter:
        """The writing end; makes the file when it is absent.

        Raises:
            LogInUse: another process has the file, or this one has the hall.
            LogUnreadable: the file is not a log, or its folder cannot be written.
        """
        return SQLiteWriter(self._path, hall)

    @contextmanager
    def read(self) -> Iterator["SQLiteReader"]:
        """A connection of its own that cannot write.

        Raises:
            LogUnreadable: with a sentence that an operator can act on.
        """
        if not self._path.is_file():
            raise LogUnreadable(
                f"没有日志文件 {self._path.name}", f"There is no log {self._path.name}"
            )
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=LOCK_TIMEOUT_S,
                isolation_level=None,
            )
            try:
                connection.execute("PRAGMA query_only=1")
                # Checkpoints are the writer's: a reader that makes one can meet the
                # WAL-reset bug of SQLite before 3.51.3.
                connection.execute("PRAGMA wal_autocheckpoint=0")
                yield SQLiteReader(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise unreadable(self._path, error) from None

    @contextmanager
    def bell(self) -> Iterator["SQLiteReader"]:
        """Looks whether another connection wrote; SQLite has no other bell."""
        with self.read() as reader:
            reader.wait(0)
            yield reader

    def migrate(self) -> None:
        """Make the file; a hall that starts does the same."""
        self.write(None).close()


class SQLiteReader:
    """A file while it is read, and looked at for news."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._seen = -1

    def page(
        self, low: str, high: str, after: int, limit: int
    ) -> list[tuple[int, Row]]:
        rows = self.connection.execute(
            "SELECT originator_id, originator_version, topic, state, rowid "
            "FROM stored_events "
            "WHERE rowid > ? AND originator_id >= ? AND originator_id < ? "
            "ORDER BY rowid LIMIT ?",
            (after, low, high, limit),
        )
        return [(number, Row(*row)) for *row, number in rows]

    def stream(self, name: str) -> list[Row]:
        rows = self.connection.execute(
            "SELECT originator_id, originator_version, topic, state "
            "FROM stored_events WHERE originator_id = ? ORDER BY originator_version",
            (name,),
        )
        return [Row(*row) for row in rows]

    def first_stream(self, low: str, high: str) -> str | None:
        return self._edge(low, high, "ASC")

    def last_stream(self, low: str, high: str) -> str | None:
        return self._edge(low, high, "DESC")

    def _edge(self, low: str, high: str, order: str) -> str | None:
        row = self.connection.execute(
            "SELECT originator_id FROM stored_events WHERE originator_id >= ? "
            f"AND originator_id < ? ORDER BY originator_id {order} LIMIT 1",
            (low, high),
        ).fetchone()
        return row[0] if row else None

    def wait(self, wait_s: float) -> None:
        """Return when the file was written to since the last wait, or in time."""
        until = time.monotonic() + wait_s
        while True:
            (version,) = self.connection.execute("PRAGMA data_version").fetchone()
            left_s = until - time.monotonic()
            if version != self._seen or left_s <= 0:
                self._seen = version
                return
            time.sleep(min(LOOK_EVERY_S, left_s))
