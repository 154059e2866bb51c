"""The log keeps what it was given, all of it, for ever, and for one writer alone."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from eventsourcing.sqlite import SQLiteConnection

from floor import commands, facts
from floor.catalogue import load
from floor.day import advance, setup_stream_of
from floor.day import days as days_of
from floor.facts import Entry
from floor.follow import opened
from floor.hall import Draft
from floor.log import (
    PAGE_ROWS,
    Log,
    LogInUse,
    LogUnreadable,
    halls,
    read,
    read_last_day,
    read_last_days,
)
from floor.refusals import LogFailed, LogLost, LogUnavailable, LogUnsure
from floor.storing.sqlite import SQLite
from floor.storing.sqlite_writer import SQLiteWriter
from timeline import SAMPLE, FloorDay

ROOT = Path(__file__).parent.parent


def write(path: Path, lines: str, floor: FloorDay | None = None) -> FloorDay:
    """Write a timeline's facts as they are."""
    floor = (floor or FloorDay()).play(lines)
    with Log(path) as held:
        held.append(floor.entries)
    return floor


def connections(held: Log) -> Iterator[sqlite3.Connection]:
    """More than one connection of the log's own pool at once."""
    assert isinstance(held._writer, SQLiteWriter)
    assert held._writer.file.log is not None
    pool = held._writer.file.log.factory.datastore.pool  # type: ignore[attr-defined]
    taken: list[SQLiteConnection] = []
    try:
        for is_writer in (True, False, False, False):
            taken.append(pool.get_connection(is_writer=is_writer))
            yield taken[-1]._sqlite_conn
    finally:
        for connection in taken:
            pool.put_connection(connection)


# ── Durable ─────────────────────────────────────────────────────────────────


def test_every_connection_waits_for_the_disk(tmp_path: Path) -> None:
    with Log(tmp_path / "events.db") as held:
        seen = 0
        for connection in connections(held):
            assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            assert mode == "wal"
            seen += 1
        assert seen == 4


def test_a_connection_made_after_a_failure_waits_for_the_disk_too(
    tmp_path: Path,
) -> None:
    floor = FloorDay().play("09:00:00 takes zonghe")
    with Log(tmp_path / "events.db") as held:
        with pytest.raises(LogFailed):
            held.append(floor.entries[1:] * 2)
        held.append(floor.entries)
        for connection in connections(held):
            assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_what_was_appended_is_read_in_order_with_nothing_lost(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    floor = write(path, "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1")
    assert list(read(path)) == floor.entries
    for since in range(len(floor.entries) + 2):
        expected = [e for e in floor.entries if e.position > since]
        assert list(read(path, since=since)) == expected


def test_an_append_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    floor = FloorDay().play("09:00:00 takes zonghe\n09:00:01 takes zonghe")
    with Log(path) as held:
        held.append(floor.entries[:2])
        hole = msgspec.structs.replace(floor.entries[2], version=9)
        with pytest.raises(LogFailed):
            held.append([floor.entries[2], hole])
        assert list(read(path)) == floor.entries[:2]
        held.append(floor.entries[2:])
    assert list(read(path)) == floor.entries


def test_a_copy_of_the_files_is_the_log(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    floor = write(path, "09:00:00 takes zonghe")
    copy = tmp_path / "elsewhere" / "events.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    assert list(read(copy)) == floor.entries


# ── Never changed ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "INSERT INTO stored_events SELECT originator_id, 9, topic, state "
            "FROM stored_events WHERE originator_version = 2",
            "must follow the last one",
        ),
        (
            "INSERT INTO stored_events SELECT * FROM stored_events LIMIT 1",
            "must follow the last one",
        ),
        (
            "INSERT OR REPLACE INTO stored_events SELECT * FROM stored_events LIMIT 1",
            "must follow the last one",
        ),
        (
            "INSERT INTO stored_events VALUES ('hall-1/2026-11-30', 2, 'x', '{}')",
            "must follow the last one",
        ),
        (
            "INSERT INTO stored_events VALUES ('hall-1/2026-11-30', 0, 'x', '{}')",
            "must follow the last one",
        ),
        (
            "INSERT OR REPLACE INTO stored_events"
            "(rowid, originator_id, originator_version, topic, state) "
            "SELECT 1, originator_id, max(originator_version) + 1, topic, state "
            "FROM stored_events WHERE originator_id LIKE '%-23'",
            "never replaced",
        ),
        ("UPDATE stored_events SET state = '{}'", "never changed"),
        ("UPDATE stored_events SET rowid = rowid + 100", "never changed"),
        ("UPDATE OR REPLACE stored_events SET topic = topic", "never changed"),
        ("DELETE FROM stored_events WHERE rowid = 1", "never removed"),
        ("DELETE FROM stored_events", "never removed"),
    ],
)
def test_the_raw_file_refuses_to_be_changed(
    tmp_path: Path, statement: str, why: str
) -> None:
    path = tmp_path / "events.db"
    floor = write(path, "09:00:00 takes zonghe\n09:00:01 takes shebao")
    raw = sqlite3.connect(path, isolation_level=None)
    try:
        with pytest.raises(sqlite3.IntegrityError, match=why):
            raw.execute(statement)
    finally:
        raw.close()
    assert list(read(path)) == floor.entries


