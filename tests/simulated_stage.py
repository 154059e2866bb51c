"""The ground of a simulated hall: its time, its chance, its trace and its verdict."""

import hashlib
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from floor.catalogue import Catalogue
from floor.facts import Fact
from simulated_disk import Disk
from simulated_faults import PEACE
from virtual_loop import Mortal, VirtualLoop

ZONE = ZoneInfo("Asia/Shanghai")
#: When the first day begins: a Monday, before a weekend, before a new quarter.
MIDNIGHTS = (
    datetime(2026, 11, 23, tzinfo=ZONE),
    datetime(2026, 11, 27, tzinfo=ZONE),
    datetime(2026, 12, 30, tzinfo=ZONE),
)
HOUR_S = 3_600
TAIL_LINES = 40


class Wrong(AssertionError):
    """A sentence that says which promise is broken."""


class Broken(AssertionError):
    """A promise was broken; the seed brings it back exactly."""

    def __init__(self, seed: int, step: int, what: str, tail: Sequence[str]) -> None:
        self.seed = seed
        self.step = step
        self.what = what
        lines = "\n".join(tail)
        super().__init__(f"seed={seed} step={step}: {what}\n{lines}")


class Stage:
    """What everybody in one simulated hall shares.

    Attributes:
        faults: what goes wrong at present.
        ahead: how far the hall's own clock is before the true one.
        midnight: when the first day begins.
        catalogue: what a process that starts now is given.
        decided: the facts that the hall decided on, each time, by id of the command.
        trace: step, true time and words of everything worth knowing; unless it is
            told, the last of it.
        counts: how often each kind of thing happened.
    """

    def __init__(self, seed: int, catalogue: Catalogue, *, told: bool) -> None:
        self.seed = seed
        self.told = told
        # One stream of chance for each matter, so that a change of one does not
        # shuffle all the others.
        self.people = Random(f"{seed} people")
        self.network = Random(f"{seed} network")
        self.trouble = Random(f"{seed} trouble")
        order = Random(f"{seed} order")
        self.faults = PEACE
        self.ahead = timedelta()
        self.midnight = order.choice(MIDNIGHTS)
        self.catalogue = catalogue
        self.decided: dict[str, list[tuple[Fact, ...]]] = {}
        self.trace: deque[tuple[object, ...]] = deque(
            maxlen=None if told else TAIL_LINES
        )
        self.counts: Counter[str] = Counter()
        self.broken: str | None = None
        self.disk = Disk(self.trouble, lambda: self.faults, self.note, self.wrong)
        self.loop = VirtualLoop(
            order,
            shuffled=order.random() < 0.5,
            lags=self.disk.lags,
            wrong=self.wrong,
        )
        #: Where people live: nothing in here dies.
        self.outside = Mortal().context

    def clock(self) -> datetime:
        """What the hall's own clock shows."""
        return self.midnight + timedelta(seconds=self.loop.time()) + self.ahead

    def delay(self) -> float:
        """Seconds that a message takes."""
        return self.network.expovariate(1 / self.faults.delay_s)

    def note(self, what: str, *words: object) -> None:
        self.counts[what] += 1
        self.trace.append((self.loop.steps, self.loop.time(), what, *words))

    def wrong(self, what: str) -> None:
        """A promise is broken: everything stops here."""
        if self.broken is None:
            self.broken = what
            self.note("WRONG", what)
            self.loop.halted = True

    def verdict(self) -> None:
        """Raise `Broken` if a promise was broken."""
        if self.broken is not None:
            tail = self.lines()[-TAIL_LINES:]
            raise Broken(self.seed, self.loop.steps, self.broken, tail)

    def lines(self) -> list[str]:
        """The trace for people: step, time of day, what happened."""
        lines = []
        for step, at, *words in self.trace:
            true = self.midnight + timedelta(seconds=float(str(at)))
            said = " ".join(map(str, words))
            lines.append(f"{step:>7} {true:%d %H:%M:%S.%f} {said}")
        return lines

    def digest(self) -> str:
        """SHA-256 of the whole trace and of every row on the disk."""
        hashed = hashlib.sha256("\n".join(self.lines()).encode())
        for row in self.disk.rows:
            hashed.update(row.state)
        return hashed.hexdigest()
