"""One contract, two storages: a SQLite file and a real PostgreSQL server."""

import hashlib
import json
import sqlite3
import struct
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from click.testing import CliRunner

import main as front
from database import Server
from floor import commands, facts, refusals
from floor.catalogue import load
from floor.day import days
from floor.facts import Entry
from floor.follow import at_work, opened
from floor.hall import Draft, Hall
from floor.log import (
    Database,
    Log,
    LogFailed,
    LogInUse,
    Place,
    halls,
    migrate,
    read,
    read_catalogue,
    read_last_days,
    read_rows,
    storage_of,
)
from timeline import SAMPLE, VERBS, FloorDay

ONE = load(SAMPLE)
OTHER = msgspec.structs.replace(ONE, hall="hall-2")
AT = FloorDay().at("09:00:00")
MORNING = """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 takes shebao
    09:00:03 calls 1
    +1 09:00:00 takes zonghe
    +1 09:00:01 opens 1
    +1 09:00:02 calls 1
    +3 09:00:00 takes zonghe
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty log of each kind."""
    if request.param == "sqlite":
        return tmp_path / "events.db"
    made: Database = request.getfixturevalue("database")
    return made


def written(place: Place, lines: str = MORNING) -> FloorDay:
    """Write a timeline's facts as they are."""
    floor = FloorDay().play(lines)
    with Log(place, "hall-1") as held:
        held.append(floor.entries)
    return floor


def raw(place: Place, statement: str) -> Any:
    """A statement past our code, as anybody with a client could send it."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(place.url, autocommit=True) as server:
        ran = server.execute(statement)
        return ran.fetchall() if ran.description else None


def sha256_of(place: Place) -> str:
    """All rows in order of writing, each word with its length before it."""
    sum = hashlib.sha256()
    for row in read_rows(place):
        for word in (row.stream, str(row.version), row.topic):
            sum.update(struct.pack(">I", len(word.encode())) + word.encode())
        sum.update(struct.pack(">I", len(row.state)) + row.state)
    return sum.hexdigest()


def more(floor: FloorDay, count: int) -> list[Entry]:
    """Further tickets of the timeline's last day."""
    before = len(floor.entries)
    for _ in range(count):
        floor.do(commands.TakeTicket(item="zonghe"), floor.entries[-1].fact.at)
    return floor.entries[before:]


# ── What is acknowledged is stored ──────────────────────────────────────────


def test_what_was_appended_is_read_in_order_with_nothing_lost(place: Place) -> None:
    floor = FloorDay().play(MORNING)
    with Log(place, "hall-1") as held:
        for size, first in ((1, 0), (3, 1), (2, 4)):
            held.append(floor.entries[first : first + size])
            assert list(read(place)) == floor.entries[: first + size]
        held.append(floor.entries[6:])
    for since in range(len(floor.entries) + 2):
        expected = [entry for entry in floor.entries if entry.position > since]
        assert list(read(place, since=since)) == expected
        assert list(read(place, since=since, hall="hall-1")) == expected
    assert list(read(place, hall="hall")) == []
    versions: dict[str, list[int]] = {}
    for row in read_rows(place):
        versions.setdefault(row.stream, []).append(row.version)
    for numbers in versions.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_an_append_is_all_or_nothing(place: Place) -> None:
    floor = FloorDay().play(MORNING)
    hole = msgspec.structs.replace(floor.entries[3], version=9)
    with Log(place, "hall-1") as held:
        held.append(floor.entries[:2])
        for wrong in (
            [floor.entries[2], hole],
            [floor.entries[2], floor.entries[2]],
            [floor.entries[3], floor.entries[2]],
            floor.entries[:1],
        ):
            with pytest.raises(LogFailed):
                held.append(wrong)
            assert list(read(place)) == floor.entries[:2]
            assert held.recent("hall-1", 2) == floor.entries[:2]
        held.append(floor.entries[2:])
    assert list(read(place)) == floor.entries


def test_a_position_never_exceeds_its_row_number(place: Place) -> None:
    """Failed appends leave holes in PostgreSQL's numbers, never in positions."""
    floor = FloorDay().play(MORNING)
    with Log(place, "hall-1") as held:
        for entry in floor.entries:
            with pytest.raises(LogFailed):
                held.append([entry, entry])
            held.append([entry])
    with storage_of(place).read() as reader:
        numbered = reader.page("", "\U0010ffff", 0, 1_000)
    facts = list(read(place))
    assert [entry.position for entry in facts] == list(range(1, len(facts) + 1))
    for (number, row), entry in zip(numbered, facts, strict=True):
        assert entry.position <= number
        assert (row.stream, row.version) == (entry.stream, entry.version)
    if isinstance(place, Database):
        assert numbered[-1][0] > len(facts), "There was a hole to read past."
    for since in range(len(facts) + 1):
        assert [e.position for e in read(place, since=since)] == list(
            range(since + 1, len(facts) + 1)
        )


