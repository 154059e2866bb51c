"""The one writer: group commit, durable answers, and every way a disk can fail."""

import asyncio
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest
from eventsourcing.sqlite import SQLiteConnection

from floor import commands, effects, facts, hall, refusals
from floor.catalogue import load
from floor.commands import CallNext, Command, OpenWindow, TakeTicket
from floor.day import Day
from floor.facts import Entry
from floor.follow import Feed, opened
from floor.hall import PENDING_MAX, Hall, Receipt
from floor.log import Log, read, read_last_day
from floor.refusals import LogFailed
from floor.storing import sqlite_recorder, sqlite_writer
from timeline import SAMPLE, FloorDay

NINE = FloorDay().at("09:00:00")
CATALOGUE = load(SAMPLE)
ITEMS = ("zonghe", "shebao", "churujing")


class AtWork:
    """A hall, the feed of it, and everything the feed was told."""

    def __init__(self, held: Log, told: list[Entry]) -> None:
        entries = read_last_day(held.path, CATALOGUE.hall)
        self.path = held.path
        self.told = told
        self.feed = Feed(entries, lambda since: read(held.path, since=since))
        self.hall = Hall(held, CATALOGUE, self.hear)
        self.ids = 0

    def hear(self, entries: Sequence[Entry]) -> None:
        self.told += entries
        self.feed.publish(entries)

    async def take(
        self, item: str = "zonghe", id: str = "", at: datetime = NINE
    ) -> Receipt:
        self.ids += 1
        id = id or f"take-{self.ids}"
        return await self.hall.do(TakeTicket(command_id=id, item=item), at)

    def check(self, receipts: Sequence[Receipt]) -> None:
        """The log is whole, and holds what was answered and nothing else."""
        entries = list(read(self.path))
        assert [e.position for e in entries] == list(range(1, len(entries) + 1))
        by_command = {e.fact.command: e for e in entries if e.fact.command}
        assert len(by_command) == sum(bool(e.fact.command) for e in entries)
        for receipt in receipts:
            assert by_command[receipt.entry.fact.command] == receipt.entry
        answered = {receipt.entry.fact.command for receipt in receipts}
        assert set(by_command) == answered
        self.check_numbers(entries)
        assert self.told == entries, "The feed is told of each fact once, in order."
        assert self.feed.position == len(entries)

    def check_numbers(self, entries: Sequence[Entry]) -> None:
        issued: dict[tuple[str, str], list[int]] = {}
        for entry in entries:
            if isinstance(entry.fact, facts.TicketTaken):
                letter, number = entry.fact.ticket[0], int(entry.fact.ticket[1:])
                issued.setdefault((entry.stream, letter), []).append(number)
        for numbers in issued.values():
            assert numbers == list(range(1, len(numbers) + 1))


@asynccontextmanager
async def at_work(held: Log, at: datetime = NINE) -> AsyncIterator[AtWork]:
    """A hall on a log of a test's own making."""
    with held:
        work = AtWork(held, [])
        async with work.hall:
            await work.hall.start(at)
            yield work


# ── Group commit ────────────────────────────────────────────────────────────


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each transaction of the log's real connections held."""
    sizes: list[int] = []
    commit = SQLiteConnection.commit

    def counting(self: SQLiteConnection) -> None:
        changes = self._sqlite_conn.total_changes
        assert self._sqlite_conn.in_transaction
        commit(self)
        assert not self._sqlite_conn.in_transaction
        sizes.append(changes)

    monkeypatch.setattr(SQLiteConnection, "commit", counting)
    return sizes


async def test_many_who_press_at_once_share_a_transaction(
    tmp_path: Path, commits: list[int]
) -> None:
    async with at_work(Log(tmp_path / "events.db")) as work:
        before = len(commits)
        receipts = await asyncio.gather(*(work.take() for _ in range(500)))
        assert len(commits) - before <= 4
        tickets = [r.entry.fact.ticket for r in receipts]  # type: ignore[attr-defined]
        assert tickets == [f"A{n:03d}" for n in range(1, 501)]
    work.check(receipts)


async def test_a_quiet_hall_commits_each_command_at_once(
    tmp_path: Path, commits: list[int]
) -> None:
    async with at_work(Log(tmp_path / "events.db")) as work:
        before = len(commits)
        receipts = [await work.take() for _ in range(5)]
        assert len(commits) - before == 5
    work.check(receipts)


