"""The next group is decided while one is on its way to the disk: what may go wrong."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Queue

import pytest

from floor import effects, facts, refusals
from floor.commands import CallNext, Command, OpenWindow, TakeTicket
from floor.facts import Entry
from floor.hall import PENDING_MAX, Receipt
from floor.log import Log, read
from floor.refusals import LogFailed
from test_floor_hall import ITEMS, NINE, RULES, AtWork, at_work

Answer = Receipt | BaseException


class SteppedLog(Log):
    """A disk that does a commit when it is told how: well, or failing `before` writing
    or `after` it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.steps: Queue[str] = Queue()
        self.begun: Queue[int] = Queue()  # How many facts each commit was given.
        self.steps.put("well")  # The catalogue.

    def append(self, entries: Sequence[Entry]) -> None:
        self.begun.put(len(entries))
        step = self.steps.get(timeout=10)
        if step == "before":
            raise LogFailed("injected before writing")
        super().append(entries)
        if step == "after":
            raise LogFailed("injected after writing")

    async def is_committing(self) -> int:
        """Wait until a commit has begun; gives its size."""
        return await asyncio.to_thread(self.begun.get, True, 10)


class Pressing:
    """Two groups: the first on its way to the disk, the second decided behind it."""

    def __init__(self, work: AtWork, log: SteppedLog) -> None:
        self.work = work
        self.log = log
        self.first: list[asyncio.Task[Receipt]] = []
        self.second: list[asyncio.Task[Receipt]] = []

    async def press(self, first: Sequence[Command], second: Sequence[Command]) -> None:
        await self.log.is_committing()  # The catalogue's, which is over.
        self.first = [self._task(command) for command in first]
        await self.log.is_committing()
        self.second = [self._task(command) for command in second]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in (*self.first, *self.second))

    async def answers(self) -> tuple[list[Answer], list[Answer]]:
        first = await asyncio.gather(*self.first, return_exceptions=True)
        second = await asyncio.gather(*self.second, return_exceptions=True)
        return first, second

    def _task(self, command: Command) -> asyncio.Task[Receipt]:
        return asyncio.create_task(told(self.work, command))


async def told(work: AtWork, command: Command) -> Receipt:
    """Press; what is answered is what readers have been told."""
    receipt = await work.hall.do(command, NINE)
    assert work.feed.position >= receipt.entry.position
    return receipt


def take(id: str) -> TakeTicket:
    return TakeTicket(command_id=id, item="zonghe")


def tickets(answers: Sequence[Answer]) -> list[str]:
    """The numbers that callers were told."""
    assert all(isinstance(answer, Receipt) for answer in answers)
    return [a.entry.fact.ticket for a in answers]  # type: ignore[union-attr]


async def test_the_next_group_is_decided_and_neither_told_nor_answered(
    tmp_path: Path,
) -> None:
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press([take("a")], [take("b"), take("c")])
        assert list(work.hall._draft.day.tickets) == ["A001", "A002", "A003"]
        assert work.feed.day.tickets == {}
        log.steps.put("well")
        # The second is handed over before the first is answered, and waits in turn.
        assert await log.is_committing() == 2
        assert tickets([await pressing.first[0]]) == ["A001"]
        await asyncio.sleep(0.01)
        assert list(work.feed.day.tickets) == ["A001"]
        assert [e.position for e in read(log.path)] == [1, 2]
        assert not any(task.done() for task in pressing.second)
        log.steps.put("well")
        first, second = await pressing.answers()
        assert tickets(second) == ["A002", "A003"]
    work.check([r for r in (*first, *second) if isinstance(r, Receipt)])


async def test_a_lost_group_takes_the_next_one_with_it(tmp_path: Path) -> None:
    """What was decided on it is decided anew, on what the log holds."""
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press([take("a"), take("b")], [take("c"), take("d"), take("e")])
        log.steps.put("before")
        assert await log.is_committing() == 3
        assert [e.position for e in read(log.path)] == [1]
        assert not pressing.second[0].done()
        log.steps.put("well")
        first, second = await pressing.answers()
        assert all(isinstance(a, refusals.LogUnavailable) for a in first)
        # In the order in which they were pressed.
        assert tickets(second) == ["A001", "A002", "A003"]
        assert work.hall._draft.day.digest() == work.feed.day.digest()
    work.check([r for r in second if isinstance(r, Receipt)])


async def test_both_groups_lost_leave_nothing(tmp_path: Path) -> None:
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press([take("a")], [take("b")])
        log.steps.put("before")
        log.steps.put("before")
        answers = [a for group in await pressing.answers() for a in group]
        assert all(isinstance(a, refusals.LogUnavailable) for a in answers)
        assert work.feed.day.tickets == {}
        log.steps.put("well")
        receipt = await work.take()
        assert tickets([receipt]) == ["A001"]
    work.check([receipt])


async def test_a_group_that_is_durable_after_all_stays_before_the_next(
    tmp_path: Path,
) -> None:
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press([take("a")], [take("b")])
        log.steps.put("after")
        log.steps.put("well")
        first, second = await pressing.answers()
        assert tickets([*first, *second]) == ["A001", "A002"]
    work.check([r for r in (*first, *second) if isinstance(r, Receipt)])


