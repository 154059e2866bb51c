"""One connection to PostgreSQL, as a log wants it, and the locks that it can hold."""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from floor.refusals import LogFailed
from floor.storing.storage import Database, LogUnreachable, LogUnreadable, bad_address

CONNECT_TIMEOUT_S = 5
# Every hall holds the table for a few milliseconds at a time; longer is a fault.
LOCK_TIMEOUT_S = 2
# CREATE OR REPLACE TRIGGER, and pg_terminate_backend that waits.
SERVER_VERSION_MIN = 140_000

# Whatever the server, the role and the environment prefer: an answer means that the
# rows are on the disk, and a process whose machine is gone loses its lock in seconds.
# The user timeout is for an answer on its way to it, while which no keepalive is sent.
SETTINGS = f"""
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_deferrable = off;
SET lock_timeout = '{LOCK_TIMEOUT_S}s';
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = '10s';
SET idle_session_timeout = 0;
SET tcp_keepalives_idle = 3;
SET tcp_keepalives_interval = 1;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '6s';
"""
NETWORK = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6_000,
}
HOLDER = """
SELECT l.pid, COALESCE(a.application_name, '') AS name
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (l.classid::bigint << 32 | l.objid::bigint) = %s
"""


class Session:
    """The one connection of a writer, in the place of the library's pool of many.

    The library repeats a write ten times when the connection fails; here it fails at
    once with `LogFailed`, which it does not catch: what became of a commit whose
    answer was lost is to be read, never guessed.
    """

    def __init__(self, place: Database, name: str) -> None:
        self.place = place
        self.held = connect(place, name)
        self.pid = self.held.info.backend_pid

    def open(self, wait: bool, timeout: float) -> None:
        """Nothing to do: the connection is there from the beginning to the end."""

    def close(self) -> None:
        self.held.close()

    @contextmanager
    def connection(self) -> Iterator[Connection[DictRow]]:
        """The connection, for one piece of work.

        Raises:
            LogFailed: whatever goes wrong with it.
        """
        try:
            yield self.held
        except psycopg.Error as error:
            raise LogFailed(str(error).strip()) from error

    @property
    def broken(self) -> bool:
        return self.held.closed

    def end_if_broken(self) -> None:
        """Close a connection that could not leave its transaction."""
        if self.held.info.transaction_status != TransactionStatus.IDLE:
            self.close()

    def take(self, hall: str) -> bool:
        """Take the hall's lock, if it is free."""
        row = self.held.execute(
            "SELECT pg_try_advisory_lock(%s) AS taken", (lock_of("hall", hall),)
        ).fetchone()
        return row is not None and bool(row["taken"])

    def holder(self, hall: str) -> DictRow | None:
        """Which backend has the hall's lock, and what it calls itself."""
        return self.held.execute(HOLDER, (lock_of("hall", hall),)).fetchone()


def connect(place: Database, name: str) -> Connection[DictRow]:
    """A connection as the log wants it, under a name that the server shows.

    Raises:
        LogUnreachable: the server does not answer, or does not let us in.
        LogUnreadable: the address is not one, or the server is too old.
    """
    try:
        connection = cast(
            Connection[DictRow],
            psycopg.connect(
                place.url,
                autocommit=True,
                row_factory=cast(Any, dict_row),
                application_name=name,
                client_encoding="utf8",
                **cast(Any, NETWORK),
            ),
        )
    except psycopg.OperationalError as error:
        raise unusable(place, error) from None
    except (psycopg.Error, ValueError, UnicodeError):
        # What is said of an address repeats it, with the password in it.
        raise bad_address() from None
    try:
        connection.execute(cast(Any, SETTINGS))
    except psycopg.Error as error:
        connection.close()
        raise unusable(place, error) from None
    if connection.info.server_version < SERVER_VERSION_MIN:
        connection.close()
        raise LogUnreadable(
            f"{place.name} 的 PostgreSQL 版本过低，需要 14 或更新版本",
            f"PostgreSQL at {place.name} is too old; 14 or later is needed",
        )
    return connection


def lock_of(kind: str, name: str) -> int:
    """The number of an advisory lock, 64 bits with a sign."""
    digest = hashlib.sha256(f"jiaohao/{kind}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def who() -> str:
    """This process, for whoever asks the server who holds a hall."""
    return f"{platform.node()[:24]}:{os.getpid()}"


def unusable(place: Database, error: Exception) -> LogUnreadable:
    said = " ".join(str(error).split())
    kind = LogUnreachable if isinstance(error, psycopg.OperationalError) else None
    return (kind or LogUnreadable)(
        f"{place.name} 不能使用：{said}", f"{place.name} cannot be used: {said}"
    )