async def test_an_answer_is_on_the_disk_before_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    async with at_work(Log(path)) as work:

        async def press(n: int) -> Receipt:
            receipt = await work.take(ITEMS[n % 3], id=f"id-{n}")
            raw = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                (there,) = raw.execute(
                    "SELECT count(*) FROM stored_events "
                    "WHERE json_extract(state, '$.command') = ?",
                    (f"id-{n}",),
                ).fetchone()
            finally:
                raw.close()
            assert there == 1
            assert work.feed.position >= receipt.entry.position
            return receipt

        receipts = await asyncio.gather(*(press(n) for n in range(60)))
    work.check(receipts)


class SlowLog(Log):
    """A disk on which a commit takes until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.under_way = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def append(self, entries: Sequence[Entry]) -> None:
        self.under_way.set()
        assert self.let_go.wait(10)
        super().append(entries)


async def test_readers_never_see_what_is_not_durable(tmp_path: Path) -> None:
    slow = SlowLog(tmp_path / "events.db")
    async with at_work(slow) as work:
        slow.let_go.clear()
        slow.under_way.clear()
        pressed = asyncio.create_task(work.take())
        assert await asyncio.to_thread(slow.under_way.wait, 5)
        # The writer has decided; readers still see the hall as it is on the disk.
        assert work.feed.day.tickets == {}
        assert not pressed.done()
        assert [e.topic for e in read(slow.path)] == ["CataloguePublished"]
        slow.let_go.set()
        receipt = await pressed
        assert list(work.feed.day.tickets) == ["A001"]
    work.check([receipt])


async def test_the_loop_runs_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    slow = SlowLog(tmp_path / "events.db")
    async with at_work(slow) as work:
        slow.let_go.clear()
        pressed = asyncio.create_task(work.take())
        began = time.monotonic()
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert time.monotonic() - began < 2
        assert not pressed.done()
        slow.let_go.set()
        work.check([await pressed])


# ── Repeats, waits, leaving ─────────────────────────────────────────────────


async def test_a_repeated_press_has_one_effect_and_the_same_answer(
    tmp_path: Path,
) -> None:
    async with at_work(Log(tmp_path / "events.db")) as work:
        several = await asyncio.gather(*(work.take(id="once") for _ in range(20)))
        again = await work.take(id="once")
        assert [r.repeated for r in several] == [False] + [True] * 19
        assert again.repeated
        assert {r.entry.position for r in (*several, again)} == {2}
        with pytest.raises(refusals.CommandIdReused):
            await work.take("shebao", id="once")
    work.check([again])


async def test_a_press_repeated_after_midnight_or_a_restart_has_one_effect(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.db"
    late = FloorDay().at("23:59:59")
    next_day = late + timedelta(seconds=2)
    async with at_work(Log(path)) as work:
        first = await work.take(id="late", at=late)
        # Another press turns the day, then the first is repeated.
        await work.take(id="early", at=next_day)
        again = await work.take(id="late", at=next_day)
        assert (again.repeated, again.entry) == (True, first.entry)
    async with at_work(Log(path), next_day) as work:
        again = await work.take(id="late", at=next_day)
        assert (again.repeated, again.entry) == (True, first.entry)
    topics = [e.topic for e in read(path)]
    assert topics == [
        "CataloguePublished",
        "TicketTaken",
        "HallClosed",
        "DaySealed",
        "TicketTaken",
    ]


async def test_a_caller_who_left_does_not_disturb_the_others(tmp_path: Path) -> None:
    slow = SlowLog(tmp_path / "events.db")
    async with at_work(slow) as work:
        slow.let_go.clear()
        pressed = [asyncio.create_task(work.take(id=f"p{n}")) for n in range(10)]
        await asyncio.sleep(0.02)
        more = [asyncio.create_task(work.take(id=f"q{n}")) for n in range(10)]
        await asyncio.sleep(0.02)
        for task in (*pressed[::2], *more[::2]):
            task.cancel()
        slow.let_go.set()
        answers = await asyncio.gather(*pressed, *more, return_exceptions=True)
        receipts = [a for a in answers if isinstance(a, Receipt)]
        assert len(receipts) == 10
        # What a caller pressed before leaving may have happened; a repeat tells.
        for id in (f"{letter}{n}" for letter in "pq" for n in range(0, 10, 2)):
            receipts.append(await work.take(id=id))
    work.check(receipts)


async def test_too_many_at_once_are_refused_and_nothing_of_theirs_is_done(
    tmp_path: Path,
) -> None:
    slow = SlowLog(tmp_path / "events.db")
    async with at_work(slow) as work:
        slow.let_go.clear()
        slow.under_way.clear()
        first = asyncio.create_task(work.take())
        assert await asyncio.to_thread(slow.under_way.wait, 5)
        pressed = [asyncio.create_task(work.take()) for _ in range(PENDING_MAX + 30)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(refusals.HallOverloaded):
            await work.hall.turn_day(NINE)
        slow.let_go.set()
        answers = await asyncio.gather(first, *pressed, return_exceptions=True)
        refused = [a for a in answers if isinstance(a, refusals.HallOverloaded)]
        receipts = [a for a in answers if isinstance(a, Receipt)]
        assert (len(refused), len(receipts)) == (30, PENDING_MAX + 1)
        receipts.append(await work.take())
    work.check(receipts)


async def test_a_stop_answers_what_is_under_way_and_refuses_the_rest(
    tmp_path: Path,
) -> None:
    slow = SlowLog(tmp_path / "events.db")
    async with at_work(slow) as work:
        slow.let_go.clear()
        slow.under_way.clear()
        committing = asyncio.create_task(work.take(id="committing"))
        assert await asyncio.to_thread(slow.under_way.wait, 5)
        waiting = asyncio.create_task(work.take(id="waiting"))
        await asyncio.sleep(0.02)
        stopping = asyncio.create_task(work.hall.stop())
        await asyncio.sleep(0.02)
        with pytest.raises(refusals.LogUnavailable):
            await asyncio.wait_for(work.take(id="too-late"), 5)
        slow.let_go.set()
        await asyncio.wait_for(stopping, 5)
        receipt = await committing
        with pytest.raises(refusals.LogUnavailable):
            await waiting
        with pytest.raises(refusals.LogUnavailable):
            await asyncio.wait_for(work.hall.turn_day(NINE), 5)
        await work.hall.stop()
    work.check([receipt])


# ── Faults ──────────────────────────────────────────────────────────────────


class FaultyLog(Log):
    """Fails as told: `before` writing, `after` it (an ambiguous commit), or not.

    The rows it writes go to the real disk by the real way.
    """

    def __init__(self, path: Path, faults: Iterator[str]) -> None:
        super().__init__(path)
        self.faults = faults
        self.failed = 0

    def append(self, entries: Sequence[Entry]) -> None:
        fault = next(self.faults, "")
        self.failed += bool(fault)
        if fault == "before":
            raise LogFailed("injected before writing")
        super().append(entries)
        if fault == "after":
            raise LogFailed("injected after writing")
        if fault == "bug":
            raise RuntimeError("injected: not an error of the log at all")


async def pressing(
    work: AtWork, clients: int, presses: int, seed: int
) -> list[Receipt]:
    """Busy clients, each pressing one thing after the other; refusals are expected."""
    receipts: list[Receipt] = []

    async def client(name: int) -> None:
        chance = random.Random(seed * 1_000 + name)
        for n in range(presses):
            command: Command = TakeTicket(
                command_id=f"{name}-{n}", item=chance.choice(ITEMS)
            )
            if chance.random() < 0.3:
                window = chance.choice(["1", "6", "11"])
                kind = chance.choice(
                    [commands.StartService, commands.FinishService, CallNext]
                )
                command = kind(command_id=f"{name}-{n}", window=window)
            try:
                receipts.append(await work.hall.do(command, NINE))
            except refusals.Refused:
                await asyncio.sleep(0)

    await asyncio.gather(*(client(name) for name in range(clients)))
    return receipts


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_fails_at_a_commit_acknowledged_is_stored(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    faults = (
        chance.choice(["", "", "", "before", "after", "bug"]) for _ in range(10_000)
    )
    faulty = FaultyLog(tmp_path / "events.db", iter([""]))
    async with at_work(faulty) as work:
        opened = [
            await work.hall.do(OpenWindow(command_id=w, window=w, clerk=f"c{w}"), NINE)
            for w in ("1", "6", "11")
        ]
        faulty.faults = faults
        receipts = await pressing(work, clients=12, presses=12, seed=seed)
        assert faulty.failed >= 3
        faulty.faults = iter(())
        receipts.append(await work.take(id="afterwards"))
        draft = work.hall._draft.day.digest()
        assert draft == work.feed.day.digest()
    work.check([*opened, *receipts])


async def test_an_ambiguous_commit_over_midnight_is_answered_and_told(
    tmp_path: Path,
) -> None:
    """Facts of two days in one group, durable although the commit said no."""
    late = FloorDay().at("23:59:59")
    faulty = FaultyLog(tmp_path / "events.db", iter(["", "", "after"]))
    async with at_work(faulty) as work:
        first = await work.take(at=late)
        before = asyncio.create_task(work.take("shebao", at=late))
        after = asyncio.create_task(work.take(at=late + timedelta(seconds=1)))
        receipts = [first, await before, await after]
        assert faulty.failed == 1
        assert [r.entry.stream[-2:] for r in receipts] == ["23", "23", "24"]
        receipts.append(await work.take(at=late + timedelta(seconds=2)))
    work.check(receipts)
    assert work.feed.day.stream == "hall-1/2026-11-24"


async def test_a_lost_turn_of_the_day_is_turned_again(tmp_path: Path) -> None:
    late = FloorDay().at("23:59:59")
    faulty = FaultyLog(tmp_path / "events.db", iter(["", "", "before"]))
    async with at_work(faulty) as work:
        first = await work.take(at=late)
        with pytest.raises(refusals.LogUnavailable):
            await work.hall.turn_day(late + timedelta(seconds=1))
        assert work.feed.day.stream == "hall-1/2026-11-23"
        await work.hall.turn_day(late + timedelta(seconds=2))
        assert [e.topic for e in read(faulty.path)][-2] == "HallClosed"
    work.check([first])


class SmallDisk:
    """Bounds the pages of the database file, so that SQLite itself says it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages_max = 0  # Of a connection made from now on; 0 for no bound.
        create = sqlite_recorder.DurablePool._create_connection
        self.made: list[sqlite3.Connection] = []

        def bounded(pool: sqlite_recorder.DurablePool) -> SQLiteConnection:
            connection = create(pool)
            self.made.append(connection._sqlite_conn)
            if self.pages_max:
                self._bound(connection._sqlite_conn)
            return connection

        monkeypatch.setattr(sqlite_recorder.DurablePool, "_create_connection", bounded)

    def fill(self) -> None:
        self.pages_max = 1  # SQLite takes the present size when that is larger.
        for connection in self.made:
            try:
                self._bound(connection)
            except sqlite3.ProgrammingError:
                continue  # Closed by now.

    def make_room(self) -> None:
        self.pages_max = 1_000_000
        for connection in self.made:
            try:
                self._bound(connection)
            except sqlite3.ProgrammingError:
                continue

    def _bound(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count={self.pages_max}")


async def test_a_full_disk_refuses_and_the_hall_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = SmallDisk(monkeypatch)
    async with at_work(Log(tmp_path / "events.db")) as work:
        receipts = [await work.take()]
        disk.fill()
        refused = 0
        for _ in range(200):
            try:
                receipts.append(await work.take())
            except refusals.LogUnavailable as refusal:
                refused += 1
                said = refusal
        assert refused > 50
        assert "database or disk is full" in caplog.text
        assert "请通知管理员" in said.message["zh"]
        assert len(work.feed.day.tickets) == len(receipts)
        disk.make_room()
        receipts += [await work.take() for _ in range(100)]
    work.check(receipts)


async def test_a_log_locked_by_a_backup_tool_refuses_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_writer, "LOCK_TIMEOUT_S", 1)
    path = tmp_path / "events.db"
    async with at_work(Log(path)) as work:
        receipts = [await work.take()]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answers = await asyncio.gather(
            *(work.take() for _ in range(10)), return_exceptions=True
        )
        assert 0.5 < time.monotonic() - began < 5
        assert all(isinstance(a, refusals.LogUnavailable) for a in answers)
        assert "database is locked" in caplog.text
        assert len(work.feed.day.tickets) == 1
        other.execute("ROLLBACK")
        other.close()
        receipts.append(await work.take())
    work.check(receipts)


