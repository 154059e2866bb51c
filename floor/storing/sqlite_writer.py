"""Writing a log into a SQLite file, so that what is acknowledged stays.

eventsourcing's SQLite recorder holds the rows; ours are the durability
(`synchronous=FULL`, and nothing is read before it is on the disk), the triggers against
holes and changes, the fence against a second process, and the end of the process when
the disk cannot be trusted any more.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteFactory

from floor.facts import Entry
from floor.refusals import LogFailed, LogLost
from floor.storing.sqlite_recorder import opened
from floor.storing.storage import FactLog, LogInUse, LogUnreadable

# A second writer is refused by the fence, so a lock held longer than this is a backup
# tool that does it wrong: better a clear failure than a hall that waits.
LOCK_TIMEOUT_S = 2
# How long commands may wait because readers are in the way of a checkpoint.
CHECKPOINT_WAIT_MS = 100

# After these the pages in memory may differ from those on the disk.
LOST = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# A full disk says so too when the index of the write-ahead log cannot grow; that file
# is rebuilt from the log itself.
NOT_LOST = {
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}


class SQLiteWriter:
    """The file as one hall writes it; halls of one process share the file."""

    def __init__(self, path: Path, hall: str | None) -> None:
        self.hall = hall
        self.file = HeldFile.of(path, self)

    def append(self, entries: Sequence[Entry]) -> None:
        self.file.append(self, entries)

    def check(self) -> None:
        """Nothing to look for: the system keeps the fence while the process lives."""

    def settle(self) -> None:
        """Nothing is under way after an append failed; what is there is durable."""
        self.file.settle()

    def checkpoint(self) -> None:
        self.file.checkpoint()

    def ask_for_room(self, make_room: Callable[[LogFailed], bool]) -> None:
        self.file.make_room = make_room

    def close(self) -> None:
        self.file.leave(self)


class HeldFile:
    """A file that this process holds: one fence, one pool, one commit at a time.

    Two halls that commit at once take turns here, so neither ever meets SQLite's own
    lock.

    Attributes:
        make_room: asked when an append has failed; True when it is worth another try.
    """

    # The fence is the process's, and so is the list of what it holds.
    held: "dict[Path, HeldFile]" = {}  # noqa: RUF012
    holding = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writers: list[SQLiteWriter] = []
        self.turn = threading.Lock()
        self.lost: LogLost | None = None
        self.log: FactLog | None = None
        self.make_room: Callable[[LogFailed], bool] = lambda _: False
        self.fence = Fence(path.with_name(path.name + ".lock"))
        try:
            self._open()
        except BaseException as error:
            self._let_go()
            self.fence.release()
            if isinstance(error, LogFailed):
                raise unreadable(path, error) from None
            raise

    @classmethod
    def of(cls, path: Path, writer: SQLiteWriter) -> "HeldFile":
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
            try:
                self._append(entries)
            except LogFailed as error:
                if self.lost is not None or not self.make_room(error):
                    raise
                # Rows that are durable after all make this fail as well, by their
                # numbers.
                self._append(entries)

    def settle(self) -> None:
        """Open the file again if it was let go.

        Raises:
            LogUnreadable: not yet.
            LogLost: never again in this process.
        """
        with self.turn:
            try:
                self._open()
            except LogLost:
                raise
            except LogFailed as error:
                raise unreadable(self.path, error) from None

    def checkpoint(self) -> None:
        """Empty the write-ahead log, if the file is open."""
        with self.turn:
            if self.log is not None:
                self._checkpoint(self.log)

    def leave(self, writer: SQLiteWriter) -> None:
        with self.holding, self.turn:
            if writer in self.writers:
                self.writers.remove(writer)
            if self.writers or not self.fence.held:
                return
            self._let_go()
            self.fence.release()
            del self.held[self.path.absolute()]

    # Below, whoever calls has the turn.

    def _append(self, entries: Sequence[Entry]) -> None:
        log = self._open()
        with self._failing():
            log.events.put(cast(Any, entries))

    def _open(self) -> FactLog:
        """The library's end of the file, once all that can be read is on the disk.

        A process that was killed, or whose sync failed, leaves rows that are read like
        all others and that a power cut would still take away. Nobody may be answered
        by them before.
        """
        if self.lost is not None:
            raise self.lost
        if self.log is None:
            with self._failing():
                self.log = opened(self.path, LOCK_TIMEOUT_S)
            self._checkpoint(self.log)
            with self._failing():
                self._forget_wal()
        return self.log

    def _forget_wal(self) -> None:
        """Make it last that the old write-ahead log is empty or gone.

        Where a sync failed it has a hole; found again after a power cut, it would be
        laid over what the checkpoint has made durable.
        """
        real = self.path.resolve()
        for path in (real.with_name(real.name + "-wal"), real.parent):
            if path.exists():
                sync(path)

    def _checkpoint(self, log: FactLog) -> None:
        """Empty the write-ahead log, through the connection that writes it.

        While a reader stays in an old transaction, what can be moved is moved, at
        once; readers who are up to date are waited for, `CHECKPOINT_WAIT_MS` at most.
        """
        store = cast(SQLiteFactory, log.factory).datastore
        with self._failing(), store.get_connection(commit=True) as connection:
            execute = connection._sqlite_conn.execute
            row = execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if row["log"] == row["checkpointed"]:
                execute(f"PRAGMA busy_timeout={CHECKPOINT_WAIT_MS}")
                execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT_S * 1000}")

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What the disk says no to becomes `LogFailed`, or `LogLost` for good."""
        try:
            yield
        except (PersistenceError, sqlite3.Error, OSError) as error:
            if is_lost(error):
                self.lost = _lost(self.path, error)
                raise self.lost from error
            # A commit that failed may have left its connection inside the
            # transaction, where every later one would fail too.
            self._let_go()
            raise LogFailed(str(error)) from error

    def _let_go(self) -> None:
        # The last connection that closes moves pages into the database; those of a
        # lost log are not to be trusted, and stay where they are.
        if self.log is not None and self.lost is None:
            self.log.close()
            self.log = None


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class Fence:
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
