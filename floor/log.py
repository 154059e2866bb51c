"""events.db: the log, where every fact of a hall is kept and none is ever changed.

eventsourcing's application and SQLite recorder hold the rows; ours are the closed
mapper, the durability (`synchronous=FULL`), the triggers against holes and changes,
and the fence against a second writer. Figures and reasons: docs/decisions.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from eventsourcing.application import Application
from eventsourcing.persistence import (
    ApplicationRecorder,
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
from eventsourcing.utils import Environment

from floor import facts
from floor.day import Day, advance, begins_day, setup_stream_of
from floor.facts import Entry

# A second writer is refused by the fence, so a lock held longer than this is a backup
# tool that does it wrong: better a clear failure than a hall that waits.
LOCK_TIMEOUT_S = 2
# 3.51.3 mends a bug in which a WAL reset could lose a write (sqlite.org, 2026).
SQLITE_SOUND = (3, 51, 3)

TRIGGERS = (
    """CREATE TRIGGER IF NOT EXISTS no_holes BEFORE INSERT ON stored_events
    WHEN NEW.originator_version <> 1 + COALESCE((
        SELECT MAX(originator_version) FROM stored_events
        WHERE originator_id = NEW.originator_id), 0)
    BEGIN SELECT RAISE(ABORT, 'a fact must follow the last one of its stream'); END""",
    """CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'a fact is never changed'); END""",
    """CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'a fact is never removed'); END""",
)


class LogInUse(RuntimeError):
    """Another process writes this log; there is one writer for each hall."""


class LogFailed(RuntimeError):
    """The log could not be written; whether rows became durable is to be looked up."""


class Log:
    """The writing end of a log. One at a time, or `LogInUse`.

    Args:
        path: the SQLite file; made when absent.

    Raises:
        LogInUse: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fence = _Fence(path.with_name(path.name + ".lock"))
        try:
            # The whole environment goes to the constructor and is closed against
            # os.environ, where one variable could turn the log into memory.
            self._app = _Log(path)
        except BaseException:
            self._fence.release()
            raise

    def append(self, entries: Sequence[Entry]) -> None:
        """Make these facts durable, all or none.

        Raises:
            LogFailed: the caller must throw its memory away and read the log again;
                the rows may or may not be there.
        """
        try:
            self._app.events.put(cast(Any, entries))
        except (PersistenceError, sqlite3.Error, OSError) as error:
            raise LogFailed(str(error)) from error

    def close(self) -> None:
        """Let go of the file; another writer may open it."""
        self._app.close()
        self._fence.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Fence:
    """A lock file that the operating system frees when its process ends."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 20).decode("ascii", "replace") or "?"
            os.close(self._file)
            log = path.name.removesuffix(".lock")
            raise LogInUse(
                f"{log} 正由另一个进程写入（pid {holder}），请先停止它 / "
                f"{log} is being written by another process (pid {holder}); "
                "stop it first"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Free the lock. The file stays: removing it would let two hold it."""
        if self._file >= 0:
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
                "SQLITE_DBNAME": str(path),
                "SQLITE_LOCK_TIMEOUT": str(LOCK_TIMEOUT_S),
                "ORIGINATOR_ID_TYPE": "text",
                "CREATE_TABLE": "y",
                "IS_SNAPSHOTTING_ENABLED": "n",
            }
        )

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return _Factory(env)

    def construct_mapper(self) -> Mapper[str]:
        return _FactMapper()

    def construct_recorder(self) -> ApplicationRecorder:
        return self.factory.application_recorder()


# ── Reading ─────────────────────────────────────────────────────────────────


class LogUnreadable(ValueError):
    """The file is missing, is not a log, or holds rows that are not ours."""


SELECT = "SELECT originator_id, originator_version, topic, state FROM stored_events "


def read(path: Path, *, since: int = 0) -> Iterator[Entry]:
    """The facts of a log after a position, in order of position.

    A plain read-only cursor in one short pass: it never blocks the writer.

    Raises:
        LogUnreadable: with a sentence that an operator can act on.
    """
    # A hall's position never exceeds its row number, so this skips nothing.
    yield from (
        entry
        for entry in _select(path, SELECT + "WHERE rowid > ? ORDER BY rowid", (since,))
        if entry.position > since
    )


def read_last_day(path: Path, hall: str) -> list[Entry]:
    """What a start needs: the hall's catalogues and its last business day.

    In order of position; empty for a new log. Milliseconds, however long the log is.
    """
    last = list(
        _select(
            path,
            SELECT + "WHERE originator_id GLOB ? ORDER BY originator_id DESC, "
            "originator_version DESC LIMIT 1",
            (f"{hall}/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]",),
        )
    )
    streams = [setup_stream_of(hall), *(entry.stream for entry in last)]
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


def read_days(path: Path) -> Iterator[list[Entry]]:
    """The facts of each business day; catalogues come with the day they precede."""
    day: Day | None = None
    batch: list[Entry] = []
    for entry in read(path):
        if day is not None and day.version and begins_day(day, entry):
            yield batch
            batch = []
        day = advance(day, entry)
        batch.append(entry)
    if batch:
        yield batch


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
    for stream, version, topic, state in _rows(path, statement, words):
        try:
            yield Entry(stream, version, facts.decode(topic, state))
        except (ValueError, TypeError) as error:  # Not ours, not fitting, not bytes.
            raise LogUnreadable(
                f"{path.name} 中 {stream} 第 {version} 条无法读取：{error} / "
                f"Fact {version} of {stream} in {path.name} cannot be read: {error}"
            ) from None


def _rows(path: Path, statement: str, words: tuple[object, ...]) -> Iterator[Any]:
    if not path.is_file():
        raise LogUnreadable(f"没有日志文件 {path.name} / There is no log {path.name}")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S
        )
        try:
            connection.execute("PRAGMA query_only=1")
            # Checkpoints are the writer's: a reader that makes one can meet the
            # WAL-reset bug of older SQLite.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            yield from connection.execute(statement, words)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LogUnreadable(
            f"{path.name} 不是可读的日志：{error} / "
            f"{path.name} is not a readable log: {error}"
        ) from None


def stream_ends(entries: Iterable[Entry]) -> dict[str, int]:
    """The last version of each stream among these facts."""
    ends: dict[str, int] = {}
    for entry in entries:
        ends[entry.stream] = max(ends.get(entry.stream, 0), entry.version)
    return ends