#: While the log cannot even be read, nobody knows; afterwards, nothing was done.
UNRECORDED = (refusals.LogUnsure, refusals.LogUnavailable)


async def test_a_commit_that_leaves_its_transaction_open_does_not_stop_the_hall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite keeps a transaction open after some errors at COMMIT (sqlite.org)."""
    commit = SQLiteConnection.commit
    failing = True

    def broken(self: SQLiteConnection) -> None:
        if failing:
            raise sqlite3.OperationalError("injected: busy at commit")
        commit(self)

    async with at_work(Log(tmp_path / "events.db")) as work:
        receipts = [await work.take()]
        monkeypatch.setattr(SQLiteConnection, "commit", broken)
        for _ in range(3):
            with pytest.raises(UNRECORDED):
                await work.take()
        failing = False
        receipts += [await work.take() for _ in range(3)]
    work.check(receipts)


async def test_a_log_that_is_taken_away_and_put_back(tmp_path: Path) -> None:
    """Neither writing nor reading works for a while; then all goes on."""
    path = tmp_path / "events.db"
    faulty = FaultyLog(path, iter([""]))
    async with at_work(faulty) as work:
        receipts = [await work.take()]
        faulty.faults = iter(["before"] * 50)
        away = tmp_path / "away"
        away.mkdir()
        # Only the name goes: the writer's open file is the same one afterwards.
        path.rename(away / "events.db")
        for _ in range(3):
            with pytest.raises(UNRECORDED):
                await work.take()
        assert faulty.failed == 1, "What cannot be read is not written to."
        (away / "events.db").rename(path)
        faulty.faults = iter(())
        receipts += [await work.take() for _ in range(3)]
        shutil.rmtree(away)
    work.check(receipts)


async def test_a_hall_that_cannot_publish_its_catalogue_does_not_open(
    tmp_path: Path,
) -> None:
    with FaultyLog(tmp_path / "events.db", iter(["before"])) as held:
        work = AtWork(held, [])
        async with work.hall:
            with pytest.raises(LogFailed):
                await work.hall.start(NINE)
    assert list(read(tmp_path / "events.db")) == []


# ── Bugs ────────────────────────────────────────────────────────────────────

RULES = cast(dict[object, effects.Effect], effects.EFFECTS)


@pytest.mark.parametrize("error", [ZeroDivisionError, AssertionError, KeyError])
async def test_a_broken_rule_refuses_its_command_and_the_hall_lives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(day: Day, at: datetime, *, window: str) -> facts.Fact:
        day.issued["A"] = 999  # It may even have touched the day.
        raise error("a bug")

    async with at_work(Log(tmp_path / "events.db")) as work:
        receipts = [await work.take()]
        effect = effects.Effect(broken, facts.TicketCalled)
        monkeypatch.setitem(RULES, CallNext, effect)
        with pytest.raises(error):
            await work.hall.do(CallNext(window="1"), NINE)
        receipts.append(await work.take())
        assert "A rule broke on CallNext" in caplog.text
        together = await asyncio.gather(
            work.take(),
            work.hall.do(CallNext(window="1"), NINE),
            work.take(),
            return_exceptions=True,
        )
        assert isinstance(together[1], error)
        assert isinstance(together[0], refusals.LogUnavailable)
        assert isinstance(together[2], refusals.LogUnavailable)
        receipts.append(await work.take())
        assert list(work.feed.day.tickets) == ["A001", "A002", "A003"]
    work.check(receipts)


async def test_a_fact_that_cannot_be_written_down_is_a_bug_and_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(day: Day, at: datetime, **words: object) -> facts.Fact:
        return facts.TicketTaken(at=at, ticket="A001", item="zonghe", channel=1j)  # type: ignore[arg-type]

    async with at_work(Log(tmp_path / "events.db")) as work:
        with monkeypatch.context() as patch:
            patch.setitem(RULES, TakeTicket, effects.Effect(broken, facts.TicketTaken))
            with pytest.raises(refusals.LogUnavailable):
                await work.take()
        receipts = [await work.take()]
    work.check(receipts)


@pytest.mark.parametrize(("days", "warned"), [(0, False), (1, False), (2, True)])
async def test_a_log_ahead_of_the_clock_is_pointed_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, days: int, warned: bool
) -> None:
    path = tmp_path / "events.db"
    async with opened(path, load(SAMPLE), NINE + timedelta(days=days)):
        pass
    async with opened(path, load(SAMPLE), NINE):
        pass
    assert ("请检查时钟" in caplog.text) == warned


async def test_a_watcher_that_breaks_does_not_keep_the_hall_from_answering(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def broken(day: Day, entry: Entry | None) -> None:
        raise KeyError("a bug in a screen")

    async with at_work(Log(tmp_path / "events.db")) as work:
        work.feed.watch(broken)
        work.feed.watch(lambda day, entry: seen.append(day.position))
        receipts = [await work.take(), await work.take()]
        assert seen == [2, 3]
        assert "A watcher broke at fact 2" in caplog.text
    work.check(receipts)


async def test_a_listener_that_breaks_is_heard_of_and_does_not_hang_the_hall(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Log(tmp_path / "events.db") as held:
        told: list[int] = []
        broken = False

        def listen(entries: Sequence[Entry]) -> None:
            if broken:
                raise ZeroDivisionError("a bug")
            told.extend(entry.position for entry in entries)

        writer = Hall(held, CATALOGUE, listen)
        async with writer:
            await writer.start(NINE)
            broken = True
            take = TakeTicket(command_id="durable", item="zonghe")
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    await asyncio.wait_for(writer.do(take, NINE), 5)
            assert "The writer broke" in caplog.text
            broken = False
            again = await asyncio.wait_for(writer.do(take, NINE), 5)
            assert again.repeated
            await writer.do(TakeTicket(item="zonghe"), NINE)
    assert [e.position for e in read(held.path)] == [1, 2, 3]
    assert told == [1, 2, 3], "Nothing is lost to a listener that came back."


# ── The clock ───────────────────────────────────────────────────────────────


async def test_a_clock_that_went_back_is_noted_once_and_each_time_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.db"

    async def clocks(*seconds: float) -> None:
        """A process that starts at the first instant and is asked at all of them."""
        instants = [NINE + timedelta(seconds=offset) for offset in seconds]
        async with at_work(Log(path), instants[0]) as work:
            for at in instants:
                await work.take(at=at, id=at.isoformat())

    await clocks(0, 100, 99, 98.1, 40, 50, 60, 45)
    await clocks(41, 55, 101)  # The process starts again while the clock is behind.
    await clocks(102, 70, 10)
    steps = [
        (e.fact.at - NINE, e.fact.back_ms)
        for e in read(path)
        if isinstance(e.fact, facts.ClockStepped)
    ]
    assert steps == [
        (timedelta(seconds=100), 60_000),
        (timedelta(seconds=102), 32_000),
        (timedelta(seconds=102), 92_000),
    ]
    instants = [e.fact.at for e in read(path)]
    assert instants == sorted(instants)


async def test_instants_are_whole_milliseconds(tmp_path: Path) -> None:
    async with at_work(Log(tmp_path / "events.db")) as work:
        receipt = await work.take(at=NINE + timedelta(microseconds=1_999))
        assert receipt.entry.fact.at == NINE + timedelta(milliseconds=1)
        same_ms = await work.take(at=NINE + timedelta(microseconds=1_001))
        assert same_ms.entry.fact.at == receipt.entry.fact.at
    work.check([receipt, same_ms])


async def test_a_changed_catalogue_is_published_once(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    changed = msgspec.structs.replace(CATALOGUE, name="新大厅")
    for catalogue, expected in ((CATALOGUE, 1), (changed, 2), (changed, 2)):
        with Log(path) as held:
            writer = Hall(held, catalogue, lambda entries: None)
            async with writer:
                await writer.start(NINE)
        published = [e for e in read(path) if e.topic == "CataloguePublished"]
        assert len(published) == expected
        assert {e.stream for e in published} == {"hall-1/setup"}
    assert hall.BATCH_MAX <= hall.PENDING_MAX
