"""The audit (核查): whether a log is what was written, and which row is not.

One pass over the raw rows checks that every stream counts from 1 without a hole, that
every row is a fact this release knows, that positions of a hall have no gap in the
order of the log, and that each seal and each given checkpoint states the size and the
root of the rows as they stand. What is wrong becomes a `Finding` with its place.

A root cannot say which row was changed; the leaf lists can (floor/seals.py). A list is
believed up to the size at which a seal or a checkpoint states its root; then the first
row with another leaf is the changed one, and no other.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from operator import itemgetter

import msgspec

from floor import facts
from floor.facts import Fact
from floor.proving.checkpoint import Checkpoint, hall_of
from floor.proving.stream_audit import Finding, Place, StreamAudit, as_text
from floor.seals import LeafLists, Row

# A log of a newer release would have a finding for every row; a person reads some.
FINDINGS_MAX = 200
MANY = 1_000  # Rows taken at once, where all is well.


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
    audit = Audit(lists, list(checkpoints))
    for stream, run in groupby(rows, itemgetter(0)):
        audit.take(stream, run)
    return audit.conclude()


class _Names(dict[bytes, str]):
    """Topics as text, each made once."""

    def __missing__(self, topic: bytes) -> str:
        self[topic] = as_text(topic)
        return self[topic]


class Audit:
    """The pass over all rows."""

    def __init__(
        self, lists: LeafLists | None, checkpoints: Sequence[Checkpoint]
    ) -> None:
        self._lists = lists.as_of_now() if lists else None
        self._checkpoints = checkpoints
        self.streams: dict[bytes, StreamAudit] = {}
        self.orders: dict[str, Order] = {}
        self.elsewhere: set[str] = set()  # Streams that another pass has audited.
        self._names = _Names()
        self.report = Report(checkpoints=len(checkpoints))

    def take(self, stream: bytes, run: Iterable[Row]) -> None:
        """Rows of one stream that follow each other in the log."""
        audit = self.streams.get(stream)
        if audit is None:
            audit = self.streams[stream] = self._begun(stream)
        order = self.orders.setdefault(hall_of(audit.name), Order())
        run = iter(run)
        while rows := list(islice(run, MANY)):
            self.report.facts += len(rows)
            if not self._take_many(audit, order, rows):
                for row in rows:
                    self._take_one(audit, order, row)

    def take_trees(self, stream: bytes, rows: Sequence[Row]) -> bool:
        """Rows whose order was audited elsewhere; whether they can be read at all."""
        audit = self.streams.get(stream)
        if audit is None:
            audit = self.streams[stream] = self._begun(stream)
        try:
            for _, version, topic, state in rows:
                fact = facts.decode(self._names[topic], state)
                audit.take(version, topic, state, fact, fact.position)
        except (ValueError, TypeError):
            return False
        return True

    def _take_many(self, audit: StreamAudit, order: "Order", rows: list[Row]) -> bool:
        """Rows of which nothing is to be said; else none of them is taken."""
        _, versions, topics, states = zip(*rows, strict=True)
        names, decode = self._names, facts.decode
        try:
            positions = [
                decode(names[topic], state).position
                for topic, state in zip(topics, states, strict=True)
            ]
        except (ValueError, TypeError):
            return False
        after = order.expected + len(rows)
        if positions != list(range(order.expected, after)):
            return False
        if not audit.take_many(versions, topics, states):
            return False
        order.expected = after
        return True

    def _take_one(self, audit: StreamAudit, order: "Order", row: Row) -> None:
        _, version, topic, state = row
        expected = order.expected
        place = Place(audit.name, version, expected, self._names[topic])
        fact: Fact | None = None
        position = expected
        try:
            fact = facts.decode(self._names[topic], state)
            position = fact.position
        except (ValueError, TypeError) as error:  # Not ours, or not fitting.
            self._find(place, f"无法读取：{error}", f"cannot be read: {error}")
        if not order.take(position):
            self._find(
                place,
                f"此处应是位置{expected}，却写着{position}",
                f"position {expected} belongs here, {position} is written",
            )
        # Where rows before it are gone, its own position is right after all.
        audit.take(version, topic, state, fact, order.expected - 1)

    def conclude(self) -> Report:
        self.conclude_streams()
        self._find_absent()
        return self.report

    def conclude_streams(self) -> None:
        report = self.report
        for audit in self.streams.values():
            for finding in audit.conclude():
                self._add(finding)
            report.seals += len(audit.seals)
            report.unsealed += audit.size - audit.covered
            report.unlisted += bool(audit.seals) and not audit.listed
        report.streams += len(self.streams)

    def _find_absent(self) -> None:
        """Streams that a list or a checkpoint knows, and the log does not."""
        known = {audit.name for audit in self.streams.values()} | self.elsewhere
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
        if len(self.report.findings) < FINDINGS_MAX:
            self.report.findings.append(finding)
        else:
            self.report.more += 1


class Order:
    """The positions of a hall: one after the other over all its streams, from 1.

    After a position that is not the next, either the row is wrong or rows before it
    are gone. The next row tells which, so that one change is found once.
    """

    def __init__(self) -> None:
        self.expected = 1
        self._either = (0, 0)

    def take(self, position: int) -> bool:
        """Whether this is the next position; sets the one after it."""
        expected = self.expected
        if position == expected or self._either == (expected, position):
            self.expected = position + 1
            return True
        self.expected = expected + 1
        self._either = (expected + 1, position + 1)
        return False
