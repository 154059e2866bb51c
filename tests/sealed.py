"""A sealed log for the tests of proofs: two days, the first sealed twice."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from floor import facts
from floor.day import advance
from floor.facts import Entry
from floor.log import Log
from floor.seals import LeafLists, Row, StreamTree
from timeline import FloorDay

MONDAY = "hall-1/2026-11-23"
TUESDAY = "hall-1/2026-11-24"
SETUP = "hall-1/setup"


class SealedHall:
    """A hall whose writer keeps trees, as facts and as a log.

    Monday: eight facts, a seal, a late rating, a second seal. Tuesday: two, no seal.
    """

    def __init__(self) -> None:
        self.floor = FloorDay()
        self.trees: dict[str, StreamTree] = {}
        self.floor.play(
            """
            09:00:00 opens 1
            09:00:10 takes zonghe
            09:01:00 calls 1
            09:01:30 starts 1
            09:09:00 finishes 1
            09:10:00 takes budongchan
            09:11:00 opens 3
            09:20:00 closes-hall
            """
        )
        self.seal("09:20:00")
        self.floor.play("09:30:00 rates A001 satisfied")
        self.seal("09:40:00")
        self.listed = self.trees[MONDAY]
        self.floor.play("+1 09:00:00 opens 1\n+1 09:00:05 takes zonghe")

    def tree(self, stream: str) -> StreamTree:
        """The tree over all facts of a stream so far."""
        tree = StreamTree(stream)
        for entry in self.floor.entries:
            if entry.stream == stream:
                tree.take_in(entry)
        return tree

    def seal(self, clock: str) -> None:
        """Seal the day as it stands."""
        last = self.floor.entries[-1]
        tree = self.tree(last.stream)
        fact = tree.seal(self.floor.at(clock))
        fact = msgspec.structs.replace(fact, position=last.position + 1)
        entry = Entry(last.stream, last.version + 1, fact)
        self.floor.day = advance(self.floor.day, entry)
        self.floor.entries.append(entry)
        tree.take_in(entry)
        self.trees[last.stream] = tree

    def write(self, path: Path) -> Path:
        """The log, with the leaf list of the sealed day beside it."""
        with Log(path) as held:
            held.append(self.floor.entries)
        self.listed.keep(LeafLists(path))
        return path

    @property
    def rows(self) -> list[Row]:
        return [row_of(entry) for entry in self.floor.entries]


def row_of(entry: Entry) -> Row:
    """An entry as the log's row."""
    state = facts.encode(entry.fact)
    return entry.stream.encode(), entry.version, entry.topic.encode(), state


def tamper(path: Path, *statements: str, words: Sequence[object] = ()) -> None:
    """What somebody does to the file with plain sqlite3."""
    connection = sqlite3.connect(path)
    for trigger in ("no_holes", "no_replacement", "no_update", "no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for statement in statements:
        done = connection.execute(statement, words if "?" in statement else ())
        assert done.rowcount, "Nothing was changed."
    connection.commit()
    connection.close()
