"""A log in a PostgreSQL database: several halls, several processes, one writer a hall.

eventsourcing's PostgreSQL recorder holds the rows, in transactions that take turns, so
that no reader ever misses a row. Ours are the triggers against holes and changes, the
migration apart from the start, and the fence: a writer has one connection, and an
advisory lock of that connection is the right to write a hall. Whoever gets the lock
knows that the writer before has no transaction under way any more.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from eventsourcing.persistence import PersistenceError
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from eventsourcing.utils import Environment
from psycopg import Connection
from psycopg.rows import DictRow, tuple_row
from psycopg.sql import SQL

from floor.facts import Entry
from floor.refusals import LogFailed, LogLost
from floor.storing.session import (
    LOCK_TIMEOUT_S,
    Session,
    connect,
    lock_of,
    unusable,
    who,
)
from floor.storing.storage import (
    Database,
    FactLog,
    LogInUse,
    LogUnreachable,
    LogUnreadable,
    Row,
)

MIGRATION_TIMEOUT_S = 30
# Our own broken connection, given so long to end on the server.
SETTLE_MS = 1_000

# Not the library's statement: names are ordered by their bytes, as in SQLite, so that
# an index finds the last day of a hall whatever language the server was set up in.
TABLE = SQL("""
CREATE TABLE IF NOT EXISTS public.stored_events (
    originator_id text COLLATE "C" NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigserial,
    PRIMARY KEY (originator_id, originator_version))
""")
GUARDS = SQL("""
CREATE OR REPLACE FUNCTION public.jiaohao_no_holes() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.originator_version IS DISTINCT FROM 1 + COALESCE((
        SELECT max(originator_version) FROM public.stored_events
        WHERE originator_id = NEW.originator_id), 0)
    THEN
        RAISE integrity_constraint_violation
        USING MESSAGE = 'a fact must follow the last one of its stream';
    END IF;
    IF NEW.notification_id <= (SELECT max(notification_id) FROM public.stored_events)
    THEN
        RAISE integrity_constraint_violation
        USING MESSAGE = 'a fact must follow the last one of the log';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION public.jiaohao_no_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE integrity_constraint_violation
    USING MESSAGE = 'a fact is never changed or removed';
END $$;
CREATE OR REPLACE TRIGGER jiaohao_no_holes BEFORE INSERT ON public.stored_events
    FOR EACH ROW EXECUTE FUNCTION public.jiaohao_no_holes();
CREATE OR REPLACE TRIGGER jiaohao_no_change
    BEFORE UPDATE OR DELETE ON public.stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION public.jiaohao_no_change();
CREATE OR REPLACE TRIGGER jiaohao_no_truncate
    BEFORE TRUNCATE ON public.stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION public.jiaohao_no_change();