# ── One writer ──────────────────────────────────────────────────────────────


def test_a_second_writer_in_this_process_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with Log(path), pytest.raises(LogInUse) as in_use:
        Log(path)
    sentence = str(in_use.value)
    assert f"events.db 正由另一个进程写入（pid {os.getpid()}），请先停止它" in sentence
    assert f"another process (pid {os.getpid()}); stop it first" in sentence
    Log(path).close()


HOLD = """
import sys, time
from pathlib import Path
from floor.log import Log
held = Log(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(LogInUse, match=f"pid {first.pid}"):
            Log(path)
        # Refusing a second writer must not have freed the first one's lock.
        with pytest.raises(LogInUse, match=f"pid {first.pid}"):
            Log(path)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        write(path, "09:00:00 takes zonghe")
    finally:
        first.kill()
        first.wait(10)
        assert first.stdout is not None
        first.stdout.close()


def test_a_log_that_could_not_be_opened_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    for _ in range(2):
        with pytest.raises(LogUnreadable):
            Log(path)
    path.unlink()
    write(path, "09:00:00 takes zonghe")


# ── A disk that cannot be trusted ───────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "lost"),
    [
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, False),
        (sqlite3.SQLITE_LOCKED, False),
        (sqlite3.SQLITE_CANTOPEN, False),
        (sqlite3.SQLITE_CONSTRAINT_TRIGGER, False),
        (sqlite3.SQLITE_IOERR_SHMSIZE, False),
        (sqlite3.SQLITE_IOERR, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_IOERR_FSYNC, True),
        (sqlite3.SQLITE_CORRUPT, True),
    ],
)
def test_after_some_errors_the_file_is_not_touched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, lost: bool
) -> None:
    path = tmp_path / "events.db"
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    floor = FloorDay().play("09:00:00 takes zonghe")
    commit = SQLiteConnection.commit
    faults = [error]

    def failing(self: SQLiteConnection) -> None:
        if faults:
            raise faults.pop()
        commit(self)

    with Log(path, "hall-1") as one, Log(path, "hall-2") as other:
        one.append(floor.entries[:1])
        monkeypatch.setattr(SQLiteConnection, "commit", failing)
        with pytest.raises(LogFailed) as failed:
            one.append(floor.entries[1:])
        assert isinstance(failed.value, LogLost) == lost
        if lost:
            for held in (one, other):  # It is one file, so it is lost for both.
                with pytest.raises(LogLost, match="请检查磁盘后重新启动"):
                    held.recent("hall-1", 2)
                with pytest.raises(LogLost):
                    held.append(floor.entries[1:])
        else:
            assert one.recent("hall-1", 2) == floor.entries[:1]
            one.append(floor.entries[1:])
    assert list(read(path)) == floor.entries[: 1 if lost else 2]


async def test_a_hall_on_a_lost_disk_refuses_all_and_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: SQLiteConnection) -> None:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    path = tmp_path / "events.db"
    at = FloorDay().at("09:00:00")
    take = commands.TakeTicket(item="zonghe")
    async with opened(path, load(SAMPLE), at) as (hall, feed):
        await hall.do(take, at)
        monkeypatch.setattr(SQLiteConnection, "commit", broken)
        pressed = [hall.do(take, at) for _ in range(600)]  # More than one group.
        answers = await asyncio.gather(*pressed, return_exceptions=True)
        assert all(isinstance(a, LogUnavailable | LogUnsure) for a in answers)
        assert "磁盘" in (await hall.lost).message["zh"]
        monkeypatch.undo()
        with pytest.raises(LogUnavailable):  # Also when the disk is well again.
            await hall.do(take, at)
        assert list(feed.day.tickets) == ["A001"]
    assert [entry.position for entry in read(path)] == [1, 2]


@pytest.mark.impossible
def test_halls_of_one_process_take_turns_and_never_meet_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what fails for one of them disturb another."""
    monkeypatch.setattr("floor.storing.sqlite_writer.LOCK_TIMEOUT_S", 0)
    path = tmp_path / "events.db"
    halls_, commits = [f"hall-{n}" for n in range(4)], 60
    at = FloorDay().at("09:00:00")

    def work(hall: str) -> None:
        with Log(path, hall) as held:
            for n in range(1, commits + 1):
                fact = facts.DeviceLost(at=at, position=n, device="led")
                entry = Entry(f"{hall}/2026-11-23", n, fact)
                if n % 3 == 0:  # One that fails closes what the others write with.
                    with pytest.raises(LogFailed, match="must follow"):
                        held.append([entry, entry])
                held.append([entry])

    with Log(path, "setup"), ThreadPoolExecutor(4) as pool:
        for working in [pool.submit(work, hall) for hall in halls_]:
            working.result()
    for hall in halls_:
        positions = [entry.position for entry in read(path, hall=hall)]
        assert positions == list(range(1, commits + 1))