@pytest.mark.parametrize("step", ["well", "before", "after"])
async def test_a_refusal_waits_for_what_it_was_decided_on(
    tmp_path: Path, step: str
) -> None:
    """Whoever is told that a window is taken can see by whom."""
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press(
            [OpenWindow(command_id="a", window="1", clerk="c1")],
            [OpenWindow(command_id="b", window="1", clerk="c2")],
        )
        log.steps.put(step)
        log.steps.put("well")
        (first,), (second,) = await pressing.answers()
        if step == "before":
            assert isinstance(first, refusals.LogUnavailable)
            assert isinstance(second, Receipt)
        else:
            assert isinstance(first, Receipt)
            assert isinstance(second, refusals.WindowAlreadyOpen)
        clerk = "c2" if step == "before" else "c1"
        assert work.feed.day.places["1"].clerk == clerk
    work.check([r for r in (first, second) if isinstance(r, Receipt)])


@pytest.mark.parametrize("step", ["well", "before", "after"])
async def test_a_press_repeated_in_the_next_group_has_one_effect(
    tmp_path: Path, step: str
) -> None:
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press([take("a")], [take("a")])
        log.steps.put(step)
        log.steps.put("well")
        (first,), (second,) = await pressing.answers()
        assert isinstance(second, Receipt)
        assert second.repeated == (step != "before")
        assert isinstance(first, Receipt) == (step != "before")
        assert [e.topic for e in read(log.path)][1:] == ["TicketTaken"]
    work.check([second])


async def test_a_rule_that_breaks_behind_a_commit_does_not_touch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(day: object, at: object, **words: object) -> facts.Fact:
        raise ZeroDivisionError("a bug")

    broken_effect = effects.Effect(broken, facts.TicketCalled)
    monkeypatch.setitem(RULES, CallNext, broken_effect)
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        await log.is_committing()
        first = asyncio.create_task(told(work, take("a")))
        await log.is_committing()
        behind = [take("b"), CallNext(window="1"), take("c")]
        answers = await asyncio.gather(
            *(work.hall.do(command, NINE) for command in behind), return_exceptions=True
        )
        # These are answered at once: the half-changed day they were decided on is gone.
        assert isinstance(answers[1], ZeroDivisionError)
        assert all(isinstance(answers[n], refusals.LogUnavailable) for n in (0, 2))
        later = asyncio.create_task(work.hall.do(take("d"), NINE))
        await asyncio.sleep(0.01)
        assert not first.done()
        assert not later.done()
        log.steps.put("well")
        log.steps.put("well")
        receipts = [await first, await later]
        assert tickets(receipts) == ["A001", "A002"]
    work.check(receipts)


async def test_what_is_decided_counts_as_pending(tmp_path: Path) -> None:
    log = SteppedLog(tmp_path / "events.db")
    async with at_work(log) as work:
        pressing = Pressing(work, log)
        await pressing.press([take("a")], [take(f"b{n}") for n in range(PENDING_MAX)])
        with pytest.raises(refusals.HallOverloaded):
            await work.take()
        for _ in range(6):
            log.steps.put("well")
        first, second = await pressing.answers()
    work.check([r for r in (*first, *second) if isinstance(r, Receipt)])


class RestlessLog(Log):
    """A disk that takes its time, never the same, and fails now and then."""

    def __init__(self, path: Path, seed: int) -> None:
        super().__init__(path)
        self.chance = random.Random(seed)
        self.trouble = False
        self.failed = 0

    def append(self, entries: Sequence[Entry]) -> None:
        time.sleep(self.chance.random() * 0.002)
        fault = self.trouble and self.chance.choice(["", "", "", "before", "after"])
        self.failed += bool(fault)
        if fault == "before":
            raise LogFailed("injected before writing")
        super().append(entries)
        if fault == "after":
            raise LogFailed("injected after writing")


@pytest.mark.parametrize("seed", range(4))
async def test_answers_come_in_the_order_of_the_log(tmp_path: Path, seed: int) -> None:
    """However the presses fall behind, beside and after the commits."""
    log = RestlessLog(tmp_path / "events.db", seed)
    receipts: list[Receipt] = []
    async with at_work(log) as work:

        async def client(name: int) -> None:
            chance = random.Random(seed * 1_000 + name)
            for n in range(15):
                await asyncio.sleep(chance.choice([0, 0, 0.001, 0.003]))
                command = TakeTicket(
                    command_id=f"{name}-{n}", item=chance.choice(ITEMS)
                )
                try:
                    receipts.append(await work.hall.do(command, NINE))
                except refusals.LogUnavailable:
                    continue

        log.trouble = True
        await asyncio.gather(*(client(name) for name in range(16)))
        log.trouble = False
        receipts.append(await work.take())
        assert work.hall._draft.day.digest() == work.feed.day.digest()
    assert log.failed >= 3
    positions = [receipt.entry.position for receipt in receipts]
    assert positions == sorted(positions)
    work.check(receipts)
