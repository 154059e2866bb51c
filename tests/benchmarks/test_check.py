"""The check of a log next to reading its rows and nothing else.

JIAOHAO_FACTS says how many facts; a year of a large hall are 4,400,000.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from crowd import POLICIES, Crowd
from figures import show
from floor import facts, log
from floor.checking import rows, whole
from floor.facts import Entry

FACTS = int(os.environ.get("JIAOHAO_FACTS", "120000"))
PRESSES = 18_000  # Some 12,000 facts: a large hall's day.
STEP_MS = 4_000
PROCESSES = 2


def a_day() -> list[Entry]:
    """A day of six busy windows, by the real rules, without the catalogue."""
    crowd = Crowd(1, POLICIES[0])
    crowd.day(PRESSES, step_ms=STEP_MS, calm=True)
    crowd.draft.commit()
    return crowd.memory.entries


def the_same_again(entries: Sequence[Entry], days: int) -> list[Entry]:
    """A day's facts as those of a later day."""
    later = timedelta(days=days)
    told: list[Entry] = []
    for version, entry in enumerate(entries[1:], 1):
        fact = entry.fact
        words: dict[str, object] = {
            "at": fact.at + later,
            "position": fact.position + days * (len(entries) - 1),
            "command": fact.command and f"{fact.command[:27]}-{days:08d}",
        }
        if isinstance(fact, facts.OutageDeclared):
            words |= {"from_at": fact.from_at + later, "to_at": fact.to_at + later}
        new = msgspec.structs.replace(fact, **words)
        day = date.fromisoformat(entry.stream[-10:]) + later
        told.append(Entry(f"hall-1/{day}", version, new))
    return told


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("check") / "events.db"
    day = a_day()
    assert len({entry.stream for entry in day}) == 2, "A catalogue and one day."
    with log.Log(path) as held:
        held.append(day[:1])
        for days in range(-(-FACTS // len(day))):
            held.append(the_same_again(day, days))
    yield path
    path.unlink()


def test_check(recorded: Path) -> None:
    """All invariants, in this process and in two."""
    start = time.perf_counter()
    with closing(sqlite3.connect(recorded)) as file:
        count = sum(
            1
            for _ in file.execute(
                "SELECT originator_id, originator_version, topic, state "
                "FROM stored_events ORDER BY rowid"
            )
        )
    limit_s = time.perf_counter() - start
    limit = f"raw row reads {count / limit_s:,.0f} rows/s"
    for processes in (1, PROCESSES):
        start = time.perf_counter()
        worked = time.process_time()
        found = whole.check(recorded, processes)
        ours_s = time.perf_counter() - start
        worked = time.process_time() - worked
        assert found.violations == []
        assert found.rates.facts == count
        cpu = f", {worked / count * 1e6:.1f} us CPU a fact" if processes == 1 else ""
        show(
            f"check of {count:,} facts, {processes} process(es)",
            f"{count / ours_s:,.0f} facts/s ({ours_s:.1f} s{cpu})",
            limit,
            limit_s / ours_s,
        )


def test_check_decode_alone(recorded: Path) -> None:
    """What of the check is reading and decoding."""
    start = time.perf_counter()
    count = sum(1 for part in rows.parts(recorded) for _ in rows.read(part))
    ours_s = time.perf_counter() - start
    show(
        f"decoding of {count:,} facts",
        f"{count / ours_s:,.0f} facts/s",
        "the check can be no faster in one process",
        1.0,
    )
