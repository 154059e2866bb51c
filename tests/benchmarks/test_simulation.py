"""Hall-days lived in simulation in a second, next to the bare steps of asyncio."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

import pytest

from figures import show
from simulated_hall import Story, simulate
from virtual_loop import VirtualLoop

SEEDS = 120
LIMIT_STEPS = 200_000


def bare_steps() -> float:
    """Steps a second of a loop in virtual time that does nothing but sleep."""

    async def sleep(times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(1)

    def no_lag() -> tuple[float, float]:
        return 0.0, 0.0

    def unexpected(what: str) -> None:
        raise AssertionError(what)

    loop = VirtualLoop(Random(0), shuffled=False, lags=no_lag, wrong=unexpected)
    for _ in range(10):
        loop.create_task(sleep(LIMIT_STEPS // 20))
    start = time.perf_counter()
    loop.run_to(LIMIT_STEPS)
    seconds = time.perf_counter() - start
    steps = loop.steps
    loop.end()
    return steps / seconds


def lived(run: Callable[[], list[Story]], how: str) -> None:
    start = time.perf_counter()
    stories = run()
    seconds = time.perf_counter() - start
    days = sum(story.days for story in stories)
    facts = sum(story.facts for story in stories)
    steps = sum(story.steps for story in stories)
    limit = bare_steps()
    show(
        f"simulated hall-days, {how}",
        f"{days / seconds:.0f} days/s, {facts / seconds:,.0f} facts/s, "
        f"{steps / seconds:,.0f} steps/s ({facts / days:.0f} facts a day)",
        f"bare steps of one loop {limit:,.0f} steps/s",
        limit / (steps / seconds),
    )


def test_days_in_one_process() -> None:
    lived(lambda: [simulate(seed) for seed in range(SEEDS)], "one process")


def test_days_on_all_cores() -> None:
    cores = os.cpu_count() or 1
    if cores == 1:
        pytest.skip("One core only.")
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        list(pool.map(simulate, range(cores)))  # Until all have started.
        lived(
            lambda: list(pool.map(simulate, range(SEEDS * cores), chunksize=8)),
            f"{cores} processes",
        )
