"""A power cut at any moment loses nothing that was acknowledged.

The real log is written by the real draft through the SQLite that Python uses; then
the files are rebuilt as a disk could hold them after a crash at many moments, opened,
and gone on with. `JIAOHAO_CRASHES=5000` tries more of them.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool

from crashing_disk import (
    Created,
    Deleted,
    Image,
    Journal,
    Loss,
    Noted,
    Operation,
    Synced,
    Truncated,
    Written,
    recording,
)
from floor import facts
from floor.catalogue import load
from floor.commands import (
    CallNext,
    Command,
    FinishService,
    OpenWindow,
    StartService,
    TakeTicket,
)
from floor.day import Day, advance
from floor.facts import Entry
from floor.hall import Draft
from floor.log import Log, LogUnreadable, read
from floor.refusals import LogFailed, Refused
from timeline import SAMPLE, FloorDay

CATALOGUE = load(SAMPLE)
OPENING = FloorDay().at("08:55:00")
AFTERNOON = FloorDay().at("15:00:00")
CRASHES = int(os.environ.get("JIAOHAO_CRASHES", "150"))
CRASHES_A_MORNING = 1_000
GROUPS = 240
PAGES_BETWEEN_CHECKPOINTS = 24  # SQLite's own 1000 would give one checkpoint a test.
WINDOWS = [window.id for window in CATALOGUE.windows]
ITEMS = [item.id for item in CATALOGUE.items]


# ── A busy morning on a recorded disk ───────────────────────────────────────


@dataclass
class Morning:
    """What was written, how, and when it was acknowledged."""

    operations: list[Operation]
    entries: list[Entry]
    began: int = 0  # So many operations had made what was there before.


def morning(folder: Path, chance: random.Random, groups: int = GROUPS) -> Morning:
    """Groups of commands, committed one by one, with restarts and a failure."""
    path = folder / "events.db"
    with recording(folder) as journal:
        at = OPENING
        written = 0
        while written < groups:
            with Log(path) as held:
                draft = Draft(held, CATALOGUE)
                draft.open(at)
                for _ in range(chance.randint(10, 80)):
                    at += timedelta(seconds=chance.randint(0, 20))
                    press(draft, at, chance)
                    commit(draft, journal)
                    written += 1
                    if chance.random() < 0.1:
                        held.checkpoint()
                if chance.random() < 0.5:
                    fail(held, draft)
        entries = list(read(path))
    return Morning(journal.operations, entries)


def press(draft: Draft, at: datetime, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 12)):
        window = chance.choice(WINDOWS)
        command: Command = chance.choice(
            [
                TakeTicket(item=chance.choice(ITEMS)),
                OpenWindow(window=window, clerk=f"c{window}"),
                CallNext(window=window),
                StartService(window=window),
                FinishService(window=window),
            ]
        )
        try:
            draft.decide(command, at)
        except Refused:
            continue


def commit(draft: Draft, journal: Journal) -> None:
    entries = draft.commit()
    if entries:
        journal.note(entries[-1].position)


def fail(held: Log, draft: Draft) -> None:
    """A commit that is rolled back, after which the log opens its file anew."""
    entry = Entry("hall-1/2026-11-23", 99_999, facts.HallClosed(at=OPENING))
    with pytest.raises(LogFailed):
        held.append([entry])
    draft.reload()


@pytest.fixture
def small_checkpoints(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Checkpoint often, and write as SQLite would at another setting."""
    get = SQLiteConnectionPool.get_connection

    def choose(synchronous: str) -> None:
        def chosen(
            self: SQLiteConnectionPool, *words: Any, **names: Any
        ) -> SQLiteConnection:
            connection = get(self, *words, **names)
            pragma = connection._sqlite_conn.execute
            pragma(f"PRAGMA wal_autocheckpoint={PAGES_BETWEEN_CHECKPOINTS}")
            if synchronous:
                pragma(f"PRAGMA synchronous={synchronous}")
            return connection

        monkeypatch.setattr(SQLiteConnectionPool, "get_connection", chosen)

    choose("")
    return choose


# ── Crashes ─────────────────────────────────────────────────────────────────


@dataclass
class Found:
    """What one crash left behind."""

    loss: Loss
    moment: int
    files: dict[str, bytes]
    acknowledged: int  # The last position that was answered before the crash.


