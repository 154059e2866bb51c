"""The check of a whole log: in one go, or its days spread over processes."""

import gc
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from floor.checking import rows
from floor.checking.findings import Findings
from floor.checking.reading import Reading
from floor.facts import Entry
from floor.log import Place, read

# Parts that are under way or waiting for a free process: memory is bounded by them.
AHEAD_MAX = 4
# Below so many parts a second process costs more than it saves.
PARTS_ALONE = 2


def check_log(entries: Iterable[Entry]) -> Findings:
    """Check facts that are at hand, of one hall or of several, in order of writing."""
    readings: dict[str, Reading] = {}
    for entry in entries:
        hall = entry.stream.rpartition("/")[0]
        reading = readings.get(hall)
        if reading is None:
            reading = readings[hall] = Reading()
        reading.take(entry.stream, entry.version, entry.fact)
    findings = Findings()
    for reading in readings.values():
        findings.add(reading.finish())
    return findings


def check(path: Place, processes: int = 2) -> Findings:
    """Check a log, of a file a few days at a time; a hall may be at work on it.

    Args:
        path: the log.
        processes: how many work at once; a short log is checked in this one.

    Raises:
        LogUnreadable: the file is missing, is not a log, or a row cannot be read.
    """
    if not isinstance(path, Path):
        return check_log(read(path))
    parts = rows.parts(path)
    findings = Findings()
    alone = processes < 2 or len(parts) <= PARTS_ALONE
    for found in (
        map(_part, parts, _last(parts)) if alone else _spread(parts, processes)
    ):
        findings.add(found)
    return findings


def _part(part: rows.Part, last: bool) -> Findings:
    """One part, by itself; also what a process of the pool is asked for."""
    reading = Reading(rows.before(part))
    take = reading.take
    for stream, version, fact in rows.read(part):
        take(stream, version, fact)
    return reading.finish(goes_on=not last)


def _last(parts: list[rows.Part]) -> list[bool]:
    """Which parts end their hall's log."""
    following = [part.hall for part in parts[1:]]
    return [
        part.hall != after for part, after in zip(parts, [*following, ""], strict=True)
    ]


def _spread(parts: list[rows.Part], processes: int) -> Iterator[Findings]:
    """The findings of all parts in order, some parts at a time in other processes."""
    spawn = multiprocessing.get_context("spawn")  # A fork would copy open files.
    # What a part makes refers to nothing in a circle, so nobody need look for circles.
    with ProcessPoolExecutor(
        processes, mp_context=spawn, initializer=gc.disable
    ) as pool:
        jobs = zip(parts, _last(parts), strict=True)
        running: list[Future[Findings]] = [
            pool.submit(_part, part, last) for part, last in islice(jobs, AHEAD_MAX)
        ]
        try:
            while running:
                found = running.pop(0).result()
                for part, last in islice(jobs, 1):
                    running.append(pool.submit(_part, part, last))
                yield found
        finally:
            pool.shutdown(cancel_futures=True)