ALTER TABLE public.stored_events ENABLE ALWAYS TRIGGER jiaohao_no_holes;
ALTER TABLE public.stored_events ENABLE ALWAYS TRIGGER jiaohao_no_change;
ALTER TABLE public.stored_events ENABLE ALWAYS TRIGGER jiaohao_no_truncate;
""")
MIGRATED = """
SELECT count(*) = 3 AS migrated FROM pg_trigger
WHERE tgrelid = to_regclass('public.stored_events') AND tgenabled = 'A'
AND tgname IN ('jiaohao_no_holes', 'jiaohao_no_change', 'jiaohao_no_truncate')
"""
COLUMNS = "originator_id, originator_version, topic, state"


class Postgres:
    """The storage of a log in a database."""

    def __init__(self, place: Database) -> None:
        self._place = place

    def write(self, hall: str | None) -> "PostgresWriter":
        """The writing end for a hall.

        Raises:
            LogInUse: another process has the hall.
            LogUnreadable: the database is not there, or was not migrated.
        """
        assert hall is not None, "In a database, each hall is held by itself."
        return PostgresWriter(self._place, hall)

    @contextmanager
    def read(self) -> Iterator["PostgresReader"]:
        """A connection of its own that cannot write.

        Raises:
            LogUnreadable: with a sentence that an operator can act on.
        """
        connection = connect(self._place, "jiaohao reader")
        try:
            connection.execute("SET default_transaction_read_only = on")
            yield PostgresReader(connection)
        except psycopg.errors.UndefinedTable:
            raise _not_migrated(self._place) from None
        except psycopg.Error as error:
            raise unusable(self._place, error) from None
        finally:
            connection.close()

    @contextmanager
    def bell(self) -> Iterator["PostgresBell"]:
        """Hears of every commit from now on."""
        connection = connect(self._place, "jiaohao tail")
        try:
            connection.execute("LISTEN stored_events")
            yield PostgresBell(connection)
        except psycopg.Error as error:
            raise unusable(self._place, error) from None
        finally:
            connection.close()

    def migrate(self) -> None:
        """Make the table and its triggers; again is no harm, nor two at once.

        Raises:
            LogUnreadable: the database is not there, or does not let us.
        """
        session = Session(self._place, "jiaohao migrate")
        try:
            connection = session.held
            connection.execute(f"SET lock_timeout = '{MIGRATION_TIMEOUT_S}s'")
            connection.execute("SELECT pg_advisory_lock(%s)", (lock_of("migrate", ""),))
            _open(session, create=True)
        except (psycopg.Error, LogFailed, PersistenceError) as error:
            raise unusable(self._place, error) from None
        finally:
            session.close()


class PostgresReader:
    """A database while it is read."""

    def __init__(self, connection: Connection[DictRow]) -> None:
        # Binary and tuples: twice as fast, and a state comes as the bytes it is.
        self._cursor = connection.cursor(row_factory=tuple_row, binary=True)

    def page(
        self, low: str, high: str, after: int, limit: int
    ) -> list[tuple[int, Row]]:
        rows = self._cursor.execute(
            f"SELECT {COLUMNS}, notification_id FROM public.stored_events "
            "WHERE notification_id > %s AND originator_id >= %s "
            "AND originator_id < %s ORDER BY notification_id LIMIT %s",
            (after, low, high, limit),
        )
        return [(number, Row(*row)) for *row, number in rows]

    def stream(self, name: str) -> list[Row]:
        rows = self._cursor.execute(
            f"SELECT {COLUMNS} FROM public.stored_events "
            "WHERE originator_id = %s ORDER BY originator_version",
            (name,),
        )
        return [Row(*row) for row in rows]

    def first_stream(self, low: str, high: str) -> str | None:
        return self._edge(low, high, "ASC")

    def last_stream(self, low: str, high: str) -> str | None:
        return self._edge(low, high, "DESC")

    def _edge(self, low: str, high: str, order: str) -> str | None:
        row = self._cursor.execute(
            SQL(
                "SELECT originator_id FROM public.stored_events "
                "WHERE originator_id >= %s AND originator_id < %s "
                "ORDER BY originator_id {} LIMIT 1"
            ).format(SQL(order)),
            (low, high),
        ).fetchone()
        return row[0] if row else None


class PostgresBell:
    """A connection that hears of commits."""

    def __init__(self, connection: Connection[DictRow]) -> None:
        self._connection = connection

    def wait(self, wait_s: float) -> None:
        for _ in self._connection.notifies(timeout=wait_s, stop_after=1):
            pass


# ── Writing ─────────────────────────────────────────────────────────────────


class PostgresWriter:
    """One hall's writing end: one connection, which holds the hall by its lock.

    The lock is the server's to take away, and it does so only when the connection has
    ended there. Therefore a broken writer that holds the hall again knows what became
    of its last transaction, and a standby never meets the writer before it.
    """

    def __init__(self, place: Database, hall: str) -> None:
        self._place = place
        self._hall = hall
        self._session: Session | None = None
        self._closed = False
        self._hold()

    def append(self, entries: Sequence[Entry]) -> None:
        if self._closed or self._session is None:
            raise LogFailed("The log is closed.")
        try:
            self._log.events.put(cast(Any, entries))
        except PersistenceError as error:
            raise LogFailed(str(error)) from error
        finally:
            self._session.end_if_broken()

    def check(self) -> None:
        if self._closed or self._session is None:
            raise LogFailed("The log is closed.")
        with self._session.connection() as connection:
            connection.execute("SELECT 1")

    def settle(self) -> None:
        if self._closed or (self._session is not None and not self._session.broken):
            return
        try:
            self._hold()
        except LogInUse as held:
            raise LogLost(
                f"大厅 {self._hall} 已由另一个进程接管，本程序已停止。"
                f"{held.message['zh']}",
                f"Hall {self._hall} was taken over, and this process ends. "
                f"{held.message['en']}",
            ) from None

    def checkpoint(self) -> None:
        """The server does that by itself."""

    def ask_for_room(self, make_room: Callable[[LogFailed], bool]) -> None:
        """The room is the server's business."""

    def close(self) -> None:
        self._closed = True
        if self._session is not None:
            self._session.close()

    def _hold(self) -> None:
        """Connect and take the hall's lock.

        Raises:
            LogInUse: another process has it.
            LogUnreadable: the database cannot be had now.
        """
        before, self._session = self._session, None
        session = Session(self._place, f"jiaohao {self._hall} {who()}")
        try:
            if not session.take(self._hall):
                self._wait_for(before, session)
            self._log = _open(session, create=False)
        except psycopg.Error as error:
            session.close()
            self._session = before
            raise unusable(self._place, error) from None
        except BaseException:
            session.close()
            self._session = before
            raise
        self._session = session

    def _wait_for(self, before: "Session | None", session: "Session") -> None:
        """End what the server still has of our broken connection, or say who it is."""
        holder = session.holder(self._hall)
        if before is not None and holder is not None and holder["pid"] == before.pid:
            session.held.execute(
                "SELECT pg_terminate_backend(%s, %s)", (before.pid, SETTLE_MS)
            )
            if session.take(self._hall):
                return
            raise LogUnreachable(
                f"{self._place.name} 仍在处理上一次写入",
                f"{self._place.name} is still at work on the last write",
            )
        if session.take(self._hall):  # Its holder has just let go.
            return
        pid, name = (holder["pid"], holder["name"]) if holder else ("?", "")
        raise LogInUse(
            f"大厅 {self._hall} 正由另一个进程写入（{name or '?'}，"
            f"数据库进程 {pid}），请先停止它",
            f"Hall {self._hall} is being written by another process "
            f"({name or '?'}, backend {pid}); stop it first",
        )


