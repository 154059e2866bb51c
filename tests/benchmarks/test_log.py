"""The log next to bare sqlite3 with the same durability, in the same run."""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from figures import show, spread
from floor import commands, log
from floor.catalogue import load
from floor.commands import Command
from floor.day import days
from floor.follow import opened
from floor.hall import Draft
from timeline import SAMPLE

COMMANDS = 600
CLIENTS = 40
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def a_day(windows: int = 19) -> Iterator[Command]:
    """Commands without end: tickets are taken, called, served and finished."""
    catalogue = load(SAMPLE)
    staffed = catalogue.windows[:windows]
    for window in staffed:
        yield commands.OpenWindow(window=window.id, clerk=f"c{window.id}")
    for turn in itertools.count():
        window = staffed[turn % len(staffed)]
        yield commands.TakeTicket(item=window.items[0])
        yield commands.CallNext(window=window.id)
        yield commands.StartService(window=window.id)
        yield commands.FinishService(window=window.id)


def bare(path: Path) -> sqlite3.Connection:
    """sqlite3 alone: the same table, the same durability, no triggers."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER, "
        "topic TEXT, state BLOB, PRIMARY KEY (originator_id, originator_version))"
    )
    return connection


def insert(connection: sqlite3.Connection, version: int, rows: int = 1) -> None:
    state = b'{"at":"2026-11-23T01:00:00Z","position":1,"command":"' + b"x" * 90 + b'"}'
    connection.execute("BEGIN IMMEDIATE")
    for row in range(rows):
        connection.execute(
            "INSERT INTO stored_events VALUES (?,?,?,?)",
            ("hall-1/2026-11-23", version * rows + row, "TicketCalled", state),
        )
    connection.execute("COMMIT")


async def test_one_command_at_full(tmp_path: Path) -> None:
    """Press to durable answer, one at a time, interleaved with the bare transaction."""
    ours: list[float] = []
    limit: list[float] = []
    connection = bare(tmp_path / "bare.db")
    async with opened(tmp_path / "events.db", load(SAMPLE), AT) as (hall, _):
        for version, command in enumerate(itertools.islice(a_day(), COMMANDS)):
            start = time.perf_counter()
            await hall.do(command, AT)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            insert(connection, version)
            limit.append(time.perf_counter() - start)
    connection.close()
    p50, p99 = spread(ours)
    bare50, bare99 = spread(limit)
    show(
        "command at FULL, one client",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        f"bare sqlite3 p50 {bare50:.2f} ms, p99 {bare99:.2f} ms",
        bare50 / p50,
    )


async def test_group_commit_with_40_clients(tmp_path: Path) -> None:
    """40 clients press without pause; the limit commits 40 rows a transaction."""
    commands_all = list(itertools.islice(a_day(), 8_000))
    opens, rest = commands_all[:19], commands_all[19:]
    tickets = [c for c in rest if isinstance(c, commands.TakeTicket)]
    async with opened(tmp_path / "events.db", load(SAMPLE), AT) as (hall, feed):
        for command in opens:
            await hall.do(command, AT)
        pile = iter(tickets)

        async def press() -> None:
            for command in pile:
                await hall.do(command, AT)

        start = time.perf_counter()
        await asyncio.gather(*(press() for _ in range(CLIENTS)))
        ours_s = time.perf_counter() - start
        assert feed.position == 1 + len(opens) + len(tickets)
    connection = bare(tmp_path / "bare.db")
    batches = len(tickets) // CLIENTS
    start = time.perf_counter()
    for batch in range(batches):
        insert(connection, batch, CLIENTS)
    limit_s = time.perf_counter() - start
    connection.close()
    ours, limit = len(tickets) / ours_s, batches * CLIENTS / limit_s
    show(
        "group commit at FULL, 40 clients",
        f"{ours:,.0f} commands/s",
        f"bare sqlite3, 40 rows a transaction {limit:,.0f} rows/s",
        ours / limit,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full hall day: some 17,500 facts."""
    path = tmp_path_factory.mktemp("replay") / "events.db"
    with log.Log(path) as held:
        draft = Draft(held, load(SAMPLE))
        draft.open(AT)
        for second, command in enumerate(itertools.islice(a_day(), 17_500)):
            draft.decide(command, AT + timedelta(seconds=second))
            if second % 2_000 == 0:
                draft.commit()
        draft.commit()
    return path


def test_replay(recorded: Path) -> None:
    """From the file to the state of the day, next to reading the rows alone."""
    start = time.perf_counter()
    (day,) = days(log.read(recorded))
    ours_s = time.perf_counter() - start
    connection = sqlite3.connect(recorded)
    start = time.perf_counter()
    rows = sum(
        1
        for _ in connection.execute(
            "SELECT originator_id, originator_version, topic, state "
            "FROM stored_events ORDER BY rowid"
        )
    )
    limit_s = time.perf_counter() - start
    connection.close()
    assert rows == day.position
    show(
        f"replay of a day, {rows:,} facts",
        f"{rows / ours_s:,.0f} facts/s ({ours_s * 1000:.0f} ms)",
        f"raw row reads {rows / limit_s:,.0f} rows/s",
        limit_s / ours_s,
    )
