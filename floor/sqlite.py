"""A log in a SQLite file: one process, one file, one or several halls.

eventsourcing's SQLite recorder holds the rows; ours are the durability
(`synchronous=FULL`), the triggers against holes and changes, the fence against a second
process, and the end of the process when the disk cannot be trusted any more.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteFactory,
)
from eventsourcing.utils import Environment

from floor.facts import Entry
from floor.refusals import LogFailed, LogLost
from floor.storage import FactLog, LogInUse, LogUnreadable, Row

# A second writer is refused by the fence, so a lock held longer than this is a backup
# tool that does it wrong: better a clear failure than a hall that waits.
LOCK_TIMEOUT_S = 2
# Another process looks this often whether something was written: 0.2 % of a core.
LOOK_EVERY_S = 0.1

# After these the pages in memory may differ from those on the disk.
LOST = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# A full disk says so too when the index of the write-ahead log cannot grow; that file
# is rebuilt from the log itself.
NOT_LOST = {
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}

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


class SQLite:
    """The storage of a log in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, hall: str | None) -> "SQLiteWriter":
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


# ── Writing ─────────────────────────────────────────────────────────────────


class SQLiteWriter:
    """The file as one hall writes it; halls of one process share the file."""

    def __init__(self, path: Path, hall: str | None) -> None:
        self.hall = hall
        self.file = _File.of(path, self)

    def append(self, entries: Sequence[Entry]) -> None:
        self.file.append(self, entries)

    def check(self) -> None:
        """Nothing to look for: the system keeps the fence while the process lives."""

    def settle(self) -> None:
        """Nothing to wait for: an append that failed is over."""
        if self.file.lost is not None:
            raise self.file.lost

    def close(self) -> None:
        self.file.leave(self)


class _File:
    """A file that this process holds: one fence, one pool, one commit at a time.

    Two halls that commit at once take turns here, so neither ever meets SQLite's own
    lock.
    """

    # The fence is the process's, and so is the list of what it holds.
    held: "dict[Path, _File]" = {}  # noqa: RUF012
    holding = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writers: list[SQLiteWriter] = []
        self.turn = threading.Lock()
        self.lost: LogLost | None = None
        self.fence = _Fence(path.with_name(path.name + ".lock"))
        try:
            self.log: FactLog | None = _open(path)
        except BaseException as error:
            self.fence.release()
            if isinstance(error, PersistenceError | sqlite3.Error):
                raise unreadable(path, error) from None
            raise

    @classmethod
    def of(cls, path: Path, writer: SQLiteWriter) -> "_File":
        """The file, with one writer more."""
        place = path.absolute()
        with cls.holding:
            file = cls.held.get(place)
            if file is None:
                file = cls.held[place] = cls(path)
            elif any(
                None in (writer.hall, other.hall) or writer.hall == other.hall
                for other in file.writers
            ):
                raise in_use(path, str(os.getpid()))
            file.writers.append(writer)
            return file

    def append(self, writer: SQLiteWriter, entries: Sequence[Entry]) -> None:
        with self.turn:
            if writer not in self.writers:
                raise LogFailed("The log is closed.")
            if self.lost is not None:
                raise self.lost
            try:
                if self.log is None:
                    self.log = _open(self.path)
                self.log.events.put(cast(Any, entries))
            except (PersistenceError, sqlite3.Error, OSError) as error:
                if is_lost(error):
                    self.lost = _lost(self.path, error)
                    raise self.lost from error
                # A commit that failed may have left its connection inside the
                # transaction, where every later one would fail too.
                self._let_go()
                raise LogFailed(str(error)) from error

    def leave(self, writer: SQLiteWriter) -> None:
        with self.holding, self.turn:
            if writer in self.writers:
                self.writers.remove(writer)
            if self.writers or not self.fence.held:
                return
            self._let_go()
            self.fence.release()
            del self.held[self.path.absolute()]

    def _let_go(self) -> None:
        # The last connection that closes moves pages into the database; those of a
        # lost log are not to be trusted, and stay where they are.
        if self.log is not None and self.lost is None:
            self.log.close()
            self.log = None


class _Fence:
    """A lock file that the operating system frees when its process ends."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unreadable(path, error) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 20).decode("ascii", "replace") or "?"
            os.close(self._file)
            log = path.with_name(path.name.removesuffix(".lock"))
            raise in_use(log, holder) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    @property
    def held(self) -> bool:
        return self._file >= 0

    def release(self) -> None:
        """Free the lock. The file stays: removing it would let two hold it."""
        if self.held:
            os.close(self._file)
            self._file = -1


class _DurablePool(SQLiteConnectionPool):
    """Connections that acknowledge only what is on the disk.

    The library leaves `synchronous` to how SQLite was built; NORMAL loses up to a
    whole checkpoint interval of acknowledged facts at a power cut.
    """

    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        connection._sqlite_conn.execute("PRAGMA synchronous=FULL")
        return connection


class _GuardedRecorder(SQLiteApplicationRecorder):
    """The library's table with triggers against holes, updates and deletes."""

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), *TRIGGERS]


class _Factory(SQLiteFactory):
    application_recorder_class = _GuardedRecorder

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        plain = self.datastore.pool  # Nothing is open yet.
        self.datastore.pool = _DurablePool(
            db_name=plain.db_name, lock_timeout=plain.lock_timeout
        )


def _open(path: Path) -> FactLog:
    words = {
        "SQLITE_DBNAME": str(path.absolute()),
        "SQLITE_LOCK_TIMEOUT": str(LOCK_TIMEOUT_S),
        "CREATE_TABLE": "y",
    }
    return FactLog(words, _Factory)


# ── What goes wrong ─────────────────────────────────────────────────────────


def is_lost(error: BaseException) -> bool:
    """Whether an error leaves it open what SQLite has in memory and on the disk.

    A disk that is full and a file that is locked are not among them.
    """
    cause: BaseException | None = error
    while cause is not None:
        code = getattr(cause, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in LOST and code not in NOT_LOST:
            return True
        cause = cause.__cause__
    return False


def in_use(path: Path, holder: str) -> LogInUse:
    """Who writes the file, by the process's number."""
    return LogInUse(
        f"{path.name} 正由另一个进程写入（pid {holder}），请先停止它",
        f"{path.name} is being written by another process (pid {holder}); "
        "stop it first",
    )


def unreadable(path: Path, error: Exception) -> LogUnreadable:
    """The file cannot be used, and what SQLite says of it."""
    return LogUnreadable(
        f"{path.name} 不是可用的日志：{error}",
        f"{path.name} is not a usable log: {error}",
    )


def _lost(path: Path, error: Exception) -> LogLost:
    return LogLost(
        f"磁盘读写 {path.name} 出错，程序已停止，请检查磁盘后重新启动：{error}",
        f"The disk failed under {path.name}, and the process ends; "
        f"check the disk and start again: {error}",
    )
