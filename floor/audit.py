"""The audit (核查): whether a log is what was written, and which row is not.

One pass over the raw rows checks that every stream counts from 1 without a hole, that
every row is a fact this release knows, that positions of a hall have no gap in the
order of the log, and that each seal and each given checkpoint states the size and the
root of the rows as they stand. What is wrong becomes a `Finding` with its place.

A root cannot say which row was changed; the leaf lists can (floor/seals.py). A list is
believed up to the size at which a seal or a checkpoint states its root; then the first
row with another leaf is the changed one, and no other.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

import msgspec

from floor import facts
from floor.checkpoint import Checkpoint, hall_of
from floor.facts import Fact
from floor.seals import LeafLists, Row
from floor.stream_audit import Finding, Place, StreamAudit, as_text

# A log of a newer release would have a finding for every row; a person reads some.
FINDINGS_MAX = 200


class Report(msgspec.Struct):
    """What was checked, and what was found.

    unsealed: facts that no seal and no checkpoint covers; their change shows only
        where it breaks the order or the shape of the log.
    unlisted: sealed streams without a leaf list, where no row could be named.
    more: findings beyond the first `FINDINGS_MAX`.
    """

    facts: int = 0
    streams: int = 0
    seals: int = 0
    checkpoints: int = 0
    unsealed: int = 0
    unlisted: int = 0
    findings: list[Finding] = []
    more: int = 0

    @property
    def sound(self) -> bool:
        return not self.findings

    @property
    def text(self) -> str:
        """Each finding on a line, then what was checked."""
        lines = [finding.text for finding in self.findings]
        if self.more:
            lines.append(f"另有{self.more}处 / and {self.more} more")
        zh = "与所写一致" if self.sound else "与所写不符"
        en = "is what was written" if self.sound else "is NOT what was written"
        lines.append(
            f"{zh}：{self.facts}条，{self.streams}个流，封存{self.seals}次，"
            f"检查点{self.checkpoints}个，未封存{self.unsealed}条，"
            f"缺叶表{self.unlisted}个 / "
            f"{en}: {self.facts} facts, {self.streams} streams, {self.seals} seals, "
            f"{self.checkpoints} checkpoints, {self.unsealed} facts not sealed, "
            f"{self.unlisted} sealed streams without a leaf list"
        )
        return "\n".join(lines)


def verify(
    rows: Iterable[Row],
    lists: LeafLists | None = None,
    checkpoints: Iterable[Checkpoint] = (),
) -> Report:
    """Check a whole log.

    Args:
        rows: all of it, from any storage, in the order in which it is read.
        lists: the leaf lists beside it.
        checkpoints: of its streams, their signatures checked already.
    """
    audit = _Audit(lists, list(checkpoints))
    for stream, run in groupby(rows, itemgetter(0)):
        audit.take(stream, run)
    return audit.conclude()


class _Names(dict[bytes, str]):
    """Topics as text, each made once."""

    def __missing__(self, topic: bytes) -> str:
        self[topic] = as_text(topic)
        return self[topic]


class _Audit:
    """The pass over all rows."""

    def __init__(self, lists: LeafLists | None, checkpoints: list[Checkpoint]) -> None:
        self._lists = lists
        self._checkpoints = checkpoints
        self._streams: dict[bytes, StreamAudit] = {}
        self._orders: dict[str, _Order] = {}
        self._names = _Names()
        self._report = Report(checkpoints=len(checkpoints))

    def take(self, stream: bytes, run: Iterable[Row]) -> None:
        """Rows of one stream that follow each other in the log."""
        names, decode = self._names, facts.decode
        audit = self._streams.get(stream)
        if audit is None:
            audit = self._streams[stream] = self._begun(stream)
        order = self._orders.setdefault(hall_of(audit.name), _Order())
        take, expected, count = audit.take, order.expected, 0
        fact: Fact | None
        for _, version, topic, state in run:
            count += 1
            try:
                fact = decode(names[topic], state)
                position = fact.position
            except (ValueError, TypeError) as error:  # Not ours, or not fitting.
                fact, position = None, expected
                self._find(
                    Place(audit.name, version, expected, names[topic]),
                    f"无法读取：{error}",
                    f"cannot be read: {error}",
                )
            if position == expected:
                expected += 1
            else:
                place = Place(audit.name, version, expected, names[topic])
                if not order.goes_on(position, expected):
                    self._find(
                        place,
                        f"此处应是位置{expected}，却写着{position}",
                        f"position {expected} belongs here, {position} is written",
                    )
                expected = order.expected
            take(version, topic, state, fact, expected - 1)
        order.expected = expected
        self._report.facts += count

    def conclude(self) -> Report:
        report = self._report
        for audit in self._streams.values():
            for finding in audit.conclude():
                self._add(finding)
            report.seals += len(audit.seals)
            report.unsealed += audit.size - audit.covered
            report.unlisted += bool(audit.seals) and not audit.listed
        report.streams = len(self._streams)
        self._find_absent()
        return report

    def _find_absent(self) -> None:
        """Streams that a list or a checkpoint knows, and the log does not."""
        known = {audit.name for audit in self._streams.values()}
        sizes = dict(self._lists.streams()) if self._lists else {}
        for stated in self._checkpoints:
            sizes[stated.origin] = max(sizes.get(stated.origin, 0), stated.size)
        for stream, size in sizes.items():
            if stream not in known and size:
                self._find(
                    Place(stream),
                    f"曾有{size}条，日志中已全部不在",
                    f"had {size} facts, and all are gone from the log",
                )

    def _begun(self, stream: bytes) -> "StreamAudit":
        name = as_text(stream)
        stated = [each for each in self._checkpoints if each.origin == name]
        return StreamAudit(stream, self._lists, stated)

    def _find(self, place: Place, zh: str, en: str) -> None:
        self._add(Finding(place, zh, en))

    def _add(self, finding: Finding) -> None:
        if len(self._report.findings) < FINDINGS_MAX:
            self._report.findings.append(finding)
        else:
            self._report.more += 1


class _Order:
    """The positions of a hall: one after the other over all its streams.

    After a position that is not the next, either the row is wrong or rows before it
    are gone. The next row tells which, so that one change is found once.
    """

    def __init__(self) -> None:
        self.expected = 1
        self._either = (0, 0)

    def goes_on(self, position: int, expected: int) -> bool:
        """Whether this is the next position after all; sets the next."""
        if (expected, position) == self._either:
            self.expected = position + 1
            return True
        self.expected = expected + 1
        self._either = (expected + 1, position + 1)
        return False