def crashes(
    done: Morning, count: int, losses: list[Loss], chance: random.Random
) -> Iterator[Found]:
    """So many images of the disk, spread over all moments."""
    moments = range(done.began, len(done.operations) + 1)
    image, passed = Image(), 0
    for number, moment in enumerate(sorted(chance.choices(moments, k=count))):
        for operation in done.operations[passed:moment]:
            image.go_on(operation)
        passed = moment
        loss = losses[number % len(losses)]
        files = image.after_crash(loss, chance)
        yield Found(loss, moment, files, answered(image))


def facts_lost(found: Found, folder: Path) -> int:
    """How many acknowledged facts cannot be read any more."""
    with recording(empty(folder), found.files):
        try:
            kept = len(list(read(folder / "events.db")))
        except LogUnreadable:
            kept = 0
    return max(0, found.acknowledged - kept)


def go_on(found: Found, folder: Path, entries: list[Entry]) -> Morning:
    """The hall is opened again: nothing is missing, and the next ticket is taken."""
    path = empty(folder) / "events.db"
    with recording(folder, found.files) as journal:
        began = len(journal.operations)
        journal.note(found.acknowledged)
        if not found.acknowledged:
            with Log(path):
                pass  # Nobody was promised anything; the log is made anew.
        kept = list(read(path))
        assert len(kept) >= found.acknowledged
        assert kept == entries[: len(kept)]
        check_integrity(path)
        with Log(path) as held:
            draft = Draft(held, CATALOGUE)
            if kept:
                assert draft.day.digest() == fold(kept).digest()
            draft.open(AFTERNOON)
            receipt = draft.decide(TakeTicket(item=ITEMS[0]), AFTERNOON)
            draft.commit()
            journal.note(receipt.entry.position)
        later = list(read(path))
        assert later == [*kept, *later[len(kept) : -1], receipt.entry]
        assert [e.position for e in later] == list(range(1, max(len(kept), 1) + 2))
        check_integrity(path)
    return Morning(journal.operations, later, began)


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def fold(entries: list[Entry]) -> Day:
    day: Day | None = None
    for entry in entries:
        day = advance(day, entry)
    assert day is not None
    return day


