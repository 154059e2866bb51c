"""A log that keeps its rows in memory and fails in every way a disk does.

Rows are the bytes that the real log would hold. What is in `Disk.rows` is durable: it
outlives every process; anything else is not.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from floor import facts
from floor.facts import Entry
from floor.log import LogUnreadable
from floor.refusals import LogFailed
from floor.seals import StreamTree
from simulated_faults import Faults
from virtual_loop import Mortal

Note = Callable[..., None]
Wrong = Callable[[str], None]

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
QUARTER = re.compile(r"[0-9]{4}-Q[1-4]\Z")
QUARTERS_KNOWN = 2


class Row(msgspec.Struct, frozen=True):
    """A row as the log holds it; `entry` is what a reader makes of its bytes."""

    stream: str
    version: int
    topic: str
    state: bytes
    entry: Entry


class Disk:
    """What outlives every process: the rows of one hall.

    Args:
        faults: how it fails, at present.
        note, wrong: told of what happens, and of what a log must never be asked.
    """

    def __init__(
        self, chance: Random, faults: Callable[[], Faults], note: Note, wrong: Wrong
    ) -> None:
        self.rows: list[Row] = []
        self.full = False
        self.commits: set[int] = set()  # The last position of each.
        self._ends: dict[str, int] = {}
        self._chance = chance
        self._faults = faults
        self._note = note
        self._wrong = wrong

    @property
    def position(self) -> int:
        return len(self.rows)

    def lags(self) -> tuple[float, float]:
        """Seconds until a commit is on the disk, and until its writer knows."""
        faults, chance = self._faults(), self._chance.random
        scale = 0.002
        if chance() < faults.commit_slow:
            scale = 0.5
        if chance() < faults.commit_hangs:
            scale = 20.0
        return scale * (0.1 + chance()), scale * chance() * chance()

    def store(self, process: Mortal, entries: Sequence[Entry]) -> None:
        """Make rows durable, all or none, or fail as the seed wants it."""
        faults, chance = self._faults(), self._chance.random
        if self.full or chance() < faults.commit_fails:
            self._note("commit failed", len(entries))
            raise LogFailed("database or disk is full")
        if chance() < faults.commit_kills:
            process.die()
            raise LogFailed("The process is dead.")
        rows = [_row(entry) for entry in entries]
        self._follow_on(rows)
        self.rows += rows
        self.commits.add(len(self.rows))
        self._note("stored", [row.entry.position for row in rows])
        if chance() < faults.commit_kills:
            process.die()
        if chance() < faults.commit_unknown:
            self._note("commit unknown", len(entries))
            raise LogFailed("disk I/O error")

    def _follow_on(self, rows: Sequence[Row]) -> None:
        """What the log's triggers hold: a fact follows the last one of its stream."""
        ends = dict(self._ends)
        for row in rows:
            if row.version != ends.get(row.stream, 0) + 1:
                # The hall must never lean on the trigger.
                last = ends.get(row.stream, 0)
                self._wrong(f"{row.version} of {row.stream} was to follow {last}")
                raise LogFailed("a fact must follow the last one of its stream")
            ends[row.stream] = row.version
        self._ends = ends

    def read(self, since: int) -> Iterator[Entry]:
        """The facts after a position, also those that come while reading."""
        self._may_fail_to_read()
        while since < len(self.rows):
            yield self.rows[since].entry
            since += 1

    def recent(self, hall: str, days: int) -> list[Entry]:
        """What a hall has to know: setup, two quarters, the last business days."""
        self._may_fail_to_read()
        return self.known(hall, days)

    def known(self, hall: str, days: int) -> list[Entry]:
        """The same for whoever judges; never fails."""
        names = sorted(name.removeprefix(f"{hall}/") for name in self._ends)
        quarters = [name for name in names if QUARTER.match(name)]
        dates = [name for name in names if DAY.match(name)]
        wanted = {"setup", *quarters[-QUARTERS_KNOWN:], *dates[len(dates) - days :]}
        streams = {f"{hall}/{name}" for name in wanted}
        return [row.entry for row in self.rows if row.stream in streams]

    def entries(self, since: int) -> list[Entry]:
        """Every durable fact after a position, for whoever judges; never fails."""
        return [row.entry for row in self.rows[since:]]

    def _may_fail_to_read(self) -> None:
        if self._chance.random() < self._faults().read_fails:
            self._note("read failed")
            raise LogUnreadable("日志无法读取", "disk I/O error")


class SimulatedLog:
    """One process's handle on the disk, as `floor.hall` uses a log."""

    def __init__(self, disk: Disk, process: Mortal) -> None:
        self._disk = disk
        self.process = process
        self._closed = False

    def append(self, entries: Sequence[Entry]) -> None:
        assert self.process.alive, "A dead process wrote."
        if self._closed:
            raise LogFailed("The log is closed.")
        self._disk.store(self.process, entries)

    def check(self) -> None:
        """The process holds its disk for as long as it lives."""

    def keep_leaves(self, tree: StreamTree) -> None:
        """Beside a simulated disk there is nothing."""

    def recent(self, hall: str, days: int) -> list[Entry]:
        return self._disk.recent(hall, days)

    def read(self, since: int) -> Iterator[Entry]:
        return self._disk.read(since)

    def close(self) -> None:
        self._closed = True


def _row(entry: Entry) -> Row:
    state = facts.encode(entry.fact)
    read = Entry(entry.stream, entry.version, facts.decode(entry.topic, state))
    return Row(entry.stream, entry.version, entry.topic, state, read)