def test_one_process_holds_a_hall_once_and_the_whole_file_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.db"
    with Log(path, "hall-1"), Log(path, "hall-2"):
        for hall in ("hall-1", "hall-2", None):
            with pytest.raises(LogInUse):
                Log(path, hall)
    with Log(path), pytest.raises(LogInUse):
        Log(path, "hall-1")
    Log(path).close()


def test_a_tail_in_another_process_hears_of_each_fact(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    floor = FloorDay().play("09:00:00 takes zonghe\n09:00:01 takes zonghe")
    with Log(path, "hall-1") as held:
        held.append(floor.entries[:1])
        words = ["main.py", "tail", "--log", str(path)]
        reader = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        try:
            assert reader.stdout is not None
            for entry in floor.entries:
                if entry.position > 1:
                    held.append([entry])
                line = json.loads(reader.stdout.readline())
                assert line["position"] == entry.position
                assert line["fact"] == entry.topic
                assert line["stream"] == entry.stream
        finally:
            reader.send_signal(signal.SIGINT)
            reader.wait(20)
            assert reader.stdout is not None
            reader.stdout.close()
        assert reader.returncode == 0


# ── Nothing outside can bend it ─────────────────────────────────────────────

HOSTILE = {
    "PERSISTENCE_MODULE": "eventsourcing.popo",
    "INFRASTRUCTURE_FACTORY": "eventsourcing.popo:POPOFactory",
    "APPLICATION_RECORDER_TOPIC": "eventsourcing.sqlite:SQLiteApplicationRecorder",
    "AGGREGATE_RECORDER_TOPIC": "eventsourcing.sqlite:SQLiteAggregateRecorder",
    "MAPPER_TOPIC": "os:system",
    "TRANSCODER_TOPIC": "os:system",
    "SQLITE_DBNAME": ":memory:",
    "SQLITE_LOCK_TIMEOUT": "600",
    "ORIGINATOR_ID_TYPE": "uuid",
    "CREATE_TABLE": "n",
    "CIPHER_TOPIC": "eventsourcing.cipher:AESCipher",
    "CIPHER_KEY": "x",
    "COMPRESSOR_TOPIC": "zlib",
    "IS_SNAPSHOTTING_ENABLED": "y",
}


def test_a_hostile_environment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain.db"
    floor = write(plain, "09:00:00 opens 1\n09:00:01 takes zonghe")
    for name, value in HOSTILE.items():
        for prefix in ("", "_LOG_", "LOG_", "APPLICATION_"):
            monkeypatch.setenv(prefix + name, value)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "events.db"
    with Log(path) as held:
        for connection in connections(held):
            assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
            name = connection.execute("PRAGMA database_list").fetchone()[2]
            assert Path(name) == path
        held.append(floor.entries)
    assert list(read(path)) == floor.entries
    assert _schema(path) == _schema(plain)
    assert {p.name for p in tmp_path.iterdir()} <= {
        name + end
        for name in ("plain.db", "events.db")
        for end in ("", ".lock", "-wal", "-shm")
    }


def _schema(path: Path) -> list[tuple[str, str]]:
    raw = sqlite3.connect(path)
    try:
        return raw.execute("SELECT name, sql FROM sqlite_master ORDER BY 1").fetchall()
    finally:
        raw.close()


def test_a_name_that_sqlite_would_take_for_memory_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    floor = write(Path("file:events.db"), "09:00:00 takes zonghe")
    assert (tmp_path / "file:events.db").stat().st_size > 0
    assert list(read(Path("file:events.db"))) == floor.entries


# ── Reading ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 999, b"SQLite format 3\0"])
def test_what_is_not_a_log_gets_a_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "events.db"
    if content is not None:
        path.write_bytes(content)
    readings = (
        lambda: list(read(path)),
        lambda: read_last_day(path, "hall-1"),
        lambda: halls(path),
    )
    for reading in readings:
        with pytest.raises(LogUnreadable, match=r"events\.db.* / .*events\.db"):
            reading()
    assert path.exists() == (content is not None)
    with pytest.raises(LogUnreadable, match="没有日志文件"):
        list(read(tmp_path))


def test_a_folder_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LogUnreadable, match=r"absent|events\.db"):
        Log(tmp_path / "absent" / "events.db")


