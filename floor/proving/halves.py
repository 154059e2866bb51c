"""The audit of a large log on two processors.

Each process audits one half of the rows. Only the answer "all is sound" is taken from
the halves: whenever one finds anything, or they do not fit together, the whole log is
audited in one pass (`audit`), which is the only one that names what is wrong.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

import msgspec

from floor.proving import raw
from floor.proving.audit import Audit, Order, Report, verify
from floor.proving.checkpoint import Checkpoint, hall_of
from floor.proving.stream_audit import StreamAudit, as_text
from floor.seals import LeafLists, Row
from floor.storing.storage import Place, beside

# Below this a second process would not have started before the first is done.
HALVES_FROM_ROWS = 300_000


def verify_log(path: Place, checkpoints: Sequence[Checkpoint] = ()) -> Report:
    """Check a whole log in a file, with the leaf lists beside it.

    Args:
        path: the log; a hall may be writing to it.
        checkpoints: of its streams, their signatures checked already.

    Raises:
        LogUnreadable: it is missing, or no log.
    """
    lists = LeafLists(beside(path)).as_of_now()  # Before the rows; see there.
    if not isinstance(path, Path):
        return verify(raw.rows(path), lists, checkpoints)
    end = raw.last_row(path)
    if end >= HALVES_FROM_ROWS and (os.cpu_count() or 1) > 1:
        report = in_halves(path, lists, checkpoints, end // 2, end)
        if report is not None and report.sound:
            return report
    return verify(raw.rows(path, until=end), lists, checkpoints)


def in_halves(
    path: Path,
    lists: LeafLists,
    checkpoints: Sequence[Checkpoint],
    middle: int,
    end: int,
) -> Report | None:
    """The report of a sound log; None, or one with findings, for any other."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        later = other.submit(later_half, path, lists, checkpoints, middle, end)
        audit = Audit(lists, checkpoints)
        for stream, run in groupby(raw.rows(path, until=middle), itemgetter(0)):
            audit.take(stream, run)
        half = later.result()
    if half is None or not _follows(audit, half):
        return None
    for name in half.began:
        if not audit.take_trees(name, raw.rows_after(path, name, middle, end)):
            return None
    audit.elsewhere = {as_text(name) for name in half.streams}
    report = audit.conclude()
    report.facts += half.report.facts
    report.streams += half.report.streams
    report.seals += half.report.seals
    report.unsealed += half.report.unsealed
    report.unlisted += half.report.unlisted
    return report


def _follows(audit: Audit, half: "Half") -> bool:
    """Whether the later half goes on where the earlier one stops."""
    if not audit.report.sound or audit.streams.keys() & set(half.streams):
        return False
    ends = {hall: order.expected for hall, order in audit.orders.items()}
    return all(ends.get(hall, 1) == first for hall, first in half.firsts.items())


def later_half(
    path: Path,
    lists: LeafLists,
    checkpoints: Sequence[Checkpoint],
    middle: int,
    end: int,
) -> "Half | None":
    """Audit the rows after the middle, in a process of its own.

    Returns:
        None when anything is wrong.
    """
    audit = _LaterHalf(lists, checkpoints)
    for stream, run in groupby(raw.rows(path, since=middle, until=end), itemgetter(0)):
        audit.take(stream, run)
    audit.conclude_streams()
    began = [
        name for name, each in audit.streams.items() if isinstance(each, _Elsewhere)
    ]
    audit.report.streams -= len(began)
    streams = [name for name in audit.streams if name not in began]
    if not audit.report.sound:
        return None
    return Half(audit.report, began, streams, audit.firsts)


class Half(msgspec.Struct):
    """What the later half of a log is, when nothing in it is wrong.

    report: of what it holds, without the streams that began before it.
    began: those streams.
    streams: all others.
    firsts: of each hall the first position here.
    """

    report: Report
    began: list[bytes]
    streams: list[bytes]
    firsts: dict[str, int]


class _LaterHalf(Audit):
    """The audit of rows that do not begin the log."""

    def __init__(
        self, lists: LeafLists | None, checkpoints: Sequence[Checkpoint]
    ) -> None:
        super().__init__(lists, checkpoints)
        self.firsts: dict[str, int] = {}

    def take(self, stream: bytes, run: Iterable[Row]) -> None:
        rows = list(run)
        hall = hall_of(as_text(stream))
        if hall not in self.orders:
            self.orders[hall] = Order()
            self.orders[hall].expected = self.firsts[hall] = raw.position_of(rows[0])
        if stream not in self.streams and rows[0][1] != 1:
            self.streams[stream] = _Elsewhere(stream, None)
        super().take(stream, rows)


class _Elsewhere(StreamAudit):
    """A stream that began before: its tree is built where its beginning is."""

    def take_many(
        self, versions: Sequence[int], topics: Sequence[bytes], states: Sequence[bytes]
    ) -> bool:
        return True

    def take(self, *_: object) -> None:
        pass