def check_integrity(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


@pytest.mark.timeout(120 + CRASHES // 10)
def test_no_crash_loses_what_was_acknowledged(
    tmp_path: Path, small_checkpoints: Callable[[str], None]
) -> None:
    for seed in range(-(-CRASHES // CRASHES_A_MORNING)):
        chance = random.Random(seed)
        done = morning(empty(tmp_path / "hall"), chance)
        kinds = [type(operation) for operation in done.operations]
        assert kinds.count(Noted) > GROUPS // 2
        assert kinds.count(Deleted) >= 2, "The log was closed and opened again."
        assert kinds.count(Truncated) > 10, "The write-ahead log was emptied."
        assert checkpoints(done) > 20
        partly = 0
        for found in crashes(done, min(CRASHES, CRASHES_A_MORNING), list(Loss), chance):
            later = go_on(found, tmp_path / "found", done.entries)
            for again in crashes(later, 1, [found.loss], chance):
                # The power comes and goes: also while the log is being recovered.
                go_on(again, tmp_path / "again", later.entries)
            partly += 0 < found.acknowledged < len(done.entries)
        assert partly > 100, "Crashes come in the middle of the morning."


@pytest.mark.parametrize("forgotten", [False, True], ids=["killed", "sync failed"])
def test_what_a_hall_finds_after_a_kill_survives_a_power_cut(
    tmp_path: Path, small_checkpoints: Callable[[str], None], forgotten: bool
) -> None:
    """What was written and not yet synced when the hall was killed is still seen.

    The hall that starts again answers repeated commands by what it sees, so that
    must be on the disk before anybody is answered; also where the last thing that
    the hall heard was that its sync had failed.
    """
    chance = random.Random(8)
    (tmp_path / "hall").mkdir()
    done = morning(tmp_path / "hall", chance, 30)
    image, unsynced = Image(), 0
    for operation in done.operations:
        image.go_on(operation)
        if not isinstance(operation, Written) or chance.random() < 0.75:
            continue
        durable = image.after_crash(Loss.DROPPED, chance)
        seen = image.without_crash()
        path = empty(tmp_path / "found") / "events.db"
        with (
            recording(
                tmp_path / "found", durable, seen, forgotten=forgotten
            ) as journal,
            Log(path) as held,
        ):
            Draft(held, CATALOGUE)
            kept = list(read(path))
            journal.note(len(kept))
            cut = len(journal.operations)
        later = Morning(journal.operations[:cut], kept, began=cut)
        for found in crashes(later, 1, [Loss.DROPPED], chance):
            assert found.acknowledged == len(kept)
            unsynced += len(kept) > answered(image)
            if kept:
                go_on(found, tmp_path / "again", done.entries)
    assert unsynced > 5, "The hall was killed between a write and its sync."


def answered(image: Image) -> int:
    return max([n for n in image.noted if isinstance(n, int)], default=0)


@pytest.mark.parametrize("failures", [1, 2, 3, 5])
def test_a_sync_that_fails_promises_nothing(
    tmp_path: Path,
    small_checkpoints: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
) -> None:
    """Linux tells of a failed sync once, and forgets what it could not write."""
    # The process would end here and start again (LogLost). A test is one process, so
    # it opens the file again itself, which is what a start does.
    monkeypatch.setattr("floor.storing.sqlite_writer.is_lost", lambda error: False)
    chance = random.Random(failures)
    (tmp_path / "hall").mkdir()
    path = tmp_path / "hall" / "events.db"
    failing = 0

    def sound() -> bool:
        nonlocal failing
        failing -= failing > 0
        return not failing

    refused = 0
    with recording(tmp_path / "hall") as journal:
        journal.sound = sound
        with Log(path) as held:
            draft = Draft(held, CATALOGUE)
            draft.open(OPENING)
            commit(draft, journal)
            for n in range(120):
                if chance.random() < 0.2:
                    failing = failures + 1
                id = f"take-{n}"
                try:
                    draft.decide(TakeTicket(item=ITEMS[0], command_id=id), OPENING)
                    commit(draft, journal)
                except LogFailed:
                    refused += 1
                    reload(draft)
                    if draft.done(id):  # The hall would say that it is done.
                        journal.note(draft.position)
        failing = 0
        entries = list(read(path))
    assert refused > 5
    done = Morning(journal.operations, entries)
    for found in crashes(done, 60, list(Loss), chance):
        go_on(found, tmp_path / "found", entries)


def reload(draft: Draft) -> None:
    for _ in range(20):
        try:
            draft.reload()
        except LogUnreadable:
            continue
        return
    raise AssertionError("The disk works again, and the log does not.")


def test_the_journal_misses_nothing(
    tmp_path: Path, small_checkpoints: Callable[[str], None]
) -> None:
    """Played again, it gives the very files that lie in the folder."""
    image = Image()
    for operation in morning(tmp_path, random.Random(7), 60).operations:
        image.go_on(operation)
    files = image.without_crash()
    assert len(files["events.db"]) > 50_000
    for name, data in files.items():
        assert (tmp_path / name).read_bytes() == data
    # The fence is not SQLite's, and its shared memory does not outlive a crash.
    others = {p.name for p in tmp_path.iterdir()} - set(files)
    assert others == {"events.db.lock", "events.db-shm"}


def checkpoints(done: Morning) -> int:
    """How often the log was copied into the database file and that was synced."""
    database = next(
        o.file
        for o in done.operations
        if isinstance(o, Created) and o.name == "events.db"
    )
    return sum(isinstance(o, Synced) and o.file == database for o in done.operations)


@pytest.mark.impossible
@pytest.mark.parametrize(
    ("synchronous", "loss"),
    [(synchronous, loss) for synchronous in ("NORMAL", "OFF") for loss in Loss],
)
def test_a_log_that_does_not_wait_for_the_disk_is_found_out(
    tmp_path: Path,
    small_checkpoints: Callable[[str], None],
    synchronous: str,
    loss: Loss,
) -> None:
    """What the test above is worth: it sees each weaker setting lose facts."""
    small_checkpoints(synchronous)
    chance = random.Random(6)
    (tmp_path / "hall").mkdir()
    done = morning(tmp_path / "hall", chance, 80)
    lost = [
        facts_lost(found, tmp_path / "found")
        for found in crashes(done, 40, [loss], chance)
    ]
    assert sum(n > 0 for n in lost) >= 10
