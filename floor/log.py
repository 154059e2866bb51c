"""events.db: the log, where every fact of a hall is kept and none is ever changed.

eventsourcing's application and SQLite recorder hold the rows; ours are the closed
mapper, the durability (`synchronous=FULL`), the triggers against holes and changes,
and the fence against a second writer. Figures and reasons: docs/decisions.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from eventsourcing.application import Application
from eventsourcing.persistence import (
    InfrastructureFactory,
    Mapper,
    PersistenceError,
    StoredEvent,
)
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteFactory,
)
from eventsourcing.utils import Environment, EnvType

from floor import facts
from floor.catalogue import Catalogue
from floor.day import setup_stream_of
from floor.facts import Entry
from floor.refusals import LogFailed, Unusable

# A second writer is refused by the fence, so a lock held longer than this is a backup
# tool that does it wrong: better a clear failure than a hall that waits.
LOCK_TIMEOUT_S = 2
# How long commands may wait because readers are in the way of a checkpoint.
CHECKPOINT_WAIT_MS = 100

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


class LogInUse(Unusable):
    """Another process writes this log; there is one writer for each hall."""


class Log:
    """The writing end of a log. One at a time, or `LogInUse`.

    Args:
        path: the SQLite file; made when absent.

    Raises:
        LogInUse: another process holds it.
        LogUnreadable: the file is not a log, or its folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Asked when an append has failed; True when it is worth another try.
        self.make_room: Callable[[LogFailed], bool] = lambda _: False
        self._fence = Fence(path.with_name(path.name + ".lock"))
        self._app: _Log | None = None
        try:
            self._open()
        except BaseException as error:
            self._fence.release()
            if isinstance(error, LogFailed):
                raise _unreadable(path, error) from None
            raise

    def append(self, entries: Sequence[Entry]) -> None:
        """Make these facts durable, all or none.

        Raises:
            LogFailed: the caller must throw its memory away and read the log again;
                the rows may or may not be there.
        """
        try:
            self._append(entries)
        except LogFailed as error:
            if not self.make_room(error):
                raise
            # Rows that are durable after all make this fail as well, by their numbers.
            self._append(entries)

    def _append(self, entries: Sequence[Entry]) -> None:
        app = self._open()
        try:
            app.events.put(cast(Any, entries))
        except (PersistenceError, sqlite3.Error, OSError) as error:
            # A commit that failed may have left its connection inside the
            # transaction, where every later one would fail too.
            self._let_go()
            raise LogFailed(str(error)) from error

    def _open(self) -> "_Log":
        """The library's end of the file, once all that can be read is on the disk.

        A process that was killed, or whose sync failed, leaves rows that are read like
        all others and that a power cut would still take away. Nobody may be answered
        by them before.
        """
        if not self._fence.held:
            raise LogFailed("The log is closed.")
        if self._app is None:
            try:
                self._app = _Log(self.path)
            except (PersistenceError, sqlite3.Error, OSError) as error:
                raise LogFailed(str(error)) from error
            self.checkpoint()
            self._forget_wal()
        return self._app

    def _forget_wal(self) -> None:
        """Make it last that the old write-ahead log is empty or gone.

        Where a sync failed it has a hole; found again after a power cut, it would be
        laid over what the checkpoint has made durable.
        """
        real = self.path.resolve()
        try:
            for path in (real.with_name(real.name + "-wal"), real.parent):
                if path.exists():
                    sync(path)
        except OSError as error:
            self._let_go()
            raise LogFailed(str(error)) from error

    def checkpoint(self) -> None:
        """Empty the write-ahead log, through the connection that writes it.

        While a reader stays in an old transaction, what can be moved is moved, at
        once; readers who are up to date are waited for, `CHECKPOINT_WAIT_MS` at most.
        """
        if self._app is None:
            return
        store = cast(SQLiteFactory, self._app.factory).datastore
        try:
            with store.get_connection(commit=True) as connection:
                execute = connection._sqlite_conn.execute
                row = execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if row["log"] == row["checkpointed"]:
                    execute(f"PRAGMA busy_timeout={CHECKPOINT_WAIT_MS}")
                    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT_S * 1000}")
        except (PersistenceError, sqlite3.Error) as error:
            self._let_go()
            raise LogFailed(str(error)) from error

    def recent(self, hall: str, days: int) -> list[Entry]:
        """What a hall has to know to go on, durable: see `read_last_days`."""
        try:
            self._open()
        except LogFailed as error:
            raise _unreadable(self.path, error) from None
        return read_last_days(self.path, hall, days)

    def close(self) -> None:
        """Let go of the file; another writer may open it."""
        self._let_go()
        self._fence.release()

    def _let_go(self) -> None:
        if self._app is not None:
            self._app.close()
            self._app = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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
            raise _unreadable(path, error) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 20).decode("ascii", "replace") or "?"
            os.close(self._file)
            log = path.name.removesuffix(".lock")
            raise LogInUse(
                f"{log} 正由另一个进程写入（pid {holder}），请先停止它",
                f"{log} is being written by another process (pid {holder}); "
                "stop it first",
            ) from None
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


# ── eventsourcing, with the parts that are ours ─────────────────────────────


