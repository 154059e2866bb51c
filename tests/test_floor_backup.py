"""A backup taken while the hall works brings the hall back, up to its last position."""

import asyncio
import hashlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import main as front
from floor import backup, log
from floor.backup import back_up, restore
from floor.catalogue import load
from floor.commands import CallNext, Command, OpenWindow, StartService, TakeTicket
from floor.day import Day, advance
from floor.facts import Entry
from floor.follow import Feed, opened
from floor.hall import Hall
from floor.log import Log, LogInUse, read
from floor.refusals import Refused, Unusable
from timeline import SAMPLE, FloorDay

ROOT = Path(__file__).parent.parent
NINE = FloorDay().at("09:00:00")
CATALOGUE = load(SAMPLE)
WINDOWS = [window.id for window in CATALOGUE.windows]
ITEMS = [item.id for item in CATALOGUE.items]
KIOSKS = 6


def recorded(
    path: Path, lines: str = "09:00:00 opens 1\n09:00:01 takes zonghe"
) -> Path:
    played = FloorDay().play(lines)
    with Log(path) as held:
        held.append(played.entries)
    return path


def listing(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def says(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(front.main, list(map(str, words)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code, done.output


def fold(entries: list[Entry]) -> Day:
    day: Day | None = None
    for entry in entries:
        day = advance(day, entry)
    assert day is not None
    return day


# ── The drill ───────────────────────────────────────────────────────────────


class Rush:
    """People who press as fast as the hall answers."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.over = False

    async def press(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.over:
            window = chance.choice(WINDOWS)
            command: Command = chance.choice(
                [
                    TakeTicket(item=chance.choice(ITEMS)),
                    OpenWindow(window=window, clerk=f"c{window}"),
                    CallNext(window=window),
                    StartService(window=window),
                ]
            )
            try:
                await self.hall.do(command, NINE)
            except Refused:
                await asyncio.sleep(0)


async def reached(feed: Feed, position: int) -> None:
    follower = feed.follow(feed.position)
    async for entry in follower:
        if entry.position >= position:
            break
    follower.close()


async def runs(*words: str | Path) -> str:
    """What the front door prints, in a process of its own."""
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "main.py", *map(str, words), cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    out, errors = await asyncio.wait_for(ran.communicate(), 60)
    assert ran.returncode == 0, errors.decode()
    return out.decode()


async def test_the_drill(tmp_path: Path) -> None:
    """Backup in the rush, the log is destroyed, the backup brings the hall back."""
    path, copy = tmp_path / "events.db", tmp_path / "elsewhere" / "backup.db"
    copy.parent.mkdir()
    async with opened(path, CATALOGUE, NINE) as (hall, feed):
        rush = Rush(hall)
        pressing = [asyncio.create_task(rush.press(n)) for n in range(KIOSKS)]
        await reached(feed, 200)
        before = feed.position
        said = await runs("backup", "--log", path, copy)
        after = feed.position
        await reached(feed, after + 100)
        rush.over = True
        await asyncio.gather(*pressing)
    written = list(read(path))
    facts, last = positions(said)
    assert 1 < before <= last < after < len(written), "The hall worked all the time."
    assert facts == last
    destroy(path)

    assert positions(await runs("restore", copy, "--log", path)) == (facts, last)
    assert list(read(path)) == written[:last]
    later = NINE + timedelta(minutes=1)
    async with opened(path, CATALOGUE, later) as (hall, feed):
        assert feed.position == last
        assert feed.day.digest() == fold(written[:last]).digest()
        taken = await hall.do(TakeTicket(item="zonghe"), later)
        assert taken.entry.position == last + 1
        # The next number, so that nobody who has a paper in hand is met twice.
        issued = [ticket for ticket in feed.day.tickets if ticket.startswith("A")]
        assert issued == [f"A{n:03d}" for n in range(1, len(issued) + 1)]


def positions(said: str) -> tuple[int, int]:
    found = re.search(r"(\d+) facts, last position hall-1 (\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


def destroy(path: Path) -> None:
    for file in path.parent.glob("events.db*"):
        file.unlink()


def test_a_backup_never_locks_the_hall_out(tmp_path: Path) -> None:
    """The hall writes between any two pages, and what it writes is not in the copy."""
    path = recorded(tmp_path / "events.db")
    floor = FloorDay().play("09:00:00 opens 1\n09:00:01 takes zonghe")
    with Log(path) as held:
        floor.play("09:00:02 takes zonghe")
        real = backup.check

        def writing(copy: Path, name: str) -> tuple[int, dict[str, int]]:
            held.append(floor.entries[-1:])
            return real(copy, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backup, "check", writing)
            copied = back_up(path, tmp_path / "backup.db")
    assert copied.facts == 3
    assert len(list(read(path))) == 4


def test_a_backup_is_one_file_with_what_its_sentence_says(tmp_path: Path) -> None:
    path = recorded(tmp_path / "events.db")
    with Log(path):  # A hall is at work.
        code, text = says("backup", "--log", path, tmp_path / "backup.db")
    assert code == 0
    sha256 = hashlib.sha256((tmp_path / "backup.db").read_bytes()).hexdigest()
    assert f"{sha256}  backup.db" in text
    assert "3 条记录，最后位置 hall-1 3" in text
    assert "events.db.key" in text
    assert not list(tmp_path.glob("backup.db?*"))
    (tmp_path / "new").mkdir()
    code, text = says(
        "restore", "--log", tmp_path / "new" / "e.db", tmp_path / "backup.db"
    )
    assert (code, sha256 in text, "e.db.key" in text) == (0, True, True)
    assert list(read(tmp_path / "new" / "e.db")) == list(read(path))
    code, digests = says("digest", "--log", tmp_path / "new" / "e.db")
    assert (code, digests) == says("digest", "--log", path)


def test_a_killed_hall_is_backed_up_with_what_lies_in_its_wal(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    (tmp_path / "dead").mkdir()
    with Log(path) as held:
        held.append(FloorDay().play("09:00:00 takes zonghe").entries)
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", tmp_path / "dead" / f"events.db{ending}")
    assert back_up(tmp_path / "dead" / "events.db", tmp_path / "backup.db").facts == 2
    assert list(read(tmp_path / "backup.db")) == list(read(path))


def test_what_an_old_log_left_behind_does_not_spoil_the_restored_one(
    tmp_path: Path,
) -> None:
    """A stale `-wal` would be taken as the restored log's own and replayed into it."""
    path = recorded(tmp_path / "events.db")
    back_up(path, tmp_path / "backup.db")
    with Log(path) as held:
        floor = FloorDay().play("09:00:00 opens 1\n09:00:01 takes zonghe")
        floor.play("09:00:02 takes zonghe\n09:00:03 takes zonghe")
        held.append(floor.entries[3:])
        for ending in ("-wal", "-shm"):
            shutil.copy(f"{path}{ending}", tmp_path / f"stale{ending}")
    for ending in ("-wal", "-shm"):
        shutil.copy(tmp_path / f"stale{ending}", f"{path}{ending}")
    path.unlink()
    restore(tmp_path / "backup.db", path)
    assert not Path(f"{path}-wal").exists()
    assert list(read(path)) == floor.entries[:3]


# ── What is refused ─────────────────────────────────────────────────────────


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes(4096)
    path.write_bytes(data)


def not_a_database(path: Path) -> None:
    path.write_text("号,窗口\n" * 5_000, encoding="utf-8")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def missing(path: Path) -> None:
    path.unlink()


def statements(*lines: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for line in lines:
            connection.execute(line)
        connection.close()

    return change


UNGUARD = [
    f"DROP TRIGGER {name}"
    for name in ("no_holes", "no_replacement", "no_update", "no_delete")
]
SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncated, "损坏"),
    "damaged": (damaged, "损坏"),
    "not a database": (not_a_database, "不是数据库文件"),
    "an empty file": (empty, "其他程序"),
    "a folder": (folder, "没有文件"),
    "missing": (missing, "没有文件"),
    "another application's": (
        statements("DROP TABLE stored_events", "CREATE TABLE bills (id)"),
        "其他程序",
    ),
    "another table of that name": (
        statements("DROP TABLE stored_events", "CREATE TABLE stored_events (id)"),
        "no such column",
    ),
    "without facts": (
        statements(*UNGUARD, "DELETE FROM stored_events"),
        "没有任何记录",
    ),
    "a fact removed": (
        statements(*UNGUARD, "DELETE FROM stored_events WHERE rowid = 3"),
        "不连续",
    ),
    "the last of a stream moved": (
        statements(
            *UNGUARD,
            "UPDATE stored_events SET originator_version = 9 WHERE rowid = 4",
        ),
        "不连续",
    ),
    "a fact counted twice": (
        statements(
            *UNGUARD,
            "UPDATE stored_events SET state = (SELECT state FROM stored_events "
            "WHERE rowid = 3) WHERE rowid = 4",
        ),
        "不连续",
    ),
    "a fact that is no JSON": (
        statements(*UNGUARD, "UPDATE stored_events SET state = 'x' WHERE rowid = 4"),
        "malformed JSON",
    ),
    "a fact of an unknown kind": (
        statements(*UNGUARD, "UPDATE stored_events SET topic = 'X' WHERE rowid = 4"),
        "无法重放",
    ),
    "a fact that cannot have happened": (
        statements(
            *UNGUARD,
            "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), "
            "'\"A001\"', '\"A777\"') AS BLOB) WHERE rowid = 4",
        ),
        "无法重放",
    ),
}


@pytest.mark.impossible
@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_backup_is_refused_and_nothing_changes(
    name: str, tmp_path: Path
) -> None:
    spoil, why = SPOILT[name]
    lines = "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1"
    back_up(recorded(tmp_path / "events.db", lines), tmp_path / "backup.db")
    spoil(tmp_path / "backup.db")
    (tmp_path / "new").mkdir()
    before = listing(tmp_path)
    target = tmp_path / "new" / "events.db"
    code, text = says("restore", "--log", target, tmp_path / "backup.db")
    assert code == 2, text
    assert why in text
    assert "Traceback" not in text
    assert listing(tmp_path) == before
    # A log that is spoilt so makes no backup either.
    code, text = says("backup", "--log", tmp_path / "backup.db", target)
    assert code == 2, text
    assert why in text or "is a directory" in text
    assert listing(tmp_path) == before


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = recorded(tmp_path / "events.db")
    (tmp_path / "there").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = listing(tmp_path)
    for target in ("there", "folder", "link", "events.db"):
        code, text = says("backup", "--log", path, tmp_path / target)
        assert (code, "不会覆盖" in text, "exists" in text) == (2, True, True)
        code, text = says("restore", "--log", tmp_path / target, path)
        assert code == 2
        assert "不会覆盖" in text or "is a directory" in text
    assert listing(tmp_path) == before
    code, text = says("backup", "--log", path, tmp_path / "no" / "backup.db")
    assert (code, "没有文件夹" in text) == (2, True)
    assert listing(tmp_path) == before


def test_a_hall_whose_file_was_removed_still_holds_its_place(tmp_path: Path) -> None:
    path = recorded(tmp_path / "events.db")
    back_up(path, tmp_path / "backup.db")
    with Log(path):
        path.unlink()
        before = listing(tmp_path)
        with pytest.raises(LogInUse) as refused:
            restore(tmp_path / "backup.db", path)
        assert str(os.getpid()) in refused.value.message["zh"]
        assert listing(tmp_path) == before


def test_a_disk_without_room_is_not_filled_by_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path / "events.db")
    before = listing(tmp_path)
    monkeypatch.setattr(backup, "ROOM_LEFT_BYTES", 10**15)
    with pytest.raises(Unusable) as refused:
        back_up(path, tmp_path / "backup.db")
    assert "空间不足" in refused.value.message["zh"]
    assert listing(tmp_path) == before


LIMITED = """
import resource, sys
from pathlib import Path
import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
main.main(sys.argv[1:])
"""


@pytest.mark.parametrize("direction", ["backup", "restore"])
def test_a_disk_that_fills_up_half_way_keeps_nothing_half(
    direction: str, tmp_path: Path
) -> None:
    """A real process that may write 40 kB to a file and no more."""
    path = recorded(tmp_path / "events.db", "\n".join(["09:00:00 takes zonghe"] * 300))
    target = tmp_path / "target.db"
    words = ["backup", "--log", path, target]
    if direction == "restore":
        words = ["restore", "--log", target, path]
    before = listing(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert "events.db" in ran.stderr
    assert "Traceback" not in ran.stderr
    # A reader of a log in WAL mode may leave SQLite's own two files beside it.
    assert before.items() <= listing(tmp_path).items()
    assert not list(tmp_path.glob("target.db*"))


def test_a_backup_that_is_killed_leaves_no_file_under_the_name(tmp_path: Path) -> None:
    path = recorded(tmp_path / "events.db")
    killed = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom floor import backup\n"
        "backup.check = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "backup.back_up(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    subprocess.run(
        [sys.executable, "-c", killed, str(path), str(tmp_path / "backup.db")],
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert not (tmp_path / "backup.db").exists()
    assert len(list(tmp_path.glob("backup.db.partial-*"))) == 1
    assert back_up(path, tmp_path / "backup.db").facts == 3


@pytest.mark.impossible
def test_years_of_facts_are_checked_in_moments(tmp_path: Path) -> None:
    """Every number of a long log is looked at, the old ones as well."""
    path = tmp_path / "events.db"
    lines = "\n".join(
        f"+{day} 09:00:{n:02d} takes zonghe" for day in range(12) for n in range(50)
    )
    recorded(path, lines)
    assert back_up(path, tmp_path / "good.db").facts == 601
    statements(
        *UNGUARD,
        "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), "
        "'\"position\":77,', '\"position\":78,') AS BLOB) WHERE rowid = 77",
    )(path)
    with pytest.raises(log.LogUnreadable, match="gaps"):
        back_up(path, tmp_path / "bad.db")
