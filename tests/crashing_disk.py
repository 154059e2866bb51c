"""A disk that may lose what was not synced, for the SQLite that Python really uses.

A VFS (SQLite's own seam to the operating system, sqlite.org/vfs.html) is put in front
of the usual one, in the same library that the `sqlite3` module calls. It passes
everything on and writes down each write, truncation, sync, creation and deletion
below one folder. From that journal `images` builds the files as a disk could hold
them when the power fails after any of these operations:

    dropped     nothing but what was synced
    reordered   any subset of the unsynced writes, of each file by itself
    torn        the unsynced writes up to one that is cut between two sectors

A file's first sync makes its name durable too; names are lost in the order of a
journaling file system. The `-shm` file is memory, and gone.
"""

import ctypes
import os
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import pytest

SECTOR_BYTES = 512
SQLITE_OK = 0
SQLITE_FULL = 13
SQLITE_IOERR_FSYNC = 1034


class Loss(StrEnum):
    """What a disk may do with writes that no sync has followed."""

    DROPPED = "dropped"
    REORDERED = "reordered"
    TORN = "torn"


# ── What happened to the files ──────────────────────────────────────────────


@dataclass(frozen=True)
class Created:
    file: int
    name: str


@dataclass(frozen=True)
class Deleted:
    name: str
    durable: bool  # The folder was synced with it.


@dataclass(frozen=True)
class Written:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncated:
    file: int
    size: int


@dataclass(frozen=True)
class Synced:
    file: int


@dataclass(frozen=True)
class NamesSynced:
    """The folder was synced: what was created is there, what was deleted is gone."""


@dataclass(frozen=True)
class SyncFailed:
    """The system said so once, and forgets the writes: later syncs pass over them."""

    file: int


@dataclass(frozen=True)
class Noted:
    """A remark of the test between two operations, such as "acknowledged 7"."""

    remark: object


Change = Written | Truncated
Operation = Created | Deleted | Change | Synced | NamesSynced | SyncFailed | Noted


@dataclass
class Journal:
    """All that a process did to the files of a folder, in order.

    Attributes:
        room: asked before each write; False is a full disk.
        sound: asked at each sync; False is a disk that cannot write.
    """

    folder: Path
    operations: list[Operation] = field(default_factory=list)
    room: Callable[[], bool] = lambda: True
    sound: Callable[[], bool] = lambda: True

    def note(self, remark: object) -> None:
        self.operations.append(Noted(remark))


# ── What a disk could hold after a crash ────────────────────────────────────


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def after(self, changes: Sequence[Change]) -> bytes:
        data = bytearray(self.durable)
        for change in changes:
            _apply(data, change)
        return bytes(data)


