"""Looking after the disk under a hall at work, and saying when somebody must help.

Every few seconds, between two commits: is there room, is the reserve there, and does
the write-ahead log stay small? A full disk takes the reserve away once, so that the
hall can be closed properly; commands go on with the alarm up.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from floor.hall import Hall
from floor.refusals import LogFailed

TEND_EVERY_S = 5
MB = 1_000_000
# A year of a busy hall is some 500 MB; below that somebody has to plan.
FREE_BYTES_MIN = 500 * MB
# More than a day of a busy hall, some 2 MB, and its write-ahead log.
BALLAST_BYTES = 16 * MB
# The reserve is made only where this much of it would still be free, so that a disk
# that is nearly full does not take and make it in turns.
ROOM_FOR_BALLAST = 3
# With less than this, an I/O error is a full disk by another name.
FULL_BYTES = 1 * MB
DISK_FULL = "database or disk is full"  # SQLite's own words.
# SQLite empties it at 4 MB by itself unless a reader is in the way.
WAL_BYTES_MAX = 8 * MB
# A backup may be reading for a moment; a reader that stays is told of.
WAL_ROUNDS = 2
SAY_AGAIN_AFTER = timedelta(minutes=10)
# Where SQLite keeps the marks of readers in `-shm` (sqlite.org/walformat.html).
READ_MARKS = range(123, 128)

logger = logging.getLogger(__name__)


class Alarm(msgspec.Struct, frozen=True):
    """Something that somebody must do before the hall stops."""

    code: str
    zh: str
    en: str

    @property
    def message(self) -> dict[str, str]:
        """The sentence in both languages."""
        return {"zh": self.zh, "en": self.en}


class Upkeep:
    """The care for one hall's log.

    Args:
        hall: at work; its log asks here for room when the disk is full.
        free_bytes_min: less room than this raises the alarm.
        ballast_bytes: the size of the reserve; 0 for none.

    Attributes:
        alarms: what is wrong now; empty in a hall that is well.
    """

    def __init__(
        self,
        hall: Hall,
        *,
        free_bytes_min: int = FREE_BYTES_MIN,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        self.alarms: Sequence[Alarm] = ()
        self._hall = hall
        # Where it really lies; SQLite follows links as well.
        assert isinstance(hall.log.path, Path), "A database has a keeper of its own."
        self._path = hall.log.path.resolve()
        self._ballast = self._path.with_name(self._path.name + ".ballast")
        self._wal = self._path.with_name(self._path.name + "-wal")
        self._free_bytes_min = free_bytes_min
        self._ballast_bytes = ballast_bytes
        self._released = False
        self._wal_rounds = 0  # For how many rounds it has been too large.
        self._said: dict[str, datetime] = {}
        hall.log.ask_for_room(self._make_room)

    async def run(self, clock: Callable[[], datetime]) -> None:
        """Tend the log every few seconds, as long as the hall works."""
        while True:
            try:
                await self.tend(clock())
            except Exception:  # A bug here must not leave the disk alone for ever.
                logger.exception("The upkeep broke; trying again.")
            await asyncio.sleep(TEND_EVERY_S)

    async def tend(self, at: datetime) -> None:
        """Look once, do what can be done, and say what is left to do."""
        self.alarms = await self._hall.between_commits(self._look)
        for alarm in self.alarms:
            said = self._said.get(alarm.code)
            # A clock that was set back does not silence the alarm.
            if said is None or not timedelta() <= at - said < SAY_AGAIN_AFTER:
                logger.warning("%s / %s", alarm.zh, alarm.en)
                self._said[alarm.code] = at
        for code in self._said.keys() - {alarm.code for alarm in self.alarms}:
            logger.warning("警报解除 / The alarm is over: %s", code)
            del self._said[code]

    # Below, everything runs in the log's own thread.

    def _look(self) -> list[Alarm]:
        try:
            self._keep_ballast()
            alarms = [self._room(), self._reserve(), self._wal_size()]
        except OSError as error:
            return [disk_gone(error)]
        return [alarm for alarm in alarms if alarm is not None]

    def _free(self) -> int:
        return shutil.disk_usage(self._path.parent).free

    def _room(self) -> Alarm | None:
        free = self._free()
        return disk_low(free) if free < self._free_bytes_min else None

    def _reserve(self) -> Alarm | None:
        return disk_full() if self._released else None

    def _keep_ballast(self) -> None:
        """Make the reserve, when there is room for it."""
        if _size(self._ballast) == self._ballast_bytes:
            return
        if self._free() < ROOM_FOR_BALLAST * self._ballast_bytes:
            return
        try:
            _allocate(self._ballast, self._ballast_bytes)
        except OSError:
            # A quota may leave less room than the disk has.
            self._ballast.unlink(missing_ok=True)
            logger.warning("The reserve could not be made.", exc_info=True)
            return
        self._released = False

    def _make_room(self, error: LogFailed) -> bool:
        """Give up the reserve, if a full disk is what made the log fail."""
        try:
            if DISK_FULL not in str(error) and self._free() > FULL_BYTES:
                return False
            self._ballast.unlink()
        except OSError:  # It has been given up before.
            return False
        self._released = True
        alarm = disk_full()
        logger.error("%s / %s", alarm.zh, alarm.en)
        return True

    def _wal_size(self) -> Alarm | None:
        """Keep the write-ahead log small, as far as readers allow it."""
        if _size(self._wal) > WAL_BYTES_MAX:
            try:
                self._hall.log.checkpoint()
            except LogFailed as error:  # Perhaps there is no room for it.
                logger.warning("The checkpoint failed: %s", error)
        size = _size(self._wal)
        self._wal_rounds = self._wal_rounds + 1 if size > WAL_BYTES_MAX else 0
        if self._wal_rounds < WAL_ROUNDS:
            return None
        return wal_large(size, readers(self._path))


def disk_low(free: int) -> Alarm:
    """There is little room on the log's disk."""
    return Alarm(
        "DiskLow",
        f"日志所在磁盘只剩 {free // MB} MB，请清理",
        f"Only {free // MB} MB are free on the log's disk; make room",
    )


