"""Seals: what was written is bound to a root, so that a change of it is found.

`StreamTree` is what a writer keeps for each stream: every fact becomes a leaf of an
RFC 9162 tree, and `seal` states size and root as the fact `DaySealed` (封存), which is
itself a row of the stream. A stream may hold several seals: each covers all facts
before it, the earlier seals among them.

A root says that something changed, never what. So the leaf hashes of a sealed stream
are kept beside the log (`LeafLists`): derived data, worth no more than the seal or
checkpoint that confirms its root, but with them the changed row can be named.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from struct import Struct
from urllib.parse import quote, unquote

from floor import facts
from floor.facts import DaySealed, Entry
from floor.merkle import HASH_BYTES, LEAF, Frontier

#: A row as it stands: stream and topic in UTF-8, version, state. In bytes, because a
#: row that was tampered with need not be text.
Row = tuple[bytes, int, bytes, bytes]

# The version and the length of the state; the length of a name.
NUMBERS = Struct(">QI")
LENGTH = Struct(">I")


def leaf_of(stream: bytes, version: int, topic: bytes, state: bytes) -> bytes:
    """The leaf of a row: all that the row says, each part told from the next.

    SHA-256 over 0x00, stream, topic, version and state; before each name and text its
    length. Lengths have 4 bytes, the version 8, big-endian. Neither rowid nor
    notification id, so that a copy in another storage has the same root.

    Raises:
        TypeError, struct.error: the columns are not of these kinds.
    """
    numbers = NUMBERS.pack(version, len(state))
    return sha256(leaf_head(stream, topic) + numbers + state).digest()


@lru_cache(maxsize=1_000)  # Some streams at a time, each with a few dozen topics.
def leaf_head(stream: bytes, topic: bytes) -> bytes:
    """What the leaves of a topic in a stream begin with."""
    lengths = LENGTH.pack(len(stream)), LENGTH.pack(len(topic))
    return LEAF + lengths[0] + stream + lengths[1] + topic


class StreamTree:
    """The tree of one stream, kept by its writer beside the state of the day.

    Feed it every fact of the stream from the first, as it is written and as it is read
    again after a reload; throw it away with the rest of the memory when an append
    fails. To seal: append the fact that `seal` gives as the next of the stream, and
    when it is durable call `keep`.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._stream = stream.encode()
        self._frontier = Frontier()
        self._leaves = bytearray()
        self._sealed = 0

    def take_in(self, entry: Entry) -> None:
        """Let the next fact of the stream be part of the tree."""
        assert entry.stream == self.stream, "A tree is of one stream."
        assert entry.version == self.size + 1, "A tree has no holes."
        state = facts.encode(entry.fact)
        leaf = leaf_of(self._stream, entry.version, entry.topic.encode(), state)
        self._frontier.append(leaf)
        self._leaves += leaf
        if isinstance(entry.fact, DaySealed):
            self._sealed = self.size

    @property
    def size(self) -> int:
        """Facts so far."""
        return self._frontier.size

    @property
    def unsealed(self) -> int:
        """Facts since the last seal, which no seal covers yet."""
        return self.size - self._sealed

    def seal(self, at: datetime) -> DaySealed:
        """The seal over all facts so far, to be written as the next of the stream."""
        return DaySealed(at=at, size=self.size, root=self._frontier.root().hex())

    def keep(self, lists: "LeafLists") -> None:
        """Keep the leaf hashes beside the log; only after the seal is durable.

        Raises:
            OSError: they could not be written; the seal holds without them.
        """
        lists.write(self.stream, bytes(self._leaves))


class LeafLists:
    """The leaf hashes of sealed streams: one file for each, 32 bytes a fact.

    Args:
        log: the log beside which they lie, `events.db` and `events.db.leaves/`.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.folder = log.with_name(log.name + ".leaves")
        self._sizes: dict[str, int] | None = None

    def as_of_now(self) -> "LeafLists":
        """The lists as they are, though a hall goes on writing them.

        A list is written after its rows, so rows that are read from now on are all
        there: whoever compares takes the lists first, or would miss rows that were
        never gone.
        """
        if self._sizes is not None:
            return self
        now = LeafLists(self.log)
        now._sizes = dict(self.streams())
        return now

    def read(self, stream: str) -> bytes | None:
        """The list of a stream; None when there is none.

        Whole hashes only: a torn end is left out.
        """
        try:
            kept = self._file(stream).read_bytes()
        except (OSError, ValueError):
            return None
        size = len(kept) // HASH_BYTES
        if self._sizes is not None:
            size = min(size, self._sizes.get(stream, 0))
        return kept[: size * HASH_BYTES] if size else None

    def write(self, stream: str, leaves: bytes) -> None:
        """Keep a list, in the place of a former one; whole or not at all."""
        self.folder.mkdir(exist_ok=True)
        path = self._file(stream)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with draft.open("wb") as file:
            file.write(leaves)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def streams(self) -> Iterator[tuple[str, int]]:
        """Each stream that has a list, with the number of its hashes."""
        if self._sizes is not None:
            yield from self._sizes.items()
        elif self.folder.is_dir():
            for path in sorted(self.folder.glob("*.leaves")):
                size = path.stat().st_size // HASH_BYTES
                yield unquote(path.name.removesuffix(".leaves")), size

    def _file(self, stream: str) -> Path:
        # Quoted, so that a stream's name never leads out of the folder.
        return self.folder / (quote(stream, safe="") + ".leaves")
