"""Proofs about single facts and streams, for people who keep no log of their own.

A signed checkpoint says what a stream was; an inclusion proof shows one fact under the
newest seal of its stream; a comparison names where two copies of a log part.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from floor import facts
from floor.merkle import includes, inclusion_proof
from floor.proving import raw
from floor.proving.audit import Report
from floor.proving.checkpoint import (
    Checkpoint,
    Key,
    NotGenuine,
    SigningKey,
    hall_of,
    read,
)
from floor.proving.halves import verify_log
from floor.proving.stream_audit import Finding, StreamAudit, as_text
from floor.proving.stream_audit import Place as Spot
from floor.refusals import Unusable
from floor.seals import LeafLists, Row, leaf_of
from floor.storing.storage import Place, beside

# One finding a stream; a person reads some.
DIFFERENCES_MAX = 200


class NotProvable(Unusable):
    """The log does not hold, or does not seal, what was asked for."""


class Proof(msgspec.Struct, frozen=True):
    """That one fact is in its stream, as the seal states it.

    The row itself is part of the proof, so that whoever reads it knows what is proven.

    state: the text of the row.
    leaf, root, hashes: hexadecimal; hashes from the bottom up (RFC 9162, 2.1.3).
    index: of the leaf, from 0; version - 1.
    size: facts under the root.
    """

    stream: str
    version: int
    topic: str
    state: str
    leaf: str
    index: int
    size: int
    root: str
    hashes: tuple[str, ...]


def inspect(
    path: Place,
    kept: Iterable[Path] = (),
    vkeys: Iterable[str] = (),
    *,
    signing_key: Path | None = None,
    against: Place | None = None,
) -> Report:
    """Verify a log with all that is known from outside of it.

    Args:
        path: the log.
        kept: files of signed checkpoints.
        vkeys: verification keys, as they were handed out.
        signing_key: where no vkey is given, the file whose public half is used.
        against: another copy of the log.

    Raises:
        LogUnreadable: a log is missing, or is none.
        Unusable: a key cannot be used.
        OSError: a file of `kept` cannot be read.
    """
    keys = [Key.read(vkey) for vkey in vkeys]
    checkpoints, found = [], []
    for file in kept:
        note = file.read_text("utf-8", "replace")
        trusted = keys or _own_keys(note, signing_key)
        try:
            checkpoints.append(read(note, trusted))
        except NotGenuine as error:
            found.append(
                Finding(Spot(file.name), error.message["zh"], error.message["en"])
            )
    if against is not None:
        found += differences(raw.rows_by_stream(path), raw.rows_by_stream(against))
    report = verify_log(path, checkpoints)
    report.findings += found
    return report


def _own_keys(note: str, signing_key: Path | None) -> list[Key]:
    """The hall's own key; it shows a copying error, not what its owner did."""
    if signing_key is None or not signing_key.exists():
        return []
    name = hall_of(note.partition("\n")[0])
    return [SigningKey.load(signing_key).public(name)]


def prove(path: Place, position: int, stream: str = "") -> Proof:
    """The inclusion proof of the fact at a position, under its stream's newest seal.

    Args:
        path: the log.
        position: of the fact, as evidence cites it.
        stream: of the fact; only where a log holds several halls.

    Raises:
        NotProvable: there is no such fact, no seal covers it, or the rows are not
            those that the seal states.
    """
    row = _row_at(path, position, stream)
    name, version = as_text(row[0]), row[1]
    audit, leaves = _audited(path, name)
    seal = max(audit.seals, key=lambda seal: seal.size, default=None)
    if seal is None or seal.size < version:
        raise NotProvable(
            f"位置{position}（{name} 第{version}条）还没有封存",
            f"Position {position} ({name}, version {version}) is not sealed yet",
        )
    leaves = leaves[: seal.size]
    return Proof(
        stream=name,
        version=version,
        topic=as_text(row[2]),
        state=row[3].decode("utf-8", "replace"),
        leaf=leaves[version - 1].hex(),
        index=version - 1,
        size=seal.size,
        root=seal.root.hex(),
        hashes=tuple(h.hex() for h in inclusion_proof(leaves, version - 1)),
    )


def proven(proof: Proof, root: str = "") -> bool:
    """Whether a proof holds: the row is that leaf, and the leaf is under the root.

    Args:
        proof: from `prove`, or from its JSON.
        root: hexadecimal; from a seal or checkpoint that the reader trusts. The root
            that a proof states about itself shows only that it fits together.
    """
    try:
        leaf = leaf_of(
            proof.stream.encode(),
            proof.version,
            proof.topic.encode(),
            proof.state.encode(),
        )
        hashes = [bytes.fromhex(hash) for hash in proof.hashes]
        trusted = bytes.fromhex(root or proof.root)
    except (ValueError, struct.error):
        return False
    return (
        leaf.hex() == proof.leaf
        and proof.index == proof.version - 1
        and includes(leaf, proof.index, proof.size, hashes, trusted)
    )


