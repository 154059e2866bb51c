"""What the storages of a log share: its place, its rows, and what can go wrong.

A storage is one class: `sqlite.SQLite` for a file, `postgres.Postgres` for a server.
Both keep the same rows, by the same closed mapper, so that a log copied from one to the
other is the same log.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent
from eventsourcing.utils import Environment, EnvType

from floor import facts
from floor.facts import Entry
from floor.refusals import LogFailed, Unusable

# An address of which the host and the database can be told from the password for sure.
# One that was typed without its escapes is refused, for any part of it might be a piece
# of the password, and would be shown when the host of that name is not found.
HOST = r"(?:[\w.%-]*|\[[0-9A-Fa-f:.]+\])(?::\d+)?"
ADDRESS = re.compile(
    rf"postgres(?:ql)?://(?:[^@/?#]*@)?({HOST}(?:,{HOST})*)(?:/([\w.%-]*))?(?:\?[^@]*)?"
)


class LogInUse(Unusable):
    """Another process writes this log; there is one writer for each hall."""


class LogUnreadable(Unusable):
    """The log is missing, is not a log, or holds rows that are not ours."""


class LogUnreachable(LogUnreadable):
    """The server that holds the log does not answer; later it may."""


class Database:
    """The address of a log on a PostgreSQL server.

    Args:
        url: `postgresql://user:password@host/database`; never shown as it is.

    Attributes:
        name: host and database, for sentences.

    Raises:
        LogUnreadable: it is not an address.
    """

    def __init__(self, url: str) -> None:
        parts = ADDRESS.fullmatch(url)
        if parts is None:
            raise bad_address()
        self.url = url
        self.name = f"postgresql://{parts[1]}/{parts[2] or ''}"

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Database) and self.url == other.url

    def __hash__(self) -> int:
        return hash(self.url)


#: Where a log lies: a SQLite file, or a PostgreSQL database.
Place = Path | Database


def place_of(words: str) -> Place:
    """The place that an operator named.

    Raises:
        LogUnreadable: an address of something that is no storage of ours.
    """
    if words.startswith(("postgresql://", "postgres://")):
        return Database(words)
    if "://" in words:
        scheme = words.partition("://")[0]
        raise LogUnreadable(
            f"日志应为文件名或 postgresql:// 地址，不能是 {scheme}://",
            f"A log is a file or a postgresql:// address, not {scheme}://",
        )
    return Path(words)


def beside(place: Place) -> Path:
    """The path that what belongs to a log is named after: its keys and leaf lists.

    Never in the database itself: a secret that the server's owner can read is none.
    """
    if isinstance(place, Path):
        return place
    return Path(__file__).parents[2] / place.name.rpartition("/")[2]


def bad_address() -> LogUnreadable:
    """What is wrong with an address, which is not repeated."""
    return LogUnreadable(
        "数据库地址应为 postgresql://用户:密码@主机/库名，密码中的符号写成 %XX",
        "A database is postgresql://user:password@host/name, "
        "with %XX for signs in the password",
    )


class Row(NamedTuple):
    """One fact as it is stored: the same in every storage."""

    stream: str
    version: int
    topic: str
    state: bytes


class Writer(Protocol):
    """The writing end of a storage, held by this process."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Make these durable, all or none, or raise `LogFailed`."""

    def check(self) -> None:
        """Raise `LogFailed` when this process does not hold the log any more."""

    def settle(self) -> None:
        """Hold the log again after a failure; nothing of ours is under way then.

        Raises:
            LogUnreadable: not yet.
            LogLost: never again.
        """

    def checkpoint(self) -> None:
        """Keep what grows with the log small; between two appends, and short."""

    def ask_for_room(self, make_room: Callable[[LogFailed], bool]) -> None:
        """Ask this when an append has failed; True when it is worth another try."""

    def close(self) -> None:
        """Let go; another process may write."""


class Reader(Protocol):
    """A storage while it is read; names of streams are ordered by their bytes."""

    def page(
        self, low: str, high: str, after: int, limit: int
    ) -> list[tuple[int, Row]]:
        """Rows of streams in [low, high) after a row number, in order of writing."""

    def stream(self, name: str) -> list[Row]:
        """A whole stream in order of version."""

    def first_stream(self, low: str, high: str) -> str | None:
        """The first stream in [low, high)."""

    def last_stream(self, low: str, high: str) -> str | None:
        """The last stream in [low, high)."""


class Bell(Protocol):
    """Rings when something was written."""

    def wait(self, wait_s: float) -> None:
        """Return when something may have been written, or after so many seconds."""


class Storage(Protocol):
    """A place where a log is kept."""

    def write(self, hall: str | None) -> Writer:
        """The writing end for a hall, or for all of the log; or `LogInUse`."""

    def read(self) -> AbstractContextManager[Reader]:
        """Read for as long as the block runs; keep it short."""

    def bell(self) -> AbstractContextManager[Bell]:
        """Listen; whatever is written from now on rings."""

    def migrate(self) -> None:
        """Make the table and its triggers; again is no harm, nor two at once."""


# ── eventsourcing, with the parts that are ours ─────────────────────────────


class FactLog(Application[str]):
    """eventsourcing's application, holding nothing but an event store.

    Args:
        words: all of its configuration.
        factory: makes the recorder that knows our triggers.
    """

    def __init__(
        self,
        words: EnvType,
        factory: Callable[[Environment], InfrastructureFactory[Any]],
    ) -> None:
        self._construct = factory
        super().__init__(
            {"ORIGINATOR_ID_TYPE": "text", "IS_SNAPSHOTTING_ENABLED": "n", **words}
        )

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """What the constructor was given, and nothing of `os.environ`.

        There one variable could turn the log into memory, name a recorder that has no
        triggers, or drop the lock that lets readers miss nothing.
        """
        return Environment("", env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return self._construct(env)

    def construct_mapper(self) -> Mapper[str]:
        return _FactMapper()


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
