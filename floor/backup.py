"""A copy of the log that can be trusted, taken while the hall works; and back again.

Either way the rows go through SQLite's own backup into a new file beside the target.
That file is checked and made durable before it gets its name, so that under a name
there is always a whole log or nothing.
"""

import hashlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from floor import log
from floor.day import days
from floor.refusals import Unusable
from floor.storing.sqlite_writer import Fence, sync

# A backup on the log's own disk must not be what fills it.
ROOM_LEFT_BYTES = 32_000_000
# What SQLite lays beside a file. Left from another log, it would be taken as part of
# the restored one and spoil it.
BESIDE = ("-wal", "-shm", "-journal")


class Copied(msgspec.Struct, frozen=True):
    """What a backup holds.

    facts: how many, of all halls in it.
    last: the last position of each hall.
    sha256: of the backup's file.
    """

    file: str
    facts: int
    last: dict[str, int]
    sha256: str
    key: str

    def words(self) -> str:
        """For the operator: what is in it, and what is not."""
        last = ", ".join(f"{hall} {position}" for hall, position in self.last.items())
        return (
            f"{self.sha256}  {self.file}\n"
            f"{self.facts} 条记录，最后位置 {last} / "
            f"{self.facts} facts, last position {last}\n"
            f"访客链接的密钥 {self.key} 不在其中，请另行妥善保管 / "
            f"The key of visitors' links, {self.key}, is not in it; keep it apart"
        )


def back_up(source: Path, target: Path) -> Copied:
    """Copy a log; a hall may be at work on it and goes on meanwhile.

    Raises:
        Unusable: the target exists, the log is no log, or there is no room; nothing
            is there afterwards that was not there before.
    """
    with _checked_copy(source, target) as (copy, found):
        sha256 = _sha256(copy)
        _name(copy, target)
    return Copied(target.name, *found, sha256, source.name + ".key")


def restore(source: Path, target: Path) -> Copied:
    """Make a log out of a backup, in a place where there is none.

    Raises:
        LogInUse: a hall still writes there, though its file is gone.
        Unusable: there is a log already, the backup is none, or there is no room;
            nothing is changed.
    """
    with _checked_copy(source, target) as (copy, found):
        sha256 = _sha256(source)
        fence = Fence(target.with_name(target.name + ".lock"))
        try:
            _check_absent(target)
            for ending in BESIDE:
                target.with_name(target.name + ending).unlink(missing_ok=True)
            sync(target.parent)
            _name(copy, target)
        finally:
            fence.release()
    return Copied(source.name, *found, sha256, target.name + ".key")


@contextmanager
def _checked_copy(
    source: Path, target: Path
) -> Iterator[tuple[Path, tuple[int, dict[str, int]]]]:
    """A durable copy beside the target, and what is in it; gone if it gets no name."""
    _check_absent(target)
    if not source.is_file():
        raise Unusable(f"没有文件 {source.name}", f"There is no file {source.name}")
    copy = target.with_name(f"{target.name}.partial-{secrets.token_hex(4)}")
    try:
        _check_room(source, target.parent)
        _copy(source, copy)
        found = check(copy, source.name)
        sync(copy)
        yield copy, found
    except sqlite3.Error as error:
        raise _failed(source, target, str(error)) from None
    except OSError as error:
        raise _failed(source, target, error.strerror or str(error)) from None
    finally:
        for ending in ("", *BESIDE):
            with suppress(OSError):
                copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _name(copy: Path, target: Path) -> None:
    _check_absent(target)
    copy.rename(target)
    sync(target.parent)


def _copy(source: Path, copy: Path) -> None:
    """All pages in one step: one short reading transaction, and no lock on writers.

    In several steps it would begin again whenever the hall writes in between.
    """
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    with (
        closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        ) as ours,
        closing(sqlite3.connect(copy, isolation_level=None)) as its,
    ):
        ours.execute("PRAGMA query_only=1")
        ours.execute("PRAGMA wal_autocheckpoint=0")
        its.execute("PRAGMA synchronous=OFF")  # Synced as a whole, when it is checked.
        ours.backup(its, pages=-1)
        # One file, that can be carried away without its `-wal`.
        its.execute("PRAGMA journal_mode=DELETE")