class _GuardedRecorder(PostgresApplicationRecorder):
    """The library's recorder on our table, with triggers against holes and changes."""

    def __init__(self, datastore: PostgresDatastore, **words: Any) -> None:  # noqa: ANN401
        super().__init__(datastore, **words)
        statements = cast(list[Any], self.sql_create_statements)
        statements[self.create_table_statement_index] = TABLE
        # Not the library's function either: it inserts without the table's lock, and
        # readers that follow the log missed 210 of 15,760 rows. Ours are the guards.
        statements[self.create_insert_function_statement_index] = GUARDS


class _Factory(PostgresFactory):
    application_recorder_class = _GuardedRecorder

    def __init__(self, env: Environment, session: Session) -> None:
        super().__init__(env)
        self.datastore.pool = cast(Any, session)  # Nothing is open yet.


def _open(session: Session, *, create: bool) -> FactLog:
    words = {
        "POSTGRES_DBNAME": "",  # The session has its connection already.
        "POSTGRES_HOST": "",
        "POSTGRES_USER": "",
        "POSTGRES_PASSWORD": "",
        "POSTGRES_SCHEMA": "public",
        "POSTGRES_LOCK_TIMEOUT": str(LOCK_TIMEOUT_S),
        "POSTGRES_ENABLE_DB_FUNCTIONS": "n",
        "CREATE_TABLE": "y" if create else "n",
    }
    if not create:
        row = session.held.execute(MIGRATED).fetchone()
        if row is None or not row["migrated"]:
            raise _not_migrated(session.place)
    return FactLog(words, lambda env: _Factory(env, session))


def _not_migrated(place: Database) -> LogUnreadable:
    return LogUnreadable(
        f"{place.name} 还没有建表，请先运行 main.py migrate --log 该地址",
        f"{place.name} has no tables yet; run main.py migrate --log with its address",
    )