class Image:
    """The state of the disk at one point; moves on with each operation."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._names: list[Created | Deleted] = []
        self._names_durable = 0
        self.noted: list[object] = []

    def go_on(self, operation: Operation) -> None:
        match operation:
            case Created():
                self._files[operation.file] = _File()
                self._names.append(operation)
            case Deleted():
                self._names.append(operation)
                if operation.durable:
                    self._names_durable = len(self._names)
            case Written() | Truncated():
                self._files[operation.file].pending.append(operation)
            case Synced():
                file = self._files[operation.file]
                for change in file.pending:
                    _apply(file.durable, change)
                file.pending.clear()
                born = next(
                    n
                    for n, name in enumerate(self._names)
                    if isinstance(name, Created) and name.file == operation.file
                )
                self._names_durable = max(self._names_durable, born + 1)
            case NamesSynced():
                self._names_durable = len(self._names)
            case SyncFailed():
                self._files[operation.file].pending.clear()
            case Noted():
                self.noted.append(operation.remark)

    def after_crash(self, loss: Loss, chance: random.Random) -> dict[str, bytes]:
        """The files that are found when the machine is switched on again."""
        kept = self._names_durable
        if loss is not Loss.DROPPED:
            kept = chance.randint(kept, len(self._names))
        return {
            name: file.after(_survivors(file.pending, loss, chance))
            for name, file in self._named(kept).items()
        }

    def without_crash(self) -> dict[str, bytes]:
        """The files as the process that writes them sees them."""
        named = self._named(len(self._names))
        return {name: file.after(file.pending) for name, file in named.items()}

    def _named(self, kept: int) -> dict[str, _File]:
        found: dict[str, _File] = {}
        for name in self._names[:kept]:
            if isinstance(name, Created):
                found[name.name] = self._files[name.file]
            else:
                found.pop(name.name, None)
        return found


def _survivors(
    pending: Sequence[Change], loss: Loss, chance: random.Random
) -> list[Change]:
    match loss:
        case Loss.DROPPED:
            return []
        case Loss.REORDERED:
            share = chance.random()
            some = [change for change in pending if chance.random() < share]
            chance.shuffle(some)
            return some
        case Loss.TORN:
            before = list(pending[: chance.randint(0, len(pending))])
            if before and isinstance(before[-1], Written):
                last = before[-1]
                sectors = chance.randint(0, len(last.data) // SECTOR_BYTES)
                torn = last.data[: sectors * SECTOR_BYTES]
                before[-1] = Written(last.file, last.offset, torn)
            return before


def _apply(data: bytearray, change: Change) -> None:
    size = change.size if isinstance(change, Truncated) else change.offset
    if len(data) < size:
        data.extend(bytes(size - len(data)))
    if isinstance(change, Truncated):
        del data[change.size :]
    else:
        data[change.offset : change.offset + len(change.data)] = change.data


# ── SQLite's own structures (sqlite3.h) ─────────────────────────────────────

_P = ctypes.c_void_p
_INT = ctypes.c_int
_I64 = ctypes.c_longlong
# Paths stay addresses: SQLite keeps the very pointer, and what lies around it.
_OPEN = ctypes.CFUNCTYPE(_INT, _P, _P, _P, _INT, _P)
_DELETE = ctypes.CFUNCTYPE(_INT, _P, _P, _INT)
_WRITE = ctypes.CFUNCTYPE(_INT, _P, _P, _INT, _I64)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _P, _I64)
_SYNC = ctypes.CFUNCTYPE(_INT, _P, _INT)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", _INT),
        ("szOsFile", _INT),
        ("mxPathname", _INT),
        ("pNext", _P),
        ("zName", ctypes.c_char_p),
        ("pAppData", _P),
        ("xOpen", _OPEN),
        ("xDelete", _DELETE),
        *((f"rest{n}", _P) for n in range(14)),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("iVersion", _INT),
        ("xClose", _P),
        ("xRead", _P),
        ("xWrite", _WRITE),
        ("xTruncate", _TRUNCATE),
        ("xSync", _SYNC),
        *((f"rest{n}", _P) for n in range(13)),
    )


class _OpenFile(ctypes.Structure):
    _fields_ = (("pMethods", ctypes.POINTER(_Methods)),)


def library() -> ctypes.CDLL:
    """The SQLite that the `sqlite3` module calls, wherever it was linked from."""
    import _sqlite3

    # Symbols are looked for in what the module itself is linked with; a Python that
    # has SQLite built in holds them itself.
    found = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    if not hasattr(found, "sqlite3_vfs_register") and os.environ.get("CI") != "true":
        pytest.skip("This Python keeps the functions of its SQLite to itself.")
    found.sqlite3_libversion.restype = ctypes.c_char_p
    version = found.sqlite3_libversion().decode()
    assert version == sqlite3.sqlite_version, "This is another SQLite."
    found.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    found.sqlite3_vfs_register.argtypes = [ctypes.POINTER(_Vfs), _INT]
    found.sqlite3_vfs_unregister.argtypes = [ctypes.POINTER(_Vfs)]
    return found


@contextmanager
def recording(
    folder: Path,
    files: Mapping[str, bytes] | None = None,
    cached: Mapping[str, bytes] | None = None,
    *,
    forgotten: bool = False,
) -> Iterator[Journal]:
    """Write down what every connection of this process does below a folder.

    All connections made in the block must be closed in it. Nothing is really synced:
    the journal knows what would have been lost, and tests are quick.

    Args:
        folder: must be empty; a file is recorded from its beginning.
        files: what is to lie in it already, durably.
        cached: what it looks like to a process, where that is not durable yet.
        forgotten: and never will be, since its sync has failed.
    """
    assert not any(folder.iterdir()), "The folder is not empty."
    sqlite = library()
    usual = sqlite.sqlite3_vfs_find(None)
    journal = Journal(folder.resolve())
    front = _Front(usual, journal)
    durable = files or {}
    seen = durable if cached is None else cached
    for name in {**durable, **seen}:
        front.adopt(name, durable.get(name), seen.get(name))
        if forgotten and durable.get(name) != seen.get(name):
            front.forget(name)
    assert sqlite.sqlite3_vfs_register(ctypes.byref(front.vfs), 1) == SQLITE_OK
    fsync = os.fsync
    os.fsync = cast(Any, front.fsync)
    try:
        yield journal
    finally:
        os.fsync = fsync
        sqlite.sqlite3_vfs_register(usual, 1)
        sqlite.sqlite3_vfs_unregister(ctypes.byref(front.vfs))


class _Front:
    """The VFS in front: the usual one, with those functions that write down first."""

    def __init__(self, usual: Any, journal: Journal) -> None:
        self._usual = usual
        self._journal = journal
        self._live: dict[str, int] = {}  # Names that exist, and their files.
        self._open: dict[int, int] = {}  # SQLite's open file, and the file behind it.
        self._files = 0
        self._tables: dict[int, tuple[_Methods, _Methods]] = {}
        self.vfs = _Vfs.from_buffer_copy(usual.contents)
        self.vfs.pNext = None
        self.vfs.zName = b"recording"
        self.vfs.xOpen = _OPEN(self._on_open)
        self.vfs.xDelete = _DELETE(self._on_delete)

    def adopt(self, name: str, durable: bytes | None, seen: bytes | None) -> None:
        """A file that is there already, on the disk, to processes, or both."""
        file = self._create(name)
        note = self._journal.operations.append
        if durable is not None:
            note(Written(file, 0, durable))
            note(Synced(file))
        if seen is None:
            del self._live[name]
            note(Deleted(name, durable=False))
            return
        (self._journal.folder / name).write_bytes(seen)
        if seen != durable:
            note(Truncated(file, len(seen)))
            note(Written(file, 0, seen))

    def forget(self, name: str) -> None:
        if name in self._live:
            self._journal.operations.append(SyncFailed(self._live[name]))

    def fsync(self, opened: int) -> None:
        """What Python itself syncs."""
        inode = os.fstat(opened).st_ino
        folder = self._journal.folder
        if inode == folder.stat().st_ino:
            self._journal.operations.append(NamesSynced())
        for name, file in self._live.items():
            if (folder / name).stat().st_ino == inode:
                self._journal.operations.append(Synced(file))

    def _name(self, path: int | None) -> str | None:
        """The name of a file that is recorded; None for any other."""
        folder = str(self._journal.folder) + "/"
        text = ctypes.string_at(path).decode() if path else ""
        return text[len(folder) :] if text.startswith(folder) else None

    def _on_open(
        self, _: int, path: int | None, at: int, flags: int, out: int | None
    ) -> int:
        code: int = self._usual.contents.xOpen(
            ctypes.cast(self._usual, _P), path, at, flags, out
        )
        name = self._name(path)
        if code != SQLITE_OK or name is None:
            return code
        if name not in self._live:
            self._create(name)
        self._open[at] = self._live[name]
        opened = _OpenFile.from_address(at)
        opened.pMethods = ctypes.pointer(self._table_for(opened.pMethods))
        return code

    def _create(self, name: str) -> int:
        self._files += 1
        self._live[name] = self._files
        self._journal.operations.append(Created(self._files, name))
        return self._files

    def _on_delete(self, _: int, path: int, sync_folder: int) -> int:
        code: int = self._usual.contents.xDelete(ctypes.cast(self._usual, _P), path, 0)
        name = self._name(path)
        if code == SQLITE_OK and name in self._live:
            del self._live[name]
            self._journal.operations.append(Deleted(name, durable=bool(sync_folder)))
        return code

    def _table_for(self, usual: Any) -> _Methods:
        """The methods of an open file, ours for what changes it."""
        address = ctypes.addressof(usual.contents)
        if address not in self._tables:
            real = _Methods.from_buffer_copy(usual.contents)
            ours = _Methods.from_buffer_copy(usual.contents)
            ours.xWrite = _WRITE(self._writing(real.xWrite))
            ours.xTruncate = _TRUNCATE(self._truncating(real.xTruncate))
            ours.xSync = _SYNC(self._syncing)
            self._tables[address] = (real, ours)
        return self._tables[address][1]

    def _writing(self, real: Any) -> Callable[[int, int, int, int], int]:
        def write(at: int, data: int, size: int, offset: int) -> int:
            if not self._journal.room():
                return SQLITE_FULL
            written = ctypes.string_at(data, size)
            self._journal.operations.append(Written(self._open[at], offset, written))
            return int(real(at, data, size, offset))

        return write

    def _truncating(self, real: Any) -> Callable[[int, int], int]:
        def truncate(at: int, size: int) -> int:
            self._journal.operations.append(Truncated(self._open[at], size))
            return int(real(at, size))

        return truncate

    def _syncing(self, at: int, _: int) -> int:
        if not self._journal.sound():
            self._journal.operations.append(SyncFailed(self._open[at]))
            return SQLITE_IOERR_FSYNC
        self._journal.operations.append(Synced(self._open[at]))
        return SQLITE_OK
