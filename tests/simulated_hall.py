"""Whole hall-days in virtual time, with everything that can go wrong, from one seed.

    story = simulate(4711)

The real hall and the real feed run on a simulated disk, behind a simulated network,
for simulated people. Nothing depends on anything but the seed, so a seed that fails
fails again in the same way. `tests/simulate.py` runs one with its trace.
"""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from random import Random
from unittest.mock import patch

import msgspec

from floor import door, effects, follow, hall
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day
from floor.facts import Entry, Fact
from floor.hall import Draft
from simulated_catalogue import PLAIN, drawn_catalogue, edited, usable
from simulated_disk import SimulatedLog
from simulated_faults import PEACE, Faults, drawn
from simulated_judge import RESTART_S_MAX, Judge
from simulated_network import Network, Screen
from simulated_people import People
from simulated_process import Attempt, Build, Process
from simulated_stage import HOUR_S, Broken, Stage, Wrong

__all__ = ["Broken", "Build", "Story", "simulate"]

DAY_S = 24 * HOUR_S
DAYS_MAX = 3
#: Who follows, and how often it begins anew.
SCREENS = {"the clerks' screen": 0.0, "a screen": 0.1}
# All is well from two o'clock at night, and judged two hours later.
PEACE_FROM_S, JUDGED_AT_S = 26 * HOUR_S, 28 * HOUR_S
FULL_S = 300.0

#: Bounds of the floor that a seed may narrow, so that they are met.
BOUNDS: dict[tuple[object, str], tuple[int, ...]] = {
    (hall, "PENDING_MAX"): (1_000, 1_000, 6),
    (hall, "BATCH_MAX"): (256, 256, 1, 4),
    (follow, "QUEUE_MAX"): (1_024, 1_024, 4),
    (follow, "RING_MAX"): (8_192, 40, 3),
    (follow, "BURST_MAX"): (256, 2),
    (door, "TURN_DAY_EVERY_S"): (2_400, 3_600, 7_200),
}


class Story(msgspec.Struct, frozen=True):
    """What happened under one seed, in figures."""

    seed: int
    days: int
    facts: int
    steps: int
    counts: Counter[str]
    digest: str
    lines: list[str]


def simulate(
    seed: int,
    *,
    days: int | None = None,
    faults: Faults | None = None,
    without: Collection[str] = (),
    build: Build | None = None,
    catalogue: Catalogue | None = None,
    script: Sequence[Sequence[Command]] = (),
    dies_at: int = -1,
    told: bool = False,
) -> Story:
    """Some hall-days under one seed.

    Args:
        days: how many; the seed draws 1 to 3 otherwise.
        faults: what goes wrong all day long; the seed draws it for each otherwise.
        without: kinds of fault to be left out.
        build: the hall, when a part of it is not the real one.
        catalogue: of the hall; the seed draws one otherwise.
        script: what each person presses, one after the other, all beginning at nine;
            instead of the people whom the seed sends.
        dies_at: the step at which the first process dies.
        told: whether the story has its trace and digest.

    Raises:
        Broken: a promise was broken.
    """
    with _quiet():
        return _lived(
            Stage(seed, catalogue or _catalogue(seed, script), told=told),
            build or Build(),
            Fate(days, faults, without, script, dies_at),
        )


class Fate(msgspec.Struct, frozen=True):
    """What a caller decides instead of the seed."""

    days: int | None
    faults: Faults | None
    without: Collection[str]
    script: Sequence[Sequence[Command]]
    dies_at: int


def _catalogue(seed: int, script: Sequence[Sequence[Command]]) -> Catalogue:
    return PLAIN if script else drawn_catalogue(Random(f"{seed} catalogue"))


def _lived(stage: Stage, build: Build, fate: Fate) -> Story:
    """All days of one world, which is left to be forgotten."""
    chance = Random(f"{stage.seed} world")
    world = _World(stage, chance, build)
    with (
        _narrowed(chance),
        patch.object(hall, "Draft", world.draft),
        patch.object(effects, "decide", world.decide),
    ):
        try:
            world.start(fate.dies_at)
            lived = fate.days or chance.randint(1, DAYS_MAX)
            for day in range(lived):
                world.live(day * DAY_S, fate)
            return Story(
                seed=stage.seed,
                days=lived,
                facts=stage.disk.position,
                steps=stage.loop.steps,
                counts=stage.counts,
                digest=stage.digest() if stage.told else "",
                lines=stage.lines() if stage.told else [],
            )
        finally:
            stage.loop.end()


