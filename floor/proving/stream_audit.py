"""The audit of one stream: its rows one by one, then what they must agree with.

Used by `audit` for every stream of a log, and alone before a checkpoint is signed.
"""

import struct
from collections.abc import Iterable, Iterator

import msgspec

from floor.facts import DaySealed, Fact
from floor.merkle import HASH_BYTES, Frontier, root_of
from floor.proving.checkpoint import Checkpoint
from floor.seals import LeafLists, leaf_of

SEAL = DaySealed.__name__.encode()
NO_LEAF = bytes(HASH_BYTES)  # Of a row whose columns are not even of the right kind.


class Place(msgspec.Struct, frozen=True):
    """Where in the log: 0 and empty where it cannot be told."""

    stream: str
    version: int = 0
    position: int = 0
    topic: str = ""

    def words(self, zh: bool) -> str:
        words = [self.stream]
        if self.version:
            words.append(f"第{self.version}条" if zh else f"version {self.version}")
        if self.position:
            words.append(f"位置{self.position}" if zh else f"position {self.position}")
        return " ".join([*words, self.topic] if self.topic else words)


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it was written, in both languages."""

    place: Place
    zh: str
    en: str

    @property
    def text(self) -> str:
        zh, en = self.place.words(True), self.place.words(False)
        return f"{zh}：{self.zh} / {en}: {self.en}"


class Stated(msgspec.Struct, frozen=True):
    """A seal or a checkpoint: what a stream was said to be at a size.

    place: of the seal; None for a checkpoint.
    holds: whether the rows are so; None when a hole came first.
    """

    size: int
    root: bytes
    place: Place | None = None
    holds: bool | None = None


class StreamAudit:
    """One stream, row by row.

    Args:
        stream: its name, as the rows have it.
        lists: where its leaf list is, if there is one.
        checkpoints: that name this stream.
    """

    def __init__(
        self,
        stream: bytes,
        lists: LeafLists | None,
        checkpoints: Iterable[Checkpoint] = (),
    ) -> None:
        self.name = as_text(stream)
        self.size = 0
        self.seals: list[Stated] = []
        self._checkpoints: list[Stated] = []
        self._stops: dict[int, list[bytes]] = {}
        for each in checkpoints:
            self._stops.setdefault(each.size, []).append(each.root)
        self._lists = lists
        self._kept = (lists.read(self.name) if lists else None) or b""
        self.listed = len(self._kept) // HASH_BYTES
        self._changed: Place | None = None
        self._early: dict[int, tuple[bytes, bytes, Fact | None, int]] = {}
        self._gap = 0
        self._found: list[Finding] = []
        self._tree = Frontier()
        # A name that is not even text leaves nothing that could be hashed.
        self._stream = stream if isinstance(stream, bytes) else b""
        self._check_stop()

    def take(
        self, version: int, topic: bytes, state: bytes, fact: Fact | None, position: int
    ) -> None:
        """The next row of the stream in the order of the log."""
        if version != self.size + 1:
            self._take_early(version, topic, state, fact, position)
            return
        try:
            leaf = leaf_of(self._stream, version, topic, state)
        except (TypeError, struct.error):
            leaf = NO_LEAF
        if self._kept:
            self._compare(version, leaf, topic, position)
        if type(fact) is DaySealed:
            self._take_seal(fact, Place(self.name, version, position, as_text(topic)))
        self.size = version
        self._tree.append(leaf)
        if self._stops:
            self._check_stop()
        if self._early:
            self._take_late()

    def take_many(
        self,
        versions: tuple[int, ...],
        topics: tuple[bytes, ...],
        states: tuple[bytes, ...],
    ) -> bool:
        """Many rows at once, if nothing is to be said of any; else none of them.

        The same as `take` for each, in half the time: nearly all rows of nearly all
        logs go this way.
        """
        size = self.size + len(versions)
        if versions != tuple(range(self.size + 1, size + 1)):
            return False
        if self._early or SEAL in topics or any(at <= size for at in self._stops):
            return False
        stream = self._stream
        try:
            leaves = [
                leaf_of(stream, version, topic, state)
                for version, topic, state in zip(versions, topics, states, strict=True)
            ]
        except (TypeError, struct.error):
            return False
        if self._kept:
            kept = self._kept[self.size * HASH_BYTES : size * HASH_BYTES]
            if kept != b"".join(leaves):
                return False
            self._compared(size)
        self._tree.extend(leaves)
        self.size = size
        return True

    @property
    def root(self) -> bytes:
        """The root over the rows so far."""
        return self._tree.root()

    @property
    def covered(self) -> int:
        """Facts up to the last seal or checkpoint that holds, the seal among them."""
        seals = [each.size + 1 for each in self.seals if each.holds]
        sizes = [each.size for each in self._checkpoints if each.holds]
        return max(*seals, *sizes, 0, 0)

    def conclude(self) -> Iterator[Finding]:
        """What is wrong, after the last row."""
        yield from self._found
        if self._early:
            yield Finding(
                Place(self.name, self.size + 1, self._gap),
                "这一条不在日志中",
                "this fact is missing from the log",
            )
            for version in sorted(self._early):
                topic, _, fact, position = self._early[version]
                if type(fact) is DaySealed:
                    place = Place(self.name, version, position, as_text(topic))
                    root = _root(fact)
                    self.seals.append(Stated(fact.size, root, place, None))
        stated = [
            *self.seals,
            *self._checkpoints,
            *(Stated(size, root) for size, all in self._stops.items() for root in all),
        ]
        yield from self._conclude(stated)

    def _conclude(self, stated: list[Stated]) -> Iterator[Finding]:
        failed = [each for each in stated if each.holds is False]
        changed = self._changed
        whole = not self._early
        if whole and self.listed > self.size:
            yield self._missing(self.listed, "叶表", "the leaf list")
        elif whole and self._stops:  # Sizes that were never reached.
            yield self._missing(max(self._stops), "检查点", "a checkpoint")
        if not changed and not failed:
            return
        believed = self._believed(stated)
        if changed and changed.version <= believed:
            yield Finding(changed, "这一条已被改动", "this fact was changed")
            return
        for each in failed:
            yield self._unlike(each, believed)
        if changed and not failed:
            yield Finding(
                changed,
                "与叶表不同，而封存与各行相符：叶表已损坏，或各行与封存一起被改写；"
                "请与另存的检查点核对",
                "differs from the leaf list while the seals agree with the rows: the "
                "list is damaged, or rows and seal were both rewritten; compare with "
                "a checkpoint that was kept elsewhere",
            )

    def _believed(self, stated: list[Stated]) -> int:
        """How many hashes of the list are confirmed.

        By seals as well as checkpoints; but where a checkpoint fails, whoever rewrote
        the rows may have rewritten seals and list to fit, and only checkpoints count.
        """
        if any(each.holds is False and each.place is None for each in stated):
            stated = [each for each in stated if each.place is None]
        kept = (self._lists.read(self.name) if self._lists else None) or b""
        leaves = [kept[at : at + HASH_BYTES] for at in range(0, len(kept), HASH_BYTES)]
        for each in sorted(stated, key=lambda each: -each.size):
            if each.size <= len(leaves) and root_of(leaves[: each.size]) == each.root:
                return each.size
        return 0

    def _unlike(self, stated: Stated, believed: int) -> Finding:
        """A seal or checkpoint that the rows contradict, with no row to name."""
        place = stated.place or Place(self.name)
        what = ("封存", "the seal") if stated.place else ("检查点", "the checkpoint")
        zh, en = (
            f"前{stated.size}条与{what[0]}不符",
            f"the first {stated.size} facts are not those of {what[1]}",
        )
        if believed and self._changed is None and believed < stated.size:
            if believed + 1 == stated.size:
                return Finding(
                    Place(self.name, stated.size), "这一条已被改动", "was changed"
                )
            return Finding(
                place,
                f"{zh}；改动在第{believed + 1}至{stated.size}条之间",
                f"{en}; the change lies in versions {believed + 1} to {stated.size}",
            )
        if not self.listed:
            why = "没有叶表", "there is no leaf list"
        elif self._changed:
            why = "叶表本身也被改动", "the leaf list was changed as well"
        elif stated.place is None:
            why = (
                "叶表与各行一起被改写",
                "the leaf list was rewritten together with the rows",
            )
        else:
            why = (
                "叶表与各行相符，被改动的是封存本身，或是各行连同叶表",
                "the leaf list agrees with the rows, so either the seal itself was "
                "changed or the rows together with the list",
            )
        return Finding(
            place,
            f"{zh}；无法指出哪一条：{why[0]}",
            f"{en}; no row can be named: {why[1]}",
        )

    def _missing(self, size: int, zh: str, en: str) -> Finding:
        return Finding(
            Place(self.name, self.size + 1),
            f"{zh}有{size}条，日志只有{self.size}条，这一条起不在了",
            f"{en} has {size} facts, the log {self.size}: from here on they are gone",
        )

    def _take_early(
        self, version: int, topic: bytes, state: bytes, fact: Fact | None, position: int
    ) -> None:
        """A row that is not the next: set aside until those before it have come."""
        place = Place(self.name, version, position, as_text(topic))
        if not isinstance(version, int) or version <= self.size:
            self._found.append(
                Finding(
                    place, "版本号不对或重复", "the version is wrong or there twice"
                )
            )
            return
        if not self._early:
            self._gap = position
        self._early[version] = (topic, state, fact, position)

    def _take_late(self) -> None:
        """Take the rows that were set aside, as far as they are next by now."""
        early, self._early = self._early, {}
        while self.size + 1 in early:
            version = self.size + 1
            self.take(version, *early.pop(version))
        self._early = early

    def _compare(self, version: int, leaf: bytes, topic: bytes, position: int) -> None:
        """Note the first row that is not as the leaf list has it."""
        end = version * HASH_BYTES
        if self._kept[end - HASH_BYTES : end] != leaf:
            self._changed = Place(self.name, version, position, as_text(topic))
            self._kept = b""
        self._compared(version)

    def _compared(self, size: int) -> None:
        """A list that was compared to its end is not held in memory any longer."""
        if size * HASH_BYTES >= len(self._kept):
            self._kept = b""

    def _take_seal(self, sealed: DaySealed, place: Place) -> None:
        root = _root(sealed)
        holds = sealed.size == self.size and root == self._tree.root()
        self.seals.append(Stated(sealed.size, root, place, holds))

    def _check_stop(self) -> None:
        for root in self._stops.pop(self.size, ()):
            holds = root == self._tree.root()
            self._checkpoints.append(Stated(self.size, root, None, holds))


def _root(sealed: DaySealed) -> bytes:
    try:
        return bytes.fromhex(sealed.root)
    except ValueError:
        return b""


def as_text(name: object) -> str:
    """A name of a row, whatever it is, for a person to read."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else repr(name)