def test_a_start_reads_the_last_days_and_every_catalogue(place: Place) -> None:
    floor = written(place)
    for days_, dates in ((0, ()), (1, ("26",)), (2, ("24", "26"))):
        streams = {"hall-1/setup", *(f"hall-1/2026-11-{date}" for date in dates)}
        filtered = [entry for entry in floor.entries if entry.stream in streams]
        assert read_last_days(place, "hall-1", days_) == filtered
    assert read_last_days(place, "hall-1", 9) == floor.entries
    for nobody in ("hall-2", "hall", "*", "%", "hall-10"):
        assert read_last_days(place, nobody, 3) == []
    assert halls(place) == ["hall-1"]
    assert read_catalogue(place) == ONE


@pytest.mark.impossible
def test_a_start_reads_the_last_two_quarters_as_well(place: Place) -> None:
    """They stand between the days; only days are counted as days."""
    floor = FloorDay().play("09:00:00 takes zonghe\n+1 09:00:00 takes zonghe")
    setup, monday, tuesday = floor.entries
    quarters = [
        Entry(
            f"hall-1/{name}",
            1,
            facts.DeviceLost(at=AT, position=position, device="led"),
        )
        for position, name in enumerate(("2026-Q3", "2026-Q4", "2027-Q1"), 4)
    ]
    with Log(place, "hall-1") as held:
        held.append([setup, monday, tuesday])
        assert read_last_days(place, "hall-1", 1) == [setup, tuesday]
        for known in (quarters[:1], quarters[:2], quarters[1:]):
            if known[-1].position > read_last_days(place, "hall-1", 0)[-1].position:
                held.append(known[-1:])
            assert read_last_days(place, "hall-1", 0) == [setup, *known]
            assert read_last_days(place, "hall-1", 1) == [setup, tuesday, *known]
            assert read_last_days(place, "hall-1", 2) == [
                setup,
                monday,
                tuesday,
                *known,
            ]
    assert read_catalogue(place) == ONE


# ── The database itself refuses ─────────────────────────────────────────────

TODAY = "'hall-1/2026-11-23'"
INSERT = "INSERT INTO stored_events (originator_id, originator_version, topic, state) "


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (INSERT + f"VALUES ({TODAY}, 9, 'x', 'y')", "must follow the last one"),
        (INSERT + f"VALUES ({TODAY}, 4, 'x', 'y')", "must follow the last one"),
        (INSERT + f"VALUES ({TODAY}, 0, 'x', 'y')", "must follow the last one"),
        (INSERT + "VALUES ('hall-1/2026-12-01', 2, 'x', 'y')", "must follow"),
        (
            INSERT + f"VALUES ({TODAY}, 1, 'x', 'y') ON CONFLICT "
            "(originator_id, originator_version) DO UPDATE SET topic = 'x'",
            "must follow the last one|never changed",
        ),
        ("UPDATE stored_events SET topic = 'x'", "never changed"),
        ("UPDATE stored_events SET topic = topic WHERE 1 = 1", "never changed"),
        ("DELETE FROM stored_events WHERE originator_version = 1", "never .*removed"),
        ("DELETE FROM stored_events", "never .*removed"),
    ],
)
def test_the_database_refuses_holes_and_changes(
    place: Place, statement: str, why: str
) -> None:
    written(place)
    before = sha256_of(place)
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match=why):
        raw(place, statement)
    assert sha256_of(place) == before


# ── One writer a hall ───────────────────────────────────────────────────────


def test_a_hall_has_one_writer(place: Place) -> None:
    with Log(place, "hall-1") as held:
        for _ in range(2):
            with pytest.raises(LogInUse, match=r"请先停止它 / .*; stop it first"):
                Log(place, "hall-1")
        held.append(FloorDay().entries)
    with Log(place, "hall-1"):
        pass


def test_a_closed_log_fails_clearly_when_written(place: Place) -> None:
    held = Log(place, "hall-1")
    held.close()
    held.close()
    with pytest.raises(LogFailed, match="closed"):
        held.append(FloorDay().entries)
    assert list(read(place)) == []


