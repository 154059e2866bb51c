"""eventsourcing's SQLite recorder, with the parts that are ours.

Connections that wait for the disk, triggers against holes and changes, and rows that
are written many at once.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteFactory,
)
from eventsourcing.utils import Environment

from floor.storing.storage import FactLog

# So many rows go into one statement; each of these is compiled once a connection.
ROWS_MAX = 64
INSERTS = [
    "INSERT INTO stored_events VALUES " + ",".join(["(?,?,?,?)"] * rows)
    for rows in range(ROWS_MAX + 1)
]

TRIGGERS = (
    """CREATE TRIGGER IF NOT EXISTS no_holes BEFORE INSERT ON stored_events
    WHEN NEW.originator_version <> 1 + COALESCE((
        SELECT MAX(originator_version) FROM stored_events
        WHERE originator_id = NEW.originator_id), 0)
    BEGIN SELECT RAISE(ABORT, 'a fact must follow the last one of its stream'); END""",
    # A replaced row fires no delete trigger, so its number must be new as well.
    """CREATE TRIGGER IF NOT EXISTS no_replacement BEFORE INSERT ON stored_events
    WHEN EXISTS (SELECT 1 FROM stored_events WHERE rowid = NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a fact is never replaced'); END""",
    """CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'a fact is never changed'); END""",
    """CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'a fact is never removed'); END""",
)


class DurablePool(SQLiteConnectionPool):
    """Connections that acknowledge only what is on the disk.

    The library leaves `synchronous` to how SQLite was built; NORMAL loses up to a
    whole checkpoint interval of acknowledged facts at a power cut.
    """

    def _create_connection(self) -> SQLiteConnection:
        # Not the library's: its connections remember one statement, so that every
        # BEGIN would make SQLite compile the INSERT and its triggers anew.
        raw = sqlite3.connect(
            self.db_name,
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=self.lock_timeout or 0,
        )
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.row_factory = sqlite3.Row
        return SQLiteConnection(sqlite_conn=raw, max_age=self.max_age)


class _GuardedRecorder(SQLiteApplicationRecorder):
    """The library's table with triggers against holes, updates and deletes."""

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), *TRIGGERS]

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **_: Any,  # noqa: ANN401
    ) -> None:
        """All rows in one transaction, many of them in one statement.

        The library lets go of the interpreter for every row and waits to have it back
        from an event loop that is busy; and it opens six contexts for a transaction.
        """
        with self.datastore.get_connection(commit=True) as connection:
            raw = connection._sqlite_conn
            raw.execute("BEGIN IMMEDIATE")
            try:
                for first in range(0, len(stored_events), ROWS_MAX):
                    events = stored_events[first : first + ROWS_MAX]
                    words: list[object] = []
                    for e in events:
                        id, version = e.originator_id, e.originator_version
                        words += (id, version, e.topic, e.state)
                    raw.execute(INSERTS[len(events)], words)
                connection.commit()
            except BaseException:
                raw.rollback()
                raise


class _Factory(SQLiteFactory):
    application_recorder_class = _GuardedRecorder

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        plain = self.datastore.pool  # Nothing is open yet.
        self.datastore.pool = DurablePool(
            db_name=plain.db_name, lock_timeout=plain.lock_timeout
        )


def opened(path: Path, lock_timeout_s: int) -> FactLog:
    """The library's end of a file, which is made when absent."""
    words = {
        "SQLITE_DBNAME": str(path.absolute()),
        "SQLITE_LOCK_TIMEOUT": str(lock_timeout_s),
        "CREATE_TABLE": "y",
    }
    return FactLog(words, _Factory)