def test_a_start_reads_the_last_days_and_every_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    floor = write(
        path,
        """09:00:00 takes zonghe
        +1 09:00:00 takes zonghe
        +1 09:00:01 takes shebao
        +3 09:00:00 takes zonghe
        +3 09:00:01 opens 1
        +3 09:00:02 calls 1""",
    )
    whole = list(read(path))
    setup = setup_stream_of("hall-1")
    for days, streams in (
        (1, {setup, "hall-1/2026-11-26"}),
        (2, {setup, "hall-1/2026-11-26", "hall-1/2026-11-24"}),
        (9, {entry.stream for entry in whole}),
    ):
        filtered = [entry for entry in whole if entry.stream in streams]
        assert read_last_days(path, "hall-1", days) == filtered
    assert read_last_day(path, "hall-1") == read_last_days(path, "hall-1", 1)
    day = None
    for entry in read_last_day(path, "hall-1"):
        day = advance(day, entry)
    assert day is not None
    assert day.digest() == floor.day.digest()
    assert [each.version for each in days_of(read(path))] == [1, 2, 3]
    assert read_last_day(path, "hall-2") == []
    assert read_last_day(path, "hall") == []
    assert read_last_day(path, "*") == []


def test_a_log_of_two_halls_is_read_for_each(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    one = load(SAMPLE)
    other = msgspec.structs.replace(one, hall="hall-2")
    at = FloorDay().at("09:00:00")
    take = commands.TakeTicket(item="zonghe")
    with Log(path) as held:
        for catalogue in (one, other, one):
            draft = Draft(held, catalogue)
            draft.open(at)
            draft.decide(take, at)
            draft.commit()
    assert halls(path) == ["hall-1", "hall-2"]
    for hall, taken in (("hall-1", 2), ("hall-2", 1)):
        entries = list(read(path, hall=hall))
        assert {entry.stream.partition("/")[0] for entry in entries} == {hall}
        positions = [entry.position for entry in entries]
        assert positions == list(range(1, taken + 2))
        assert list(read(path, hall=hall, since=1)) == entries[1:]
        assert read_last_day(path, hall) == entries


def test_a_long_log_is_read_in_pages_without_gap_or_repeat(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    catalogue = load(SAMPLE)
    at = FloorDay().at("09:00:00")
    with Log(path) as held:
        draft = Draft(held, catalogue)
        draft.open(at)
        for _ in range(2 * PAGE_ROWS + 5):
            draft.decide(commands.TakeTicket(item="zonghe"), at)
        draft.commit()
        reading = read(path, since=7)
        assert next(reading).position == 8
        # A reader that pauses holds no transaction: the log can be emptied into
        # the database, and written.
        draft.decide(commands.TakeTicket(item="zonghe"), at)
        draft.commit()
        raw = sqlite3.connect(path, isolation_level=None)
        busy, pages, moved = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        raw.close()
        assert (busy, pages - moved) == (0, 0)
        rest = [entry.position for entry in reading]
    assert rest == list(range(9, 2 * PAGE_ROWS + 8))


def test_a_reader_cannot_write_and_needs_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    write(path, "09:00:00 takes zonghe")
    with pytest.raises(LogUnreadable, match="readonly"), SQLite(path).read() as reader:
        reader.connection.execute("DELETE FROM stored_events")
    blocker = sqlite3.connect(path, isolation_level=None)
    try:
        blocker.execute("BEGIN IMMEDIATE")
        assert len(list(read(path))) == 2
    finally:
        blocker.close()


# ── Days that turn, as the writer leaves them ───────────────────────────────


def test_rows_are_numbered_as_positions(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    write(path, "09:00:00 takes zonghe\n+1 09:00:00 takes zonghe")
    raw = sqlite3.connect(path)
    rows = raw.execute(
        "SELECT rowid, json_extract(state, '$.position') FROM stored_events"
    ).fetchall()
    raw.close()
    assert rows == [(n, n) for n in range(1, 4)]


def test_a_closed_log_fails_clearly_when_written(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    held = Log(path)
    held.close()
    fact = facts.DeviceLost(at=FloorDay().at("09:00:00"), position=1, device="led")
    with pytest.raises(LogFailed, match="closed"):
        held.append([Entry("hall-1/2026-11-23", 1, fact)])
    assert list(read(path)) == []
    held.close()