class _FactMapper(Mapper[str]):
    """Facts to rows, by a closed registry: a row never names what is imported."""

    def __init__(self) -> None:
        pass  # No transcoder, cipher or compressor: msgspec and plain rows.

    def to_stored_event(self, domain_event: object) -> StoredEvent:
        entry = cast(Entry, domain_event)
        return StoredEvent(
            originator_id=entry.stream,
            originator_version=entry.version,
            topic=entry.topic,
            state=facts.encode(entry.fact),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:  # noqa: ANN401
        return Entry(
            stream=str(stored_event.originator_id),
            version=stored_event.originator_version,
            fact=facts.decode(stored_event.topic, stored_event.state),
        )


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


class _Log(Application[str]):
    """eventsourcing's application, holding nothing but an event store."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            {
                "SQLITE_DBNAME": str(path.absolute()),
                "SQLITE_LOCK_TIMEOUT": str(LOCK_TIMEOUT_S),
                "ORIGINATOR_ID_TYPE": "text",
                "CREATE_TABLE": "y",
                "IS_SNAPSHOTTING_ENABLED": "n",
            }
        )

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """What the constructor was given, and nothing of `os.environ`.

        There one variable could turn the log into memory, or name a recorder that
        has no triggers.
        """
        return Environment(name, env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return _Factory(env)

    def construct_mapper(self) -> Mapper[str]:
        return _FactMapper()


# ── Reading ─────────────────────────────────────────────────────────────────


class LogUnreadable(Unusable):
    """The file is missing, is not a log, or holds rows that are not ours."""


COLUMNS = "originator_id, originator_version, topic, state, rowid"
SELECT = f"SELECT {COLUMNS} FROM stored_events "
# Read in pages, each its own short transaction: a reader that stops half-way would
# keep the write-ahead log from being emptied, for as long as it stops.
PAGE_ROWS = 2_000


def read(path: Path, *, since: int = 0, hall: str = "*") -> Iterator[Entry]:
    """The facts of a log after a position, in order of position.

    Of one hall, or of all of them in the order of writing.

    Raises:
        LogUnreadable: with a sentence that an operator can act on.
    """
    page = SELECT + "WHERE rowid > ? AND originator_id GLOB ? ORDER BY rowid LIMIT ?"
    last = since  # A hall's position never exceeds its row number.
    while rows := list(_rows(path, page, (last, f"{hall}/*", PAGE_ROWS))):
        last = rows[-1][-1]
        for row in rows:
            entry = _entry(path, *row)
            if entry.position > since:
                yield entry


def read_last_day(path: Path, hall: str) -> list[Entry]:
    """The hall's catalogues and its last business day; empty for a new log."""
    return read_last_days(path, hall, 1)


def read_last_days(path: Path, hall: str, days: int) -> list[Entry]:
    """The hall's catalogues and its last business days, in order of position.

    Milliseconds, however long the log is.
    """
    streams = [setup_stream_of(hall)]
    before = f"{hall}/:"  # Sorts after every date.
    for _ in range(days):
        last = list(
            _select(
                path,
                SELECT + "WHERE originator_id < ? AND originator_id GLOB ? "
                "ORDER BY originator_id DESC, originator_version DESC LIMIT 1",
                (before, f"{hall}/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"),
            )
        )
        if last:
            before = last[0].stream
            streams.append(before)
    entries = [
        entry
        for stream in streams
        for entry in _select(
            path,
            SELECT + "WHERE originator_id = ? ORDER BY originator_version",
            (stream,),
        )
    ]
    return sorted(entries, key=lambda entry: entry.position)


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue in force at the end of a log of one hall.

    Raises:
        LogUnreadable: there is none, or the file is not a log of ours.
    """
    published = [
        entry.fact for hall in halls(path) for entry in read_last_days(path, hall, 0)
    ]
    if not published:
        raise LogUnreadable(
            f"{path.name} 中没有任何记录", f"There is nothing in {path.name}"
        )
    last = published[-1]
    assert isinstance(last, facts.CataloguePublished), "Setup is catalogues alone."
    return last.catalogue


def halls(path: Path) -> list[str]:
    """The halls that a log holds, by their setup streams."""
    rows = _rows(
        path,
        "SELECT DISTINCT originator_id FROM stored_events "
        "WHERE originator_id GLOB '*/setup' ORDER BY originator_id",
        (),
    )
    return [row[0].rpartition("/")[0] for row in rows]


def _select(path: Path, statement: str, words: tuple[object, ...]) -> Iterator[Entry]:
    for row in _rows(path, statement, words):
        yield _entry(path, *row)


def _entry(
    path: Path, stream: str, version: int, topic: str, state: bytes, _: int
) -> Entry:
    try:
        return Entry(stream, version, facts.decode(topic, state))
    except (ValueError, TypeError) as error:  # Not ours, not fitting, not bytes.
        raise LogUnreadable(
            f"{path.name} 中 {stream} 第 {version} 条无法读取：{error}",
            f"Fact {version} of {stream} in {path.name} cannot be read: {error}",
        ) from None


def _rows(path: Path, statement: str, words: tuple[object, ...]) -> Iterator[Any]:
    if not path.is_file():
        raise LogUnreadable(f"没有日志文件 {path.name}", f"There is no log {path.name}")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S
        )
        try:
            connection.execute("PRAGMA query_only=1")
            # Checkpoints are the writer's: a reader that makes one can meet the
            # WAL-reset bug of SQLite before 3.51.3.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            yield from connection.execute(statement, words)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> LogUnreadable:
    return LogUnreadable(
        f"{path.name} 不是可用的日志：{error}",
        f"{path.name} is not a usable log: {error}",
    )