def test_two_halls_share_a_log_and_know_nothing_of_each_other(place: Place) -> None:
    take = commands.TakeTicket(item="zonghe")
    with Log(place, "hall-1") as one, Log(place, "hall-2") as other:
        drafts = Draft(one, ONE), Draft(other, OTHER)
        for draft in drafts:
            draft.open(AT)
        for _ in range(3):
            for draft in drafts:
                draft.decide(take, AT)
                draft.commit()
        # One of them leaves; the other goes on.
        one.close()
        drafts[1].decide(take, AT)
        drafts[1].commit()
    assert halls(place) == ["hall-1", "hall-2"]
    for hall, count in (("hall-1", 4), ("hall-2", 5)):
        entries = list(read(place, hall=hall))
        assert [entry.position for entry in entries] == list(range(1, count + 1))
        assert {entry.stream.partition("/")[0] for entry in entries} == {hall}
        assert list(read(place, hall=hall, since=2)) == entries[2:]
        assert read_last_days(place, hall, 1) == entries
    assert len(list(read(place))) == 9


# ── The hall over both ──────────────────────────────────────────────────────


async def whole_day(place: Place) -> None:
    """A day of commands through the real writer, each with an id of its own."""
    async with opened(place, ONE, AT) as (hall, feed):
        for number, line in enumerate(DAY.strip().splitlines()):
            clock, verb, *rest = line.split()
            command = VERBS[verb](rest)
            named = msgspec.structs.replace(command, command_id=f"c{number}")
            await hall.do(named, FloorDay().at(clock))
        assert feed.day.digest() == list(days(read(place)))[-1].digest()


DAY = """
09:00:00 opens 1
09:00:00 opens 2
09:00:10 takes zonghe
09:00:20 takes zonghe
09:00:30 takes shebao
09:01:00 calls 1
09:01:30 starts 1
09:02:00 calls 2
09:02:10 recalls 2
09:02:40 no-show 2
09:09:00 finishes 1
09:09:05 invites 1
09:09:30 rates A001 satisfied
09:10:00 pauses 2 tea
09:20:00 resumes 2
17:00:00 closes-hall
"""


async def test_a_day_is_the_same_rows_in_either_storage(
    tmp_path: Path, database: Database
) -> None:
    path = tmp_path / "events.db"
    for place in (path, database):
        await whole_day(place)
    assert list(read_rows(path)) == list(read_rows(database))
    assert sha256_of(path) == sha256_of(database)
    assert [day.digest() for day in days(read(path))] == [
        day.digest() for day in days(read(database))
    ]
    assert len(list(read_rows(path))) == 17


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the next append fail, before or after its rows are durable."""
    faults: list[str] = []
    append = Log.append

    def faulty(held: Log, entries: Sequence[Entry]) -> None:
        fault = faults.pop() if faults else ""
        if fault == "before":
            raise LogFailed("injected before")
        append(held, entries)
        if fault == "after":
            raise LogFailed("injected after")

    monkeypatch.setattr(Log, "append", faulty)
    return faults.append


async def test_after_a_failure_memory_is_read_again(
    place: Place, failing: Callable[[str], None]
) -> None:
    with Log(place, "hall-1") as held:
        async with at_work(held, ONE, AT) as (hall, feed):
            taken = [await take(hall, "a")]
            failing("before")
            with pytest.raises(refusals.LogUnavailable):
                await take(hall, "b")
            failing("after")
            taken.append(await take(hall, "c"))
            taken.append(await take(hall, "b"))
            assert (await take(hall, "c"), len(feed.day.tickets)) == ("A002", 3)
    assert taken == ["A001", "A002", "A003"]
    assert [e.fact.command for e in read(place)][1:] == ["a", "c", "b"]


async def take(hall: Hall, id: str) -> str:
    command = commands.TakeTicket(command_id=id, item="zonghe")
    fact = (await hall.do(command, AT)).entry.fact
    assert isinstance(fact, facts.TicketTaken)
    return fact.ticket


def test_the_front_door_reads_a_log_wherever_it_lies(place: Place) -> None:
    floor = written(place)
    address = place.url if isinstance(place, Database) else str(place)

    def says(*words: str) -> str:
        done = CliRunner().invoke(front.main, words, env={"JIAOHAO_LOG": address})
        assert done.exit_code == 0, done.output
        return done.output

    digests = says("digest")
    assert digests == says("digest", "--log", address)
    assert digests.splitlines() == [
        f"{day.digest()}  {day.stream}" for day in days(floor.entries)
    ]
    windows = json.loads(says("score", "--format", "json"))["windows"]
    assert [window["window"] for window in windows] == [w.id for w in ONE.windows]
    assert place.name in says("migrate")


def test_making_the_tables_again_keeps_what_is_there(place: Place) -> None:
    floor = written(place)
    migrate(place)
    assert list(read(place)) == floor.entries
    with Log(place, "hall-1") as held:
        held.append(more(floor, 1))
    assert list(read(place)) == floor.entries


def test_the_server_is_a_real_one(postgres: Server) -> None:
    (version,) = postgres.execute("SHOW server_version_num")[0]
    assert int(version) >= 160_000
    assert postgres.execute("SHOW fsync") == [("on",)]
