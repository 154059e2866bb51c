"""PostgreSQL's own ways to lose a fact, a lock or a password, each tried for real."""

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

import main as front
from database import Server
from floor import commands, facts, log, refusals
from floor.catalogue import load
from floor.facts import Entry
from floor.follow import at_work
from floor.log import (
    Database,
    Log,
    LogFailed,
    LogInUse,
    LogLost,
    LogUnreachable,
    LogUnreadable,
    Row,
    migrate,
    read,
    tail,
)
from floor.storing.postgres import PostgresBell, PostgresReader, PostgresWriter
from floor.storing.session import Session
from timeline import SAMPLE, FloorDay

AT = FloorDay().at("09:00:00")
WAIT_S = 30  # What comes in milliseconds, with room for a machine that is busy.


def backend_of(held: Log) -> int:
    """The server's process of a writer's connection."""
    assert isinstance(held._writer, PostgresWriter)
    assert held._writer._session is not None
    return held._writer._session.pid


def end(server: Server, pid: int) -> None:
    """End a connection at the server, and see it gone."""
    assert server.execute("SELECT pg_terminate_backend(%s, 10000)", pid) == [(True,)]


def until(true: Callable[[], Any]) -> None:
    for _ in range(WAIT_S * 50):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("It never came.")


def device_facts(hall: str, since: int, count: int) -> list[Entry]:
    """Facts of a hall's day from a position on; the day has no other ones."""
    return [
        Entry(
            f"{hall}/2026-11-23",
            position,
            facts.DeviceLost(at=AT, position=position, device="led"),
        )
        for position in range(since + 1, since + count + 1)
    ]


# ── Made before, apart from the start ───────────────────────────────────────


def test_a_database_without_tables_is_told_how_to_get_them(
    empty_database: Database,
) -> None:
    for use in (
        lambda: Log(empty_database, "hall-1"),
        lambda: list(read(empty_database)),
        lambda: next(tail(empty_database)),
    ):
        with pytest.raises(LogUnreadable, match=r"还没有建表.*main\.py migrate --log"):
            use()
    migrate(empty_database)
    Log(empty_database, "hall-1").close()


def test_many_may_make_the_tables_at_once(empty_database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        for made in [pool.submit(migrate, empty_database) for _ in range(12)]:
            made.result()
    with Log(empty_database, "hall-1") as held:
        held.append(FloorDay().entries)
    assert list(read(empty_database)) == FloorDay().entries


def test_tables_are_made_again_beside_a_hall_at_work(database: Database) -> None:
    def make() -> None:
        for _ in range(5):
            migrate(database)

    with Log(database, "hall-1") as held, ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        written = 0
        while written < 200 or not making.done():
            held.append(device_facts("hall-1", written, 1))
            written += 1
        making.result()
    assert [e.position for e in read(database)] == list(range(1, written + 1))


def test_a_hall_makes_no_tables_and_changes_none(
    postgres: Server, database: Database
) -> None:
    """It serves under a role that may not."""
    postgres.execute("DROP ROLE IF EXISTS clerk")
    postgres.execute("CREATE ROLE clerk LOGIN")
    with psycopg.connect(database.url, autocommit=True) as owner:
        owner.execute("GRANT SELECT, INSERT, UPDATE ON stored_events TO clerk")
        owner.execute(
            "GRANT USAGE ON SEQUENCE stored_events_notification_id_seq TO clerk"
        )
    place = Database(database.url.replace("postgres:@", "clerk:@"))
    with Log(place, "hall-1") as held:
        held.append(FloorDay().entries)
    with pytest.raises(LogUnreadable, match=r"must be owner|permission denied"):
        migrate(place)
    assert list(read(place)) == FloorDay().entries


@pytest.mark.parametrize(
    "undo",
    [
        "ALTER TABLE stored_events DISABLE TRIGGER jiaohao_no_holes",
        "ALTER TABLE stored_events DISABLE TRIGGER ALL",
        "DROP TRIGGER jiaohao_no_truncate ON stored_events",
    ],
)
def test_a_hall_does_not_open_on_tables_without_their_guards(
    database: Database, undo: str
) -> None:
    with psycopg.connect(database.url, autocommit=True) as owner:
        owner.execute(undo)
    with pytest.raises(LogUnreadable, match="migrate"):
        Log(database, "hall-1")
    migrate(database)
    Log(database, "hall-1").close()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("TRUNCATE stored_events", "never changed or removed"),
        (
            "INSERT INTO stored_events VALUES ('hall-1/2026-12-01', 1, 'x', 'y', 0)",
            "must follow the last one of the log",
        ),
        (
            "SET session_replication_role = replica; DELETE FROM stored_events",
            "never changed or removed",
        ),
        (
            "MERGE INTO stored_events USING (VALUES (1)) AS one ON true "
            "WHEN MATCHED THEN DELETE",
            "never changed or removed",
        ),
    ],
)
def test_the_database_refuses_what_only_it_could_do(
    database: Database, statement: str, why: str
) -> None:
    with Log(database, "hall-1") as held:
        held.append(FloorDay().entries)
    with (
        psycopg.connect(database.url, autocommit=True) as owner,
        pytest.raises(psycopg.IntegrityError, match=why),
    ):
        owner.execute(statement)
    assert list(read(database)) == FloorDay().entries