class _World:
    """The hall, its people and its fate under one seed."""

    def __init__(self, stage: Stage, chance: Random, build: Build) -> None:
        self.stage = stage
        self._chance = chance
        self._build = build
        self._network = Network(self.stage)
        self._screens = [
            Screen(name, self._network, forgets) for name, forgets in SCREENS.items()
        ]
        self._people = People(self.stage, self._network, self._screens[0])
        self._attempts: list[Attempt] = []
        self._decide = effects.decide
        self._judge = Judge(stage, self._network, self._screens, self._decide)
        # The dead are kept: what is collected runs code, at nobody knows which step.
        self._processes: list[Process] = []

    def start(self, dies_at: int) -> None:
        """The first process, and screens that follow it."""
        self._begin_process()
        self._processes[0].dies_at = dies_at
        for screen in self._screens:
            screen.connect()

    def live(self, day_s: float, fate: Fate) -> None:
        """One day from midnight, and the judgement on it in the next night."""
        stage = self.stage
        stage.faults = (fate.faults or drawn(stage.trouble)).without(fate.without)
        stage.note("day", stage.faults)
        if fate.script:
            self._people.follow(fate.script, day_s)
        else:
            self._people.come(day_s)
        self._plan_troubles(day_s)
        stage.loop.run_to(day_s + PEACE_FROM_S)
        stage.faults = PEACE
        stage.disk.full = False
        self._processes[-1].dies_at = -1
        stage.loop.run_to(day_s + JUDGED_AT_S)
        stage.verdict()
        try:
            attempts, self._attempts[:] = self._attempts[:], []
            peace_s = day_s + PEACE_FROM_S
            self._judge.judge(self._processes[-1], attempts, peace_s)
            stage.decided.clear()
        except Wrong as wrong:
            stage.wrong(str(wrong))
        stage.verdict()

    # ── The process, again and again ────────────────────────────────────────

    def _begin_process(self) -> None:
        if self._chance.random() < 0.1:
            self._edit_file()
        process = Process(
            self.stage, self._network, self._build, self._attempts, self._gone
        )
        self._processes.append(process)
        self._network.server = process

    def draft(
        self,
        log: SimulatedLog,
        catalogue: Catalogue,
        known: list[Entry] | None = None,
    ) -> Draft:
        """The draft of a hall that begins, where the judge can see it."""
        draft = self._build.draft(log, catalogue, known)
        process = self._processes[-1]
        process.draft = draft
        return draft

    def decide(self, command: Command, day: Day, at: datetime) -> tuple[Fact, ...]:
        """What the rules say, kept for the judge."""
        decided = self._decide(command, day, at)
        self.stage.decided.setdefault(command.command_id, []).append(decided)
        return decided

    def _gone(self, process: Process) -> None:
        self._network.server = None
        self._network.cut_all()
        lag = RESTART_S_MAX * self.stage.trouble.random() ** 3
        self._at(self.stage.loop.time() + lag, self._begin_process)

    def _edit_file(self) -> None:
        """Somebody edits the catalogue before the process starts again."""
        changed = edited(self.stage.catalogue, self._chance)
        if usable(changed) and changed.hall == self.stage.catalogue.hall:
            self.stage.catalogue = changed

    # ── Troubles that have a time of day ────────────────────────────────────

    def _plan_troubles(self, day_s: float) -> None:
        trouble, faults = self.stage.trouble, self.stage.faults
        for rate, begin in (
            (faults.full, self._fill_disk),
            (faults.clock_steps, self._step_clock),
            (faults.stops, self._stop),
        ):
            for _ in range(round(rate * trouble.random() * 2)):
                self._at(day_s + trouble.uniform(8, 25) * HOUR_S, begin)

    def _fill_disk(self) -> None:
        disk, trouble = self.stage.disk, self.stage.trouble
        disk.full = True
        self.stage.note("disk full")
        until_s = self.stage.loop.time() + trouble.expovariate(1 / FULL_S)
        self._at(until_s, setattr, disk, "full", False)

    def _step_clock(self) -> None:
        stage, trouble = self.stage, self.stage.trouble
        if stage.ahead and trouble.random() < 0.5:
            stage.ahead = timedelta()
        else:
            scale_s = trouble.choice((1, 30, 900, 8 * HOUR_S))
            stage.ahead += timedelta(seconds=trouble.gauss(0, scale_s))
        stage.note("clock", stage.ahead)

    def _stop(self) -> None:
        self._processes[-1].stop_soon = True

    def _at(self, when: float, do: Callable[..., object], *words: object) -> None:
        self.stage.loop.call_at(when, do, *words, context=self.stage.outside)


@contextmanager
def _quiet() -> Iterator[None]:
    """No operator to tell: what goes wrong is expected here, and slow to write.

    Nor does Python look for garbage meanwhile: a world keeps what it has to its end,
    and is then thrown away at once.
    """
    disabled, collecting = logging.root.manager.disable, gc.isenabled()
    gc.disable()
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        gc.collect(0)
        if collecting:
            gc.enable()


@contextmanager
def _narrowed(chance: Random) -> Iterator[None]:
    """Bounds of the floor as this seed wants them."""
    with ExitStack() as stack:
        for (module, name), choices in BOUNDS.items():
            stack.enter_context(patch.object(module, name, chance.choice(choices)))
        yield
