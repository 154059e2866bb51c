"""The log's disk: room, the reserve for a full disk, and a small write-ahead log."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from crashing_disk import recording
from floor import api, door, refusals, upkeep
from floor.catalogue import load
from floor.commands import TakeTicket
from floor.follow import opened
from floor.hall import Hall, Receipt
from floor.log import Log, read
from floor.storing.sqlite_writer import CHECKPOINT_WAIT_MS, LOCK_TIMEOUT_S, SQLiteWriter
from floor.upkeep import BALLAST_BYTES, MB, SAY_AGAIN_AFTER, WAL_BYTES_MAX, Upkeep
from timeline import SAMPLE, FloorDay

ROOT = Path(__file__).parent.parent
NINE = FloorDay().at("09:00:00")
CATALOGUE = load(SAMPLE)
FACTS, CROWD = 20_000, 50


@asynccontextmanager
async def hall_at_work(path: Path) -> AsyncIterator[Hall]:
    async with opened(path, CATALOGUE, NINE) as (hall, _):
        yield hall


async def take(hall: Hall) -> Receipt:
    return await hall.do(TakeTicket(item="zonghe"), NINE)


def codes(care: Upkeep) -> list[str]:
    return [alarm.code for alarm in care.alarms]


class Disk:
    """How much room the tests say there is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 10_000 * MB
        monkeypatch.setattr(shutil, "disk_usage", self.usage)

    def usage(self, _: Path) -> "Usage":
        return Usage(100_000 * MB, 0, self.free)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


# ── Room ────────────────────────────────────────────────────────────────────


async def test_little_room_raises_the_alarm_and_more_room_ends_it(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with hall_at_work(tmp_path / "events.db") as hall:
        care = Upkeep(hall)
        await care.tend(NINE)
        assert codes(care) == []
        disk.free = 499 * MB
        await care.tend(NINE)
        assert codes(care) == ["DiskLow"]
        assert "只剩 499 MB" in care.alarms[0].zh
        assert "499 MB are free" in care.alarms[0].message["en"]
        assert "只剩 499 MB" in caplog.text
        disk.free = 500 * MB
        await care.tend(NINE)
        assert codes(care) == []


async def test_the_bound_is_the_operators(tmp_path: Path, disk: Disk) -> None:
    disk.free = 100 * MB
    async with hall_at_work(tmp_path / "events.db") as hall:
        care = Upkeep(hall, free_bytes_min=100 * MB)
        await care.tend(NINE)
        assert codes(care) == []
        disk.free -= 1
        await care.tend(NINE)
        assert codes(care) == ["DiskLow"]


async def test_an_alarm_is_said_again_but_not_all_the_time(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.free = 1 * MB

    def said() -> int:
        return sum("请清理" in record.message for record in caplog.records)

    async with hall_at_work(tmp_path / "events.db") as hall:
        care = Upkeep(hall)
        for second in range(0, 600, 5):
            await care.tend(NINE + timedelta(seconds=second))
        assert said() == 1
        await care.tend(NINE + SAY_AGAIN_AFTER)
        assert said() == 2
        await care.tend(NINE - timedelta(days=1))
        assert said() == 3, "A clock that was set back does not silence it."


async def test_a_disk_that_is_gone_is_an_alarm_and_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: Path) -> Usage:
        raise OSError(5, "Input/output error")

    async with hall_at_work(tmp_path / "events.db") as hall:
        care = Upkeep(hall)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", gone)
            await care.tend(NINE)
        assert codes(care) == ["DiskGone"]
        await take(hall)
        await care.tend(NINE)
        assert "DiskGone" not in codes(care)


async def test_a_bug_in_the_care_does_not_end_the_care(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upkeep, "TEND_EVERY_S", 0)
    tended = asyncio.Event()

    def clock() -> datetime:
        if "The upkeep broke" in caplog.text:
            tended.set()
            return NINE
        raise ZeroDivisionError

    async with hall_at_work(tmp_path / "events.db") as hall:
        running = asyncio.create_task(Upkeep(hall).run(clock))
        await tended.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_api_shows_the_alarms(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "TEND_EVERY_S", 0.01)
    disk.free = 7 * MB
    async with opened(tmp_path / "events.db", CATALOGUE, NINE) as (hall, feed):
        care = Upkeep(hall)
        floor = door.Floor(feed, hall, lambda: NINE, door.DevGate(), b"k", care)
        app = door.application(floor, api.routes(floor))
        async with (
            door.running(app, door.listen("127.0.0.1", 0)) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
        ):
            for _ in range(500):
                shown = (await http.get("/api/hall")).json()["alarms"]
                if shown:
                    break
                await asyncio.sleep(0.01)
    message = {
        "zh": "日志所在磁盘只剩 7 MB，请清理",
        "en": "Only 7 MB are free on the log's disk; make room",
    }
    assert shown == [{"code": "DiskLow", "message": message}]


# ── The reserve ─────────────────────────────────────────────────────────────


async def test_the_reserve_takes_up_its_size(tmp_path: Path) -> None:
    async with hall_at_work(tmp_path / "events.db") as hall:
        await Upkeep(hall).tend(NINE)
        ballast = (tmp_path / "events.db.ballast").stat()
        assert ballast.st_size == BALLAST_BYTES
        assert ballast.st_blocks * 512 >= BALLAST_BYTES


async def test_a_log_behind_a_link_is_looked_after_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "events.db").symlink_to(tmp_path / "big-disk" / "events.db")
    asked: list[Path] = []

    def usage(folder: Path) -> Usage:
        asked.append(folder)
        return Usage(0, 0, 10_000 * MB)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    async with hall_at_work(tmp_path / "events.db") as hall:
        await Upkeep(hall).tend(NINE)
    assert set(asked) == {tmp_path / "big-disk"}
    assert (tmp_path / "big-disk" / "events.db.ballast").exists()