def checkpoint(path: Place, stream: str = "") -> Checkpoint:
    """What a stream is now, to be signed; its leaf list is kept beside the log.

    Args:
        path: the log.
        stream: by default the one that the log's newest fact is in.

    Raises:
        NotProvable: there is no such stream, or its rows contradict its seals or its
            leaf list: what was changed is never signed.
    """
    stream = stream or raw.newest_stream(path)
    audit, leaves = _audited(path, stream)
    LeafLists(beside(path)).write(stream, b"".join(leaves))
    return Checkpoint(stream, audit.size, audit.root)


def keep_leaves(path: Place) -> int:
    """Make the leaf lists that sealed streams lack; how many were made.

    Raises:
        NotProvable: a stream is not as it was sealed.
    """
    lists, made = LeafLists(beside(path)), 0
    for stream in raw.streams(path):
        if lists.read(stream) is None:
            audit, leaves = _audited(path, stream)
            if audit.seals:
                lists.write(stream, b"".join(leaves))
                made += 1
    return made


def differences(ours: Iterable[Row], theirs: Iterable[Row]) -> list[Finding]:
    """Where a log parts from another copy: the first differing row of each stream.

    A copy may be older: what was written after it is no difference.

    Args:
        ours: the log's rows, stream by stream and by version (`raw.rows_by_stream`).
        theirs: the copy's, in the same order.
    """
    found: list[Finding] = []
    parted: bytes | None = None
    for our, their in _paired(ours, theirs):
        if their is None or their[0] == parted or our == their:
            continue  # Newer than the copy, said already, or the same.
        parted = their[0]
        if our is None:
            zh, en = "日志中没有这一条", "the log does not have this fact"
        else:
            zh, en = "与副本不同", "differs from the copy"
        found.append(Finding(_place(their), zh, en))
        if len(found) == DIFFERENCES_MAX:
            break
    return found


def _paired(
    ours: Iterable[Row], theirs: Iterable[Row]
) -> Iterator[tuple[Row | None, Row | None]]:
    """The rows of two logs side by side, by stream and version."""
    left, right = iter(ours), iter(theirs)
    our, their = next(left, None), next(right, None)
    while our is not None or their is not None:
        if their is None or (our is not None and _key(our) < _key(their)):
            yield our, None
            our = next(left, None)
        elif our is None or _key(their) < _key(our):
            yield None, their
            their = next(right, None)
        else:
            yield our, their
            our, their = next(left, None), next(right, None)


def _key(row: Row) -> tuple[bytes, int]:
    """By stream and version, whatever stands there."""
    stream, version = row[0] or b"", row[1]
    return stream, version if isinstance(version, int) else 0


def _place(row: Row) -> Spot:
    return Spot(as_text(row[0]), row[1], raw.position_of(row), as_text(row[2]))


def _row_at(path: Place, position: int, stream: str) -> Row:
    # A position never exceeds its row number, so the search begins there.
    for row in raw.rows(path, since=max(position, 1) - 1):
        if raw.position_of(row) == position and stream in ("", as_text(row[0])):
            return row
    raise NotProvable(
        f"日志中没有位置{position}", f"The log has no position {position}"
    )


def _audited(path: Place, stream: str) -> tuple[StreamAudit, list[bytes]]:
    """A stream that is what its seals and its leaf list say, with its leaves."""
    audit = StreamAudit(stream.encode(), LeafLists(beside(path)).as_of_now())
    leaves = []
    for row in raw.rows_of(path, stream):
        try:
            fact = facts.decode(as_text(row[2]), row[3])
            leaves.append(leaf_of(*row))
        except (ValueError, TypeError, struct.error) as error:
            raise NotProvable(
                f"{stream} 第{row[1]}条无法读取：{error}",
                f"Fact {row[1]} of {stream} cannot be read: {error}",
            ) from None
        audit.take(*row[1:], fact, fact.position)
    for finding in audit.conclude():
        raise NotProvable(
            f"不能证明。{finding.place.words(True)}：{finding.zh}",
            f"Nothing can be proven. {finding.place.words(False)}: {finding.en}",
        )
    if not leaves:
        raise NotProvable(f"日志中没有 {stream}", f"The log has no stream {stream}")
    return audit, leaves
