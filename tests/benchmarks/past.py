"""A long past of a hall, written straight into its log with the real encoder."""

import itertools
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from floor import commands, facts
from floor.catalogue import load
from floor.commands import Command
from floor.facts import Entry
from floor.hall import Draft
from floor.log import Log
from floor.streams import stream_of
from timeline import SAMPLE

#: 09:00 in the hall, on a Monday.
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DAY_FACTS = 17_500  # 3,000 tickets; what a large hall writes on a day.


def a_day(windows: int = 19) -> Iterator[Command]:
    """Commands without end: tickets are taken, called, served and finished."""
    staffed = load(SAMPLE).windows[:windows]
    for window in staffed:
        yield commands.OpenWindow(window=window.id, clerk=f"c{window.id}")
    for turn in itertools.count():
        window = staffed[turn % len(staffed)]
        yield commands.TakeTicket(item=window.items[0])
        yield commands.CallNext(window=window.id)
        yield commands.StartService(window=window.id)
        yield commands.FinishService(window=window.id)


def write_past(path: Path, past: int, today: int) -> None:
    """So many facts on the days before `AT`, and so many on its day.

    Before them stands the catalogue; days have `DAY_FACTS`, the earliest has the rest.
    """
    days = -(-past // DAY_FACTS)
    first_at = AT - timedelta(days=days)
    with Log(path) as held:
        draft = Draft(held, load(SAMPLE))
        draft.open(first_at)
        draft.commit()
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA synchronous=OFF")
    position = 1
    told = list(_facts_of_a_day(max(min(past, DAY_FACTS), today, 1)))
    for back in range(days, -1, -1):
        count = today if back == 0 else min(DAY_FACTS, past - (days - back) * DAY_FACTS)
        at = AT - timedelta(days=back)
        stream = stream_of("hall-1", at.date())
        raw.execute("BEGIN")
        raw.executemany(
            "INSERT INTO stored_events VALUES (?,?,?,?)",
            (
                (stream, version, type(fact).__name__, facts.encode(fact))
                for version, fact in enumerate(
                    _moved(told[:count], timedelta(days=back), position), 1
                )
            ),
        )
        raw.execute("COMMIT")
        position += count
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()


def _facts_of_a_day(count: int) -> Iterator[facts.Fact]:
    """What the rules make of a day's commands, a second apart at most."""
    draft = Draft(_NoLog(), load(SAMPLE))  # type: ignore[arg-type]
    draft.open(AT)
    step = min(timedelta(seconds=1), timedelta(hours=9) / count)
    for turn, command in enumerate(itertools.islice(a_day(), count)):
        yield draft.decide(command, AT + turn * step).entry.fact


def _moved(
    told: list[facts.Fact], back: timedelta, position: int
) -> Iterator[facts.Fact]:
    """The same facts some days earlier, with ids of their own."""
    for number, fact in enumerate(told, position + 1):
        yield msgspec.structs.replace(
            fact, at=fact.at - back, position=number, command=f"past-{number}"
        )


class _NoLog:
    """Nothing is read and nothing written."""

    def recent(self, hall: str, days: int) -> list[Entry]:
        return []