# ── Durable, whatever surrounds it ──────────────────────────────────────────

HOSTILE = {
    "PERSISTENCE_MODULE": "eventsourcing.popo",
    "MAPPER_TOPIC": "os:system",
    "APPLICATION_RECORDER_TOPIC": "eventsourcing.postgres:PostgresApplicationRecorder",
    "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
    "POSTGRES_SCHEMA": "elsewhere",
    "POSTGRES_HOST": "elsewhere",
    "POSTGRES_GET_PASSWORD_TOPIC": "os:system",
    "ORIGINATOR_ID_TYPE": "uuid",
    "CREATE_TABLE": "n",
    "COMPRESSOR_TOPIC": "zlib",
    "PGOPTIONS": "-c synchronous_commit=off "
    "-c default_transaction_isolation=serializable",
}


def test_a_hostile_environment_changes_nothing(
    postgres: Server, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do the preferences of the database itself."""
    name = empty_database.url.partition("?")[0].rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    for key, value in HOSTILE.items():
        for prefix in ("", "STORED_", "FACTLOG_", "LOG_"):
            monkeypatch.setenv(prefix + key, value)
    migrate(empty_database)
    with Log(empty_database, "hall-1") as held:
        held.append(FloorDay().entries)
        with held._writer._session.connection() as own:  # type: ignore[attr-defined]
            for setting, right in (
                ("synchronous_commit", "on"),
                ("transaction_isolation", "read committed"),
            ):
                (value,) = own.execute(f"SHOW {setting}").fetchone().values()
                assert value == right
    assert list(read(empty_database)) == FloorDay().entries
    with psycopg.connect(empty_database.url) as owner:
        names = owner.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'es\\_%'")
        assert names.fetchall() == [], "The function without the lock is not there."


def test_writers_take_turns_so_that_numbers_come_in_order_of_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another transaction may still commit a lower number, nobody commits."""
    monkeypatch.setattr("floor.storing.postgres.LOCK_TIMEOUT_S", 1)
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    with Log(database, "hall-1") as held, psycopg.connect(database.url) as other:
        other.execute(
            "INSERT INTO stored_events "
            "(originator_id, originator_version, topic, state) "
            "VALUES ('hall-2/2026-11-23', 1, 'x', 'y')"
        )
        with pytest.raises(LogFailed, match="lock timeout"):
            held.append(FloorDay().entries)
        other.rollback()
        held.append(FloorDay().entries)
    assert list(read(database)) == FloorDay().entries


# ── The fence ───────────────────────────────────────────────────────────────


def test_a_second_writer_hears_who_has_the_hall(database: Database) -> None:
    with Log(database, "hall-1") as held:
        with pytest.raises(LogInUse) as in_use:
            Log(database, "hall-1")
        sentence = str(in_use.value)
        assert f"backend {backend_of(held)}" in sentence
        assert f":{os.getpid()}" in sentence
        assert "大厅 hall-1 正由另一个进程写入" in sentence
        with Log(database, "hall-2"):
            pass  # Another hall is free.


def test_a_connection_that_was_lost_is_held_again_before_it_is_read(
    postgres: Server, database: Database
) -> None:
    with Log(database, "hall-1") as held:
        held.append(FloorDay().entries)
        end(postgres, backend_of(held))
        with pytest.raises(LogFailed):
            held.check()
        one = device_facts("hall-1", 0, 1)
        with pytest.raises(LogFailed):
            held.append(one)
        with pytest.raises(LogFailed):
            held.append(one)  # Not again by itself: the log must be read first.
        assert held.recent("hall-1", 2) == FloorDay().entries
        held.check()
        with pytest.raises(LogInUse):
            Log(database, "hall-1")
        held.append(one)
    assert list(read(database)) == FloorDay().entries + one


def test_who_lost_its_hall_to_another_must_end(
    postgres: Server, database: Database
) -> None:
    with Log(database, "hall-1") as before:
        end(postgres, backend_of(before))
        with Log(database, "hall-1") as after:
            one = device_facts("hall-1", 0, 1)
            with pytest.raises(LogFailed):
                before.append(one)
            with pytest.raises(LogLost, match=f"taken over.*:{os.getpid()}, backend"):
                before.recent("hall-1", 2)
            after.append(one)
    assert list(read(database)) == one


async def test_a_hall_that_was_taken_over_ends_without_being_asked(
    postgres: Server, database: Database
) -> None:
    """The turn of the day, every few seconds, looks whether the hall is still ours."""
    catalogue = load(SAMPLE)
    with Log(database, "hall-1") as held:
        async with at_work(held, catalogue, AT) as (hall, _):
            await hall.turn_day(AT)
            end(postgres, backend_of(held))
            with Log(database, "hall-1"):
                with pytest.raises(refusals.LogUnavailable):
                    await hall.turn_day(AT)
                assert isinstance(await hall.lost, LogLost)
                with pytest.raises(refusals.LogUnavailable):
                    await hall.do(commands.TakeTicket(item="zonghe"), AT)


async def test_a_hall_outlives_its_server_s_restart(
    postgres: Server, database: Database
) -> None:
    """Every connection ends, new ones are refused for a while; then all goes on."""
    name = database.url.partition("?")[0].rpartition("/")[2]
    take = commands.TakeTicket(item="zonghe")
    with Log(database, "hall-1") as held:
        async with at_work(held, load(SAMPLE), AT) as (hall, feed):
            await hall.do(take, AT)
            postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            end(postgres, backend_of(held))
            for _ in range(3):
                with pytest.raises((refusals.LogUnsure, refusals.LogUnavailable)):
                    await hall.do(take, AT)
            postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await hall.do(take, AT)
            assert list(feed.day.tickets) == ["A001", "A002"]
    assert [e.position for e in read(database)] == [1, 2, 3]


# ── A commit whose answer is lost ───────────────────────────────────────────


@contextmanager
def commits_that_wait(server: Server) -> Iterator[None]:
    """Each commit is durable here, and then waits for a copy that never answers."""
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.execute("SELECT pg_reload_conf()")
    try:
        until(lambda: server.execute("SHOW synchronous_standby_names") == [("nobody",)])
        yield
    finally:
        server.execute("ALTER SYSTEM RESET synchronous_standby_names")
        server.execute("SELECT pg_reload_conf()")
        until(lambda: server.execute("SHOW synchronous_standby_names") == [("",)])


async def test_a_commit_is_answered_by_the_log_when_its_own_answer_is_lost(
    postgres: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the connection after the rows are durable, before it says so."""
    tried: list[int] = []
    connection = Session.connection

    def counting(self: Session) -> Any:
        tried.append(self.pid)
        return connection(self)

    with Log(database, "hall-1") as held:
        async with at_work(held, load(SAMPLE), AT) as (hall, feed):
            monkeypatch.setattr(Session, "connection", counting)
            pid = backend_of(held)
            waits = (
                f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} "
                "AND wait_event = 'SyncRep'"
            )

            def cut() -> None:
                until(lambda: postgres.execute(waits))
                end(postgres, pid)

            with commits_that_wait(postgres), ThreadPoolExecutor(1) as pool:
                cutting = pool.submit(cut)
                take = commands.TakeTicket(command_id="once", item="zonghe")
                first = await hall.do(take, AT)
                cutting.result()
            again = await hall.do(take, AT)
            assert tried.count(pid) == 1, "The library would try ten times."
            assert again.repeated
            assert again.entry == first.entry
            assert list(feed.day.tickets) == ["A001"]
            assert backend_of(held) != pid
    assert [e.fact.command for e in read(database)] == ["", "once"]


async def test_a_write_that_was_cut_short_is_not_there_and_not_tried_again(
    postgres: Server, database: Database
) -> None:
    """The server ends the connection while the write waits for its turn."""
    with Log(database, "hall-1") as held:
        async with at_work(held, load(SAMPLE), AT) as (hall, feed):
            pid = backend_of(held)
            take = commands.TakeTicket(command_id="once", item="zonghe")
            with psycopg.connect(database.url) as other, ThreadPoolExecutor(1) as pool:
                other.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")

                def cut() -> None:
                    until(lambda: postgres.execute(WAITS_FOR_A_LOCK, pid))
                    end(postgres, pid)

                cutting = pool.submit(cut)
                with pytest.raises(refusals.LogUnavailable):
                    await hall.do(take, AT)
                cutting.result()
            assert not (await hall.do(take, AT)).repeated
            assert list(feed.day.tickets) == ["A001"]


def test_a_write_that_outlives_its_client_is_ended_before_the_log_is_read(
    postgres: Server, database: Database
) -> None:
    """Its client is cut off while it waits; it must not land after it was missed."""
    with Log(database, "hall-1") as held:
        held.append(FloorDay().entries)
        pid = backend_of(held)
        with psycopg.connect(database.url) as other, ThreadPoolExecutor(1) as pool:
            other.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            writing = pool.submit(held.append, device_facts("hall-1", 0, 1))
            until(lambda: postgres.execute(WAITS_FOR_A_LOCK, pid))
            cut_off(held)
            with pytest.raises(LogFailed):
                writing.result()
            assert postgres.execute(WAITS_FOR_A_LOCK, pid), "The server goes on."
            assert held.recent("hall-1", 2) == FloorDay().entries
            assert not postgres.execute(WAITS_FOR_A_LOCK, pid)
            other.rollback()
        assert list(read(database)) == FloorDay().entries


WAITS_FOR_A_LOCK = (
    "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
)


def cut_off(held: Log) -> None:
    """Break a writer's connection at our end, without a word to the server."""
    assert isinstance(held._writer, PostgresWriter)
    assert held._writer._session is not None
    with socket.socket(fileno=os.dup(held._writer._session.held.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


# ── Following from another process ──────────────────────────────────────────


class Tailing:
    """A reader of its own in a thread, until it has seen so many facts."""

    def __init__(self, place: Database, count: int, *, since: int = 0) -> None:
        self.seen: list[Entry] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._read, args=(place, count, since), daemon=True
        )
        self._thread.start()

    def _read(self, place: Database, count: int, since: int) -> None:
        try:
            for entry in tail(place, since=since):
                self.seen.append(entry)
                if len(self.seen) >= count:
                    return
        except BaseException as error:
            self.error = error

    def done(self) -> list[Entry]:
        self._thread.join(WAIT_S)
        assert self.error is None, self.error
        assert not self._thread.is_alive(), f"Only {len(self.seen)} facts came."
        return self.seen


def test_a_fact_between_the_pull_and_the_wait_rings(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever pulls first and listens then would wait for the next fact."""
    monkeypatch.setattr(log, "LOOK_AGAIN_S", 10 * WAIT_S)
    one = device_facts("hall-1", 0, 1)
    with Log(database, "hall-1") as held:
        pull = PostgresReader.page
        late = [one]

        def pulling(reader: PostgresReader, *words: Any) -> list[tuple[int, Row]]:
            rows = pull(reader, *words)
            if late:
                held.append(late.pop())
            return rows

        monkeypatch.setattr(PostgresReader, "page", pulling)
        assert Tailing(database, 1).done() == one


def test_a_fact_whose_ring_was_lost_is_found_within_a_second(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = PostgresBell.wait

    def deaf(bell: PostgresBell, wait_s: float) -> None:
        bell._connection.execute("UNLISTEN *")
        wait(bell, wait_s)

    monkeypatch.setattr(PostgresBell, "wait", deaf)
    one = device_facts("hall-1", 0, 2)
    with Log(database, "hall-1") as held:
        held.append(one[:1])
        tailing = Tailing(database, 2)
        until(lambda: tailing.seen)
        held.append(one[1:])
        assert tailing.done() == one


def test_a_tail_comes_back_when_its_connection_was_dropped(
    postgres: Server, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    three = device_facts("hall-1", 0, 3)
    listening = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'jiaohao tail'"
    )
    with Log(database, "hall-1") as held:
        held.append(three[:1])
        tailing = Tailing(database, 3)
        for number in (1, 2):
            until(lambda: len(tailing.seen) == number)  # noqa: B023
            assert postgres.execute(listening)
            held.append(three[number : number + 1])
        assert tailing.done() == three
    assert "cannot be used" in caplog.text


def test_a_tail_misses_nothing_of_four_halls_that_write_at_once(
    database: Database,
) -> None:
    halls, commits = [f"hall-{n}" for n in range(4)], 200

    def write(hall: str) -> None:
        position = 0
        with Log(database, hall) as held:
            for n in range(commits):
                group = device_facts(hall, position, 1 + n % 7)
                if n % 10 == 0:  # A failed one leaves a hole in the row numbers.
                    with pytest.raises(LogFailed):
                        held.append([*group, group[-1]])
                held.append(group)
                position += len(group)

    total = sum(1 + n % 7 for n in range(commits))
    tailing = Tailing(database, total * len(halls))
    with ThreadPoolExecutor(len(halls)) as pool:
        for writing in [pool.submit(write, hall) for hall in halls]:
            writing.result()
    seen = tailing.done()
    for hall in halls:
        positions = [e.position for e in seen if e.stream.startswith(f"{hall}/")]
        assert positions == list(range(1, total + 1))
    assert seen == list(read(database))


# ── Addresses and their passwords ───────────────────────────────────────────

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://u:s3cr3t@db/jiaohao", "postgresql://db/jiaohao"),
        ("postgres://u:s3cr3t@db:5433/jiaohao?x=1", "postgresql://db:5433/jiaohao"),
        ("postgresql://u:s3cr3t@db:1,db:2/j", "postgresql://db:1,db:2/j"),
        ("postgresql://u:s3cr3t@[::1]:1/j", "postgresql://[::1]:1/j"),
        ("postgresql:///j?host=/nowhere&password=s3cr3t", "postgresql:///j"),
        ("postgresql://u:s3cr3t%zz@db/j", "postgresql://db/j"),
        # Typed wrongly, nothing is shown: any part may be a piece of the password.
        ("postgresql://u:s3cr3t", None),
        ("postgresql://u:s3cr3t/x@db/j", None),
        ("postgresql://u:x?s3cr3t@db/j", None),
        ("postgresql://u:x@s3cr3t@db/j", None),
        ("postgresql://db/j?password=x@s3cr3t", None),
        ("postgresql://u:x#s3cr3t@db/j", None),
    ],
)
def test_a_password_is_never_shown(url: str, name: str | None) -> None:
    if name is not None:
        place = log.place_of(url)
        assert place.name == repr(place) == str(place) == name
    for command in (("digest",), ("migrate",), ("serve", "--dev"), ("tail",)):
        # Nobody listens at these addresses, or they are none.
        elsewhere = re.sub(r"(?<=[/@,])db(:\d+)?", "127.0.0.1:1", url)
        done = CliRunner().invoke(front.main, [*command, "--log", elsewhere])
        assert done.exit_code == 2, done.output
        assert SECRET not in done.output
        assert "postgresql://" in done.output


def test_what_the_server_says_of_a_login_names_no_password(database: Database) -> None:
    wrong = Database(database.url.replace("postgres:@", f"nobody:{SECRET}@"))
    with pytest.raises(LogUnreachable, match="nobody") as refused:
        list(read(wrong))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("words", ["mysql://u:s3cr3t@db/j", "sqlite:///s3cr3t"])
def test_another_kind_of_address_is_refused(words: str) -> None:
    done = CliRunner().invoke(front.main, ["digest", "--log", words])
    assert done.exit_code == 2
    assert "postgresql://" in done.output
    assert SECRET not in done.output