def disk_full() -> Alarm:
    """The disk was full, and the hall goes on with what the reserve gave."""
    return Alarm(
        "DiskFull",
        "磁盘已满，正在使用备用空间，请立即清理磁盘，否则很快无法取号叫号",
        "The disk is full and the reserve is in use; make room now, "
        "or the hall will soon stop",
    )


def disk_gone(error: OSError) -> Alarm:
    """The folder of the log cannot be looked at."""
    return Alarm(
        "DiskGone",
        f"无法访问日志所在磁盘：{error.strerror}",
        f"The log's disk cannot be reached: {error.strerror}",
    )


def wal_large(size: int, pids: Sequence[int]) -> Alarm:
    """A reader keeps the write-ahead log from being emptied."""
    who = "、".join(map(str, pids)) or "?"
    return Alarm(
        "WalLarge",
        f"有程序长时间占用日志（pid {who}），预写文件已有 {size // MB} MB，请结束它",
        f"A program stays in the log (pid {who}); the write-ahead log has grown to "
        f"{size // MB} MB; end that program",
    )


def readers(path: Path) -> list[int]:
    """The processes that are inside a reading transaction of a log, where known.

    From Linux' table of locks: to open the `-shm` file and ask it would drop the
    locks that this very process has on it.
    """
    try:
        shm = path.with_name(path.name + "-shm").stat()
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return []
    device = f"{os.major(shm.st_dev):02x}:{os.minor(shm.st_dev):02x}:{shm.st_ino}"
    found = set()
    for line in table.splitlines():
        words = line.split()  # `7: POSIX ADVISORY READ 4711 fe:00:1234 124 124`
        if words[1] != "POSIX" or words[5:6] != [device]:
            continue
        if int(words[6]) in READ_MARKS:
            found.add(int(words[4]))
    return sorted(found - {os.getpid()})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _allocate(path: Path, size: int) -> None:
    """A file that really takes up its size."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        else:  # macOS has none; there is nothing to write but bytes.
            for _ in range(0, size, MB):
                os.write(file, bytes(MB))
            os.ftruncate(file, size)
        os.fsync(file)
    finally:
        os.close(file)
