"""Whole hall-days under every fault there is, and bugs that must not get through.

    SIM_DAYS=5000 SIM_SEED=100000 pytest tests/test_floor_simulation.py -k days -s

lives more of them. A seed that fails prints its trace; `tests/simulate.py SEED` lives
it again.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

import msgspec
import pytest

import simulated_bugs
from floor import commands, effects, facts, refusals
from floor.commands import Command
from floor.day import days
from floor.follow import opened
from floor.log import read
from simulated_bugs import PARTS, WRONG_RULES, wrongly
from simulated_catalogue import PLAIN as CATALOGUE
from simulated_catalogue import without_item
from simulated_disk import Disk, SimulatedLog
from simulated_faults import PEACE, WORST, Faults
from simulated_hall import Broken, Build, simulate
from simulated_paper import HAPPENS
from simulated_presses import PRESSES, Sight
from simulated_stage import MIDNIGHTS
from virtual_loop import Mortal

DAYS = int(os.environ.get("SIM_DAYS", "300"))
SEED = int(os.environ.get("SIM_SEED", "0"))
#: A bug is found within so many seeds, or the simulation is not worth its time.
SEEDS_MAX = 40
ROOT = Path(__file__).parent.parent


# ── The real hall ───────────────────────────────────────────────────────────


def test_days_with_everything_that_can_go_wrong() -> None:
    counts: Counter[str] = Counter()
    lived = 0
    for seed in count(SEED):
        story = simulate(seed)
        counts += story.counts
        lived += story.days
        if lived >= DAYS:
            break
    unseen = EXPECTED - set(counts)
    assert not unseen or lived < TAME_DAYS, f"It has become too tame for {unseen}."


TAME_DAYS = 300
#: People here need no door, and that is where these are said.
AT_DOORS = (
    refusals.UnknownCommand,
    refusals.TooLarge,
    refusals.NotAllowed,
    refusals.NothingBooked,
)
#: What no rule writes: the world outside does, or whoever seals.
FROM_OUTSIDE = (
    facts.EvaluationLapsed,
    facts.DeviceLost,
    facts.DeviceRestored,
)
#: What so many days must meet, for the others to mean anything.
EXPECTED = {
    *("lost", "doubled", "cut", "stalled", "cut off", "disk full", "clock"),
    *("commit failed", "commit unknown", "read failed", "start failed"),
    *("died", "stopped", "repeated"),
    *(topic.__name__ for topic in facts.FACTS if topic not in FROM_OUTSIDE),
    *(
        refusal.__name__
        for refusal in refusals.Refused.__subclasses__()
        # The import has refusals of its own, when its tests run beside these.
        if refusal not in AT_DOORS and refusal.__module__.startswith("floor.refusals")
    ),
}


def test_people_press_every_command() -> None:
    sight = Sight(Random(0), CATALOGUE, None, lambda: NINE, window="1", clerk="c1")
    assert {type(press(sight)) for press in PRESSES.values()} == set(effects.EFFECTS)


def test_every_fact_that_a_rule_writes_is_known_on_paper() -> None:
    assert set(HAPPENS) == set(facts.FACTS) - set(FROM_OUTSIDE)


def test_a_day_in_which_nothing_goes_wrong() -> None:
    story = simulate(1, days=1, faults=PEACE)
    assert story.facts > 50
    assert not {"lost", "died", "commit failed", "LogUnavailable"} & set(story.counts)


def test_the_worst_day() -> None:
    assert simulate(2, days=1, faults=WORST).counts["died"] > 3


MORNING: Sequence[Sequence[Command]] = (
    (
        commands.OpenWindow(window="1", clerk="c1"),
        commands.CallNext(window="1"),
        commands.StartService(window="1"),
        commands.FinishService(window="1"),
    ),
    (commands.TakeTicket(item="a"), commands.TakeTicket(item="b")),
    (commands.TakeTicket(item="a"), commands.CloseHall()),
)


def test_a_crash_at_every_step_of_a_short_morning() -> None:
    """Before each await goes on, and on both sides of each commit."""
    for step in count():
        story = simulate(3, days=1, faults=Faults(), script=MORNING, dies_at=step)
        if not story.counts["died"]:
            break
    assert step > 150


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    seeds = ["5", "6", "7"]
    heard = []
    for salt in ("1", "2"):
        done = subprocess.run(
            [sys.executable, ROOT / "tests" / "simulate.py", "--brief", *seeds],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        )
        heard.append(done.stdout)
    assert heard[0] == heard[1]
    assert heard[0].count("trace=") == len(seeds)
    assert f"trace={simulate(6, told=True).digest}" in heard[0]


# ── What it has found ───────────────────────────────────────────────────────

NINE = MIDNIGHTS[0] + timedelta(hours=9)


async def test_nobody_is_refused_because_of_what_never_came_to_be() -> None:
    disk = Disk(Random(), lambda: PEACE, lambda *_: None, pytest.fail)
    log = SimulatedLog(disk, Mortal())
    async with Build().hall(log, CATALOGUE, lambda _: None) as hall:
        await hall.start(NINE)
        disk.full = True
        close, take = commands.CloseHall(), commands.TakeTicket(item="a")
        answers = await asyncio.gather(
            hall.do(close, NINE), hall.do(take, NINE), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [refusals.LogUnavailable] * 2
        disk.full = False
        await hall.do(take, NINE)


async def test_a_clock_that_was_past_midnight_and_goes_back(tmp_path: Path) -> None:
    """The hall was closed, so that no fact says that the next day has begun."""
    path = tmp_path / "events.db"
    async with opened(path, CATALOGUE, NINE) as (hall, feed):
        for presses in (MORNING[1], MORNING[0], [commands.CloseHall()]):
            for command in presses:
                await hall.do(command, NINE)
        await hall.turn_day(NINE + timedelta(days=1))
        feed.turn_day(NINE + timedelta(days=1))
        assert feed.day.tickets == {}
        with pytest.raises(refusals.HallIsClosed):
            await hall.do(commands.TakeTicket(item="a"), NINE)
        rated = commands.Evaluate(ticket="A001", level=facts.Level.SATISFIED)
        receipt = await hall.do(rated, NINE)
        assert receipt.entry.stream == feed.day.stream == "hall-1/2026-11-23"
        live = feed.day.digest()
    *_, replayed = days(read(path))
    assert replayed.digest() == live


async def test_a_file_that_lost_a_window_leaves_nobody_alone(tmp_path: Path) -> None:
    """It is not put into force by a start in mid-day, but by one on another day."""
    path, fewer = tmp_path / "events.db", without_item(CATALOGUE, "c")
    assert len(fewer.windows) < len(CATALOGUE.windows)
    async with opened(path, CATALOGUE, NINE) as (hall, _):
        await hall.do(commands.OpenWindow(window="4", clerk="c4"), NINE)
        for _ in range(2):
            await hall.do(commands.TakeTicket(item="c"), NINE)
        await hall.do(commands.CallNext(window="4"), NINE)
    async with opened(path, fewer, NINE) as (hall, feed):
        assert feed.day.catalogue == CATALOGUE
        await hall.do(commands.StartService(window="4"), NINE)
    async with opened(path, fewer, NINE + timedelta(days=1)) as (_, feed):
        assert feed.day.catalogue == fewer


# ── Bugs that it must find ──────────────────────────────────────────────────


def first_broken(build: Build | None = None) -> Broken:
    """How a bug shows under the first seed that finds it."""
    for seed in range(SEEDS_MAX):
        try:
            simulate(seed, build=build)
        except Broken as broken:
            print(f"\nseed {broken.seed}, step {broken.step}: {broken.what}")
            return broken
    raise AssertionError("The bug was not found.")


def name_of(build: Build) -> str:
    return " ".join(
        part.__name__
        for part in msgspec.structs.astuple(build)
        if part.__module__ == simulated_bugs.__name__
    )


@pytest.mark.parametrize("build", PARTS, ids=name_of)
def test_a_bug_in_a_part_is_found(build: Build) -> None:
    assert first_broken(build).what


@pytest.mark.parametrize(("command", "rule"), WRONG_RULES)
def test_a_wrong_rule_is_found(command: type[Command], rule: effects.Rule) -> None:
    with wrongly(command, rule):
        what = first_broken().what
    assert "cannot have happened" in what or "broke the hall" in what