async def test_no_reserve_is_made_where_it_would_fill_the_disk(
    tmp_path: Path, disk: Disk
) -> None:
    disk.free = 2 * BALLAST_BYTES
    async with hall_at_work(tmp_path / "events.db") as hall:
        care = Upkeep(hall)
        await care.tend(NINE)
        assert not (tmp_path / "events.db.ballast").exists()
        disk.free = 4 * BALLAST_BYTES
        await care.tend(NINE)
        assert (tmp_path / "events.db.ballast").exists()


async def test_a_reserve_that_cannot_be_made_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def over_quota(file: int, offset: int, size: int) -> None:
        os.ftruncate(file, size // 2)
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(os, "posix_fallocate", over_quota)
    async with hall_at_work(tmp_path / "events.db") as hall:
        await Upkeep(hall).tend(NINE)
        assert not (tmp_path / "events.db.ballast").exists()
        assert "quota" in caplog.text
        await take(hall)


async def test_on_a_full_disk_the_reserve_is_given_up_and_nobody_is_refused(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite's own writes fail for want of room, until the reserve is gone."""
    ballast = tmp_path / "events.db.ballast"
    with recording(tmp_path) as journal:
        async with hall_at_work(tmp_path / "events.db") as hall:
            care = Upkeep(hall)
            await care.tend(NINE)
            receipts = [await take(hall)]
            journal.room = lambda: not ballast.exists()
            disk.free = 0
            receipts += await asyncio.gather(*(take(hall) for _ in range(40)))
            assert not ballast.exists()
            assert "磁盘已满" in caplog.text
            await care.tend(NINE)
            assert codes(care) == ["DiskLow", "DiskFull"]

            journal.room = lambda: False  # The reserve is used up as well.
            for _ in range(3):
                with pytest.raises((refusals.LogUnavailable, refusals.LogUnsure)):
                    await take(hall)

            journal.room = lambda: True  # Somebody made room.
            disk.free = 10_000 * MB
            receipts.append(await take(hall))
            await care.tend(NINE)
            assert codes(care) == []
            assert ballast.exists()
        entries = list(read(tmp_path / "events.db"))
    assert entries[1:] == [receipt.entry for receipt in receipts]


async def test_another_failure_leaves_the_reserve_alone(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.db"
    monkeypatch.setattr("floor.storing.sqlite_writer.LOCK_TIMEOUT_S", 1)
    async with hall_at_work(path) as hall:
        await Upkeep(hall).tend(NINE)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises((refusals.LogUnavailable, refusals.LogUnsure)):
            await take(hall)
        other.close()
        assert (tmp_path / "events.db.ballast").exists()
        await take(hall)


TINY_DISK = """
import asyncio, json, os, sys
from pathlib import Path
from test_floor_upkeep import NINE, codes, hall_at_work, take
from floor.commands import CloseHall
from floor.log import read
from floor.refusals import LogUnavailable, LogUnsure
from floor.upkeep import MB, Upkeep

def fill(path):
    with path.open("ab", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass

async def main(folder):
    ballast = folder / "events.db.ballast"
    async with hall_at_work(folder / "events.db") as hall:
        care = Upkeep(hall, free_bytes_min=5 * MB, ballast_bytes=4 * MB)
        await care.tend(NINE)
        there = [ballast.exists()]
        receipts = [await take(hall)]
        fill(folder / "filler")
        free = os.statvfs(folder).f_bavail
        for _ in range(150):
            receipts.append(await take(hall))
        there.append(ballast.exists())
        await care.tend(NINE)
        full = codes(care)
        fill(folder / "filler")
        refused = 0
        for _ in range(3_000):  # More than fit into what SQLite has set aside.
            try:
                receipts.append(await take(hall))
            except (LogUnavailable, LogUnsure):
                refused += 1
                if refused == 5:
                    break
        (folder / "filler").unlink()
        receipts.append(await hall.do(CloseHall(), NINE))
        await care.tend(NINE)
        there.append(ballast.exists())
        after = codes(care)
    kept = [e.position for e in read(folder / "events.db")]
    said = [r.entry.position for r in receipts]
    sealed = said[-1] + 1  # Right after the closing.
    print(json.dumps([free, there, full, refused, after, kept == [1, *said, sealed]]))

asyncio.run(main(Path(sys.argv[1])))
"""


# Root may mount in a name space of its own; elsewhere a name space of users is needed.
UNSHARE = "unshare -m" if os.getuid() == 0 else "unshare -Urm"


@pytest.mark.skipif(
    os.environ.get("CI") != "true"
    and subprocess.run(
        ["sh", "-c", f"{UNSHARE} mount -t tmpfs -o size=1m none /mnt"],
        capture_output=True,
        check=False,
    ).returncode
    != 0,
    reason="No file system can be mounted here; the test above has no real one.",
)
def test_a_hall_on_a_disk_that_is_really_full_goes_on_as_long_as_it_can(
    tmp_path: Path,
) -> None:
    """A file system of 24 MB in a name space of its own, filled to the last byte."""
    script = tmp_path / "hall.py"
    script.write_text(TINY_DISK, encoding="utf-8")
    mounted = f"mount -t tmpfs -o size=24m none {tmp_path}/disk"
    (tmp_path / "disk").mkdir()
    ran = subprocess.run(
        [*UNSHARE.split(), "sh", "-c", f'{mounted} && exec "$@"', "sh",
         sys.executable, str(script), str(tmp_path / "disk")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    there = [True, False, True]
    expected = [0, there, ["DiskLow", "DiskFull"], 5, [], True]
    assert json.loads(ran.stdout) == expected, ran.stderr


# ── The write-ahead log ─────────────────────────────────────────────────────

READER = """
import sqlite3, sys
log = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
log.execute("BEGIN")
log.execute("SELECT COUNT(*) FROM stored_events").fetchone()
print("inside", flush=True)
sys.stdin.read()
"""


@contextmanager
def hanging_reader(path: Path) -> Iterator[int]:
    """A process that stays in a reading transaction; gives its pid."""
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline() == b"inside\n"
        yield reader.pid
    finally:
        reader.stdin.close()
        reader.wait(10)
        reader.stdout.close()


async def test_a_hanging_reader_is_told_of_and_the_log_shrinks_when_it_is_gone(
    tmp_path: Path, disk: Disk
) -> None:
    path, wal = tmp_path / "events.db", tmp_path / "events.db-wal"
    async with hall_at_work(path) as hall:
        care = Upkeep(hall)
        await take(hall)
        with hanging_reader(path) as pid:
            for _ in range(FACTS // CROWD):
                await asyncio.gather(*(take(hall) for _ in range(CROWD)))
            assert wal.stat().st_size > WAL_BYTES_MAX
            await care.tend(NINE)
            assert codes(care) == [], "It may be a backup, which goes by itself."
            statements = traced(hall)
            await care.tend(NINE)
            assert codes(care) == ["WalLarge"]
            if sys.platform == "linux":
                assert f"pid {pid}" in care.alarms[0].zh
            # Nothing that would wait for the reader, and the hall behind it, is tried.
            assert statements == ["PRAGMA wal_checkpoint(PASSIVE)"]
            await take(hall)
        await care.tend(NINE)
        assert codes(care) == []
        assert wal.stat().st_size == 0
        assert statements[-3:] == [
            f"PRAGMA busy_timeout={CHECKPOINT_WAIT_MS}",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            f"PRAGMA busy_timeout={LOCK_TIMEOUT_S * 1000}",
        ]
        await take(hall)
    assert sum(1 for _ in read(path)) == FACTS + 4


async def test_a_reader_who_is_up_to_date_is_waited_for_a_moment_only(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs nothing old, but the write-ahead log cannot be cut under its feet."""
    monkeypatch.setattr(upkeep, "WAL_BYTES_MAX", 10_000)
    path, wal = tmp_path / "events.db", tmp_path / "events.db-wal"
    async with hall_at_work(path) as hall:
        care = Upkeep(hall)
        await take(hall)
        with hanging_reader(path):
            statements = traced(hall)
            await care.tend(NINE)
            await take(hall)
            await care.tend(NINE)
            assert codes(care) == ["WalLarge"]
            assert "PRAGMA wal_checkpoint(TRUNCATE)" in statements
            await take(hall)
        await care.tend(NINE)
        assert codes(care) == []
        assert wal.stat().st_size == 0


async def test_a_small_write_ahead_log_is_left_in_peace(
    tmp_path: Path, disk: Disk
) -> None:
    async with hall_at_work(tmp_path / "events.db") as hall:
        await take(hall)
        statements = traced(hall)
        await Upkeep(hall).tend(NINE)
        assert statements == []


async def test_a_checkpoint_that_fails_does_not_hurt_the_hall(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "WAL_BYTES_MAX", 10_000)
    with recording(tmp_path) as journal:
        async with hall_at_work(tmp_path / "events.db") as hall:
            care = Upkeep(hall, ballast_bytes=0)
            await take(hall)
            journal.room = lambda: False
            await care.tend(NINE)
            journal.room = lambda: True
            await take(hall)
            await care.tend(NINE)
            assert codes(care) == []
        assert len(list(read(tmp_path / "events.db"))) == 3


def test_a_closed_log_has_nothing_to_checkpoint(tmp_path: Path) -> None:
    held = Log(tmp_path / "events.db")
    held.close()
    held.checkpoint()


def traced(hall: Hall) -> list[str]:
    """What the log's own connection is told from now on, but for its inserts."""
    writer = hall.log._writer
    assert isinstance(writer, SQLiteWriter)
    assert writer.file.log is not None
    pool = writer.file.log.factory.datastore.pool  # type: ignore[attr-defined]
    connection = pool.get_connection(is_writer=True)
    pool.put_connection(connection)
    statements: list[str] = []

    def note(statement: str) -> None:
        if statement.startswith("PRAGMA"):
            statements.append(statement)

    connection._sqlite_conn.set_trace_callback(note)
    return statements