HOLES = """
SELECT originator_id FROM stored_events GROUP BY originator_id
HAVING MIN(originator_version) <> 1 OR MAX(originator_version) <> COUNT(*)
"""
# A hall's facts are numbered over all its streams, in the order of writing.
MISNUMBERED = """
SELECT number FROM (
    SELECT json_extract(CAST(state AS TEXT), '$.position') AS position,
        ROW_NUMBER() OVER (
            PARTITION BY substr(originator_id, 1, instr(originator_id, '/'))
            ORDER BY rowid) AS number
    FROM stored_events)
WHERE position IS NOT number LIMIT 1
"""


def check(path: Path, name: str) -> tuple[int, dict[str, int]]:
    """Whether a file is a whole log: sound pages, no gap, a last day that replays.

    Args:
        path: no hall may be at work on it.
        name: what to call it in the sentence.

    Returns:
        how many facts it holds, and the last position of each hall.

    Raises:
        Unusable: what is wrong with it.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA query_only=1")

        def rows(statement: str) -> list[tuple[object, ...]]:
            return connection.execute(statement).fetchall()

        if rows("PRAGMA integrity_check(1)") != [("ok",)]:
            raise _spoilt(name, "数据页已损坏", "its pages are damaged")
        if not rows(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' "
            "AND name = 'stored_events'"
        ):
            raise _spoilt(name, "是其他程序的数据库", "it belongs to another program")
        if rows(HOLES) or rows(MISNUMBERED):
            raise _spoilt(name, "记录编号不连续", "its numbers have gaps")
        count = rows("SELECT COUNT(*) FROM stored_events")[0][0]
    assert isinstance(count, int)
    halls = log.halls(path)
    if not halls:
        raise _spoilt(name, "里面没有任何记录", "there is nothing in it")
    return count, {hall: _replayed(path, name, hall) for hall in halls}


def _replayed(path: Path, name: str, hall: str) -> int:
    """Fold the last business day, as a hall does that starts; gives its position."""
    try:
        entries = log.read_last_day(path, hall)
        for day in days(entries):
            day.digest()
    except (AssertionError, LookupError, log.LogUnreadable) as error:
        raise _spoilt(
            name, f"无法重放：{error}", f"it does not replay: {error}"
        ) from None
    return entries[-1].position


def _check_absent(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise Unusable(
            f"{target.name} 已存在，不会覆盖；请先停止使用它的大厅并将其移走",
            f"{target.name} exists and is not overwritten; stop a hall that uses it "
            "and move it away first",
        )
    if not target.parent.is_dir():
        raise Unusable(
            f"没有文件夹 {target.parent}", f"There is no folder {target.parent}"
        )


def _check_room(source: Path, folder: Path) -> None:
    size = source.stat().st_size
    with suppress(FileNotFoundError):
        real = source.resolve()  # SQLite follows links as well.
        size += real.with_name(real.name + "-wal").stat().st_size
    free = shutil.disk_usage(folder).free
    if free < size + ROOM_LEFT_BYTES:
        needed = (size + ROOM_LEFT_BYTES) // 1_000_000 + 1
        raise Unusable(
            f"{folder} 空间不足：需要 {needed} MB，只剩 {free // 1_000_000} MB",
            f"There is not enough room in {folder}: {needed} MB are needed, "
            f"{free // 1_000_000} MB are free",
        )


def _spoilt(name: str, zh: str, en: str) -> log.LogUnreadable:
    return log.LogUnreadable(
        f"{name} 不是完好的日志：{zh}", f"{name} is not a sound log: {en}"
    )


WHY_ZH = {
    "file is not a database": "不是数据库文件",
    "database disk image is malformed": "数据已损坏",
    "database or disk is full": "磁盘已满",
    "No space left on device": "磁盘已满",
    "Permission denied": "没有权限",
    "Read-only file system": "磁盘只读",
}


def _failed(source: Path, target: Path, why: str) -> Unusable:
    return Unusable(
        f"无法把 {source.name} 复制为 {target.name}：{WHY_ZH.get(why, why)}",
        f"{source.name} cannot be copied to {target.name}: {why}",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
