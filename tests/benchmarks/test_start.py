"""How long until a hall goes on: replay of a day, restart in mid-day, after years."""

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from figures import show
from floor import commands, log
from floor.catalogue import load
from floor.day import days
from floor.follow import opened
from past import AT, DAY_FACTS, write_past
from timeline import SAMPLE

ROOT = Path(__file__).parent.parent.parent
TURNS = 7
#: A year of a large hall: BENCH_FACTS=4400000.
YEAR_FACTS = int(os.environ.get("BENCH_FACTS", "300000"))

RESTART = """
import time
began = time.perf_counter()
import asyncio, sys
from datetime import datetime
from pathlib import Path
from floor import commands
from floor.catalogue import load
from floor.follow import opened
imported, busy = time.perf_counter(), time.process_time()
at = datetime.fromisoformat(sys.argv[3])

async def main():
    async with opened(Path(sys.argv[1]), load(Path(sys.argv[2])), at) as (hall, feed):
        started = time.perf_counter()
        receipt = await hall.do(commands.TakeTicket(item="zonghe"), at)
        answered = time.perf_counter()
        print(time.monotonic(), imported - began, started - imported,
              answered - imported, time.process_time() - busy, receipt.entry.version)

asyncio.run(main())
"""


def rows_of(path: Path, stream: str) -> float:
    """Seconds that sqlite3 needs to read the rows of a stream, and nothing else."""
    connection = sqlite3.connect(path)
    start = time.perf_counter()
    for _ in connection.execute(
        "SELECT originator_id, originator_version, topic, state "
        "FROM stored_events WHERE originator_id GLOB ? ORDER BY rowid",
        (stream,),
    ):
        pass
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def test_replay(tmp_path: Path) -> None:
    """From the file to the state of the day, next to reading the rows alone."""
    path = tmp_path / "events.db"
    write_past(path, past=0, today=DAY_FACTS)
    ours: list[float] = []
    limit: list[float] = []
    for _ in range(TURNS):
        start = time.perf_counter()
        (day,) = days(log.read(path))
        ours.append(time.perf_counter() - start)
        limit.append(rows_of(path, "*"))
        assert day.position == DAY_FACTS + 1
    ours_s, limit_s = statistics.median(ours), statistics.median(limit)
    show(
        f"replay of a day, {DAY_FACTS:,} facts",
        f"{DAY_FACTS / ours_s:,.0f} facts/s ({ours_s * 1000:.0f} ms)",
        f"raw row reads {DAY_FACTS / limit_s:,.0f} rows/s ({limit_s * 1000:.0f} ms)",
        limit_s / ours_s,
        0.6,
    )


def test_restart_in_mid_day(tmp_path: Path) -> None:
    """A process that begins anew, with 20,000 facts of today and a day before it."""
    path = tmp_path / "events.db"
    today = 20_000
    write_past(path, past=DAY_FACTS, today=today)
    found: list[tuple[float, ...]] = []
    limit: list[float] = []
    for turn in range(TURNS):
        spawned = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", RESTART, str(path), str(SAMPLE), AT.isoformat()],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        until, *parts, version = map(float, done.stdout.split())
        found.append((until - spawned, *parts))
        assert int(version) > today + turn
        limit.append(rows_of(path, "hall-1/2026-11-23"))
    whole, imports, opening, answered, busy = map(
        statistics.median, zip(*found, strict=True)
    )
    limit_s = statistics.median(limit)
    show(
        f"restart in mid-day, {today:,} facts",
        f"{answered * 1000:.0f} ms after imports until the first answer (goal 300), "
        f"opening {opening * 1000:.0f} ms, processor {busy * 1000:.0f} ms; "
        f"imports {imports * 1000:.0f} ms, "
        f"the process in all {whole * 1000:.0f} ms",
        f"raw reads of today's rows {limit_s * 1000:.0f} ms",
        limit_s / answered,
    )


async def test_a_long_log_is_opened_by_its_last_days(tmp_path: Path) -> None:
    """Half a day of today after a year: opening reads the last days alone."""
    path = tmp_path / "events.db"
    today = DAY_FACTS // 2
    ours: dict[int, float] = {}
    for past in (DAY_FACTS, YEAR_FACTS):
        path.unlink(missing_ok=True)
        write_past(path, past, today)
        found: list[float] = []
        for _ in range(TURNS):
            start = time.perf_counter()
            async with opened(path, load(SAMPLE), AT) as (hall, feed):
                await hall.do(commands.TakeTicket(item="zonghe"), AT)
                found.append(time.perf_counter() - start)
                assert feed.position > past + today
        ours[past] = statistics.median(found)
    limit_s = rows_of(path, "hall-1/2026-11-23")
    show(
        f"opening a log of {YEAR_FACTS:,} facts, {path.stat().st_size / 1e6:,.0f} MB",
        f"{ours[YEAR_FACTS] * 1000:.0f} ms to the first answer (goal 500), "
        f"of {DAY_FACTS:,} facts {ours[DAY_FACTS] * 1000:.0f} ms",
        f"raw reads of today's rows {limit_s * 1000:.0f} ms",
        limit_s / ours[YEAR_FACTS],
    )
