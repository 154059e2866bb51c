"""The writer and its log next to bare sqlite3 with the same durability.

Ours and the limit take turns within a run, so that a noisy neighbour meets both.
"""

import asyncio
import itertools
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from figures import show, spread
from floor import commands
from floor.catalogue import Catalogue, Item, Window, load
from floor.commands import Command
from floor.follow import opened
from floor.hall import Hall
from floor.thread import LogThread
from timeline import SAMPLE

COMMANDS = 1_000
CLIENTS = 40
PRESSES = 10  # Of each client between two measurements of the limit.
TURNS = 25
IN_MEMORY = Path("/dev/shm")
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
    """Press to durable answer, one at a time, next to the bare transaction."""
    ours: list[float] = []
    limit: list[float] = []
    connection = bare(tmp_path / "bare.sqlite")
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
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {p50 - bare50:.2f} ms beyond the disk",
        f"bare sqlite3 p50 {bare50:.2f} ms, p99 {bare99:.2f} ms",
        bare50 / p50,
        0.85,
    )


async def test_group_commit_with_40_clients(tmp_path: Path) -> None:
    """40 clients press without pause; the limit commits 40 rows a transaction."""
    ours: list[float] = []
    limit: list[float] = []
    connection = bare(tmp_path / "bare.sqlite")
    versions = itertools.count()
    async with opened(tmp_path / "events.db", load(SAMPLE), AT) as (hall, feed):
        taking = commands.TakeTicket(item="zonghe")
        for _ in range(TURNS):
            start = time.perf_counter()
            await pressing(hall, [taking] * PRESSES * CLIENTS)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            for _ in range(PRESSES):
                insert(connection, next(versions), CLIENTS)
            limit.append(time.perf_counter() - start)
        assert feed.position == 1 + TURNS * PRESSES * CLIENTS
    connection.close()
    rows = PRESSES * CLIENTS
    ours_s, limit_s = statistics.median(ours), statistics.median(limit)
    show(
        "group commit at FULL, 40 clients",
        f"{rows / ours_s:,.0f} commands/s",
        f"bare sqlite3, 40 rows a transaction {rows / limit_s:,.0f} rows/s",
        limit_s / ours_s,
        0.5,
    )


async def pressing(hall: Hall, pile: Sequence[Command]) -> None:
    """40 clients carry out what lies on a pile, each as soon as it is answered."""
    left = iter(pile)

    async def press() -> None:
        for command in left:
            await hall.do(command, AT)

    await asyncio.gather(*(press() for _ in range(CLIENTS)))


async def test_40_windows_press_at_once(tmp_path: Path) -> None:
    """All are answered, each with a ticket of its own; how long the last waits."""
    ours: list[float] = []
    limit: list[float] = []
    connection = bare(tmp_path / "bare.sqlite")
    async with opened(tmp_path / "events.db", one_line(), AT) as (hall, _):
        for id in range(CLIENTS):
            await hall.do(commands.OpenWindow(window=f"{id}", clerk=f"c{id}"), AT)

        async def press(id: int) -> str:
            start = time.perf_counter()
            done = await hall.do(commands.CallNext(window=f"{id}"), AT)
            ours.append(time.perf_counter() - start)
            return str(getattr(done.entry.fact, "ticket", ""))

        for turn in range(TURNS):
            await pressing(hall, [commands.TakeTicket(item="zonghe")] * CLIENTS)
            called = await asyncio.gather(*(press(id) for id in range(CLIENTS)))
            assert len(set(called)) == CLIENTS
            for word in (commands.StartService, commands.FinishService):
                windows = [word(window=f"{id}") for id in range(CLIENTS)]
                await asyncio.gather(*(hall.do(word, AT) for word in windows))
            for row in range(8):
                start = time.perf_counter()
                insert(connection, turn * 8 + row)
                limit.append(time.perf_counter() - start)
    connection.close()
    p50, p99 = spread(ours)
    bare50, bare99 = spread(limit)
    show(
        "40 windows press at once",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        f"one bare FULL commit p50 {bare50:.2f} ms, p99 {bare99:.2f} ms; "
        f"our p99 is {p99 / bare50:.1f} x its p50 and {p99 / bare99:.1f} x its p99",
        bare99 / p99,
        0.2,
    )


def one_line() -> Catalogue:
    """40 windows that all handle the same item."""
    item = Item(id="zonghe", name="综合", name_en="General", prefix="A")
    windows = tuple(
        Window(id=f"{id}", name="综", name_en="G", department="局", items=("zonghe",))
        for id in range(CLIENTS)
    )
    return Catalogue(
        hall="rush", name="大厅", name_en="Hall", items=(item,), windows=windows
    )


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder on a file system in memory."""
    if not IN_MEMORY.is_dir():
        pytest.skip("no file system in memory here")
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder)


@pytest.mark.parametrize("clients", [1, CLIENTS])
async def test_cpu_of_a_command(in_memory: Path, clients: int) -> None:
    """Processor time on a file system in memory, where the disk costs nothing."""
    ours: list[float] = []
    limit: list[float] = []
    hop: list[float] = []
    connection = bare(in_memory / "bare.sqlite")
    versions = itertools.count()
    story = a_day()
    async with opened(in_memory / "events.db", load(SAMPLE), AT) as (hall, _):
        while len(ours) < TURNS:
            pile = list(itertools.islice(story, 400))
            ours.append(await cpu(in_groups(hall, pile, clients)))
            limit.append(await cpu(bare_groups(connection, versions, 400, clients)))
            hop.append(await cpu(hops(400 // clients)))
    connection.close()
    ours_us, limit_us, hop_us = (
        statistics.median(seconds) / 400 * 1e6 for seconds in (ours, limit, hop)
    )
    show(
        f"processor time of a command in memory, {clients} at once",
        f"{ours_us:.1f} us (goal 40)",
        f"bare sqlite3 {limit_us:.1f} us, and {hop_us:.1f} us to a thread and back",
        limit_us / ours_us,
    )


async def cpu(job: Awaitable[None]) -> float:
    """Processor seconds of this process, in all its threads."""
    start = time.process_time()
    await job
    return time.process_time() - start


async def in_groups(hall: Hall, pile: list[Command], clients: int) -> None:
    """So many different commands at once, in the order of the day."""
    for first in range(0, len(pile), clients):
        group = pile[first : first + clients]
        if clients == 1:
            await hall.do(group[0], AT)
        else:
            await asyncio.gather(*(hall.do(command, AT) for command in group))


async def bare_groups(
    connection: sqlite3.Connection, versions: Iterator[int], rows: int, group: int
) -> None:
    for _ in range(rows // group):
        insert(connection, next(versions), group)


async def hops(times: int) -> None:
    """Nothing but waking a thread and being woken by it."""
    thread = LogThread()
    for _ in range(times):
        await thread.do(lambda: None)
    thread.end()
