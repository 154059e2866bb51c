"""Verifying a log next to reading its rows and hashing their bytes, in the same run.

JIAOHAO_BENCH_FACTS sets the size; a hall-year of a full county hall is 4,400,000.
"""

import itertools
import os
import sqlite3
import time
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from figures import show, spread
from floor import facts
from floor.catalogue import load
from floor.hall import Draft
from floor.log import Log
from floor.merkle import Frontier, includes, inclusion_proof, root_of
from floor.proving import proof, raw
from floor.proving.audit import verify
from floor.proving.checkpoint import Checkpoint, SigningKey
from floor.proving.halves import verify_log
from floor.seals import LeafLists, Row, leaf_of
from test_log import AT, a_day
from timeline import SAMPLE

FACTS = int(os.environ.get("JIAOHAO_BENCH_FACTS", "200000"))
DAY = 17_500

pytestmark = pytest.mark.timeout(900)  # A hall-year takes minutes to write.


def one_day(path: Path) -> list[Row]:
    """The rows of one full day through the real rules; the catalogue first."""
    with Log(path) as held:
        draft = Draft(held, load(SAMPLE))
        draft.open(AT)
        for second, command in enumerate(itertools.islice(a_day(), DAY)):
            draft.decide(command, AT + timedelta(seconds=second))
        draft.commit()
    return list(raw.rows(path))


def in_the_place(row: Row, stream: bytes, position: int) -> Row:
    """A row of the first day, whose positions are one ahead of its versions."""
    old = b'"position":%d,' % (row[1] + 1)
    return stream, row[1], row[2], row[3].replace(old, b'"position":%d,' % position, 1)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Days after days, each sealed and with its leaf list, until there are enough."""
    folder = tmp_path_factory.mktemp("seals")
    setup, *day = one_day(folder / "day.db")
    path = folder / "events.db"
    Log(path).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER no_holes")  # For the speed of filling alone.
    insert = "INSERT INTO stored_events VALUES (CAST(? AS TEXT),?,CAST(? AS TEXT),?)"
    connection.execute(insert, setup)
    lists, position = LeafLists(path), 1
    for date_of in (date(2026, 1, 1) + timedelta(days=n) for n in itertools.count()):
        stream = b"hall-1/" + date_of.isoformat().encode()
        rows = [in_the_place(row, stream, position + row[1]) for row in day]
        leaves = [leaf_of(*row) for row in rows]
        position += len(rows) + 1
        sealed = facts.DaySealed(
            at=AT, position=position, size=len(rows), root=root_of(leaves).hex()
        )
        seal = (stream, len(rows) + 1, b"DaySealed", facts.encode(sealed))
        connection.executemany(insert, [*rows, seal])
        lists.write(stream.decode(), b"".join([*leaves, leaf_of(*seal)]))
        if position >= FACTS:
            break
    connection.commit()
    connection.close()
    return path


def test_verify_a_log(path: Path) -> None:
    """Whole decode, order, leaves, trees, seals and leaf lists of every fact."""
    start = time.perf_counter()
    rows = 0
    for row in raw.rows(path):
        sha256(row[3]).digest()
        rows += 1
    limit_s = time.perf_counter() - start
    start = time.perf_counter()
    report = verify(raw.rows(path), LeafLists(path))
    one_s = time.perf_counter() - start
    start = time.perf_counter()
    both = verify_log(path)
    ours_s = time.perf_counter() - start
    assert report.sound, report.text
    assert (both.text, both.facts) == (report.text, rows)
    show(
        f"verify {rows:,} facts in one process",
        f"{rows / one_s:,.0f} facts/s ({one_s:.1f} s)",
        f"row scan and SHA-256 of the bytes {rows / limit_s:,.0f} rows/s",
        limit_s / one_s,
    )
    show(
        f"verify {rows:,} facts as the command does",
        f"{rows / ours_s:,.0f} facts/s ({ours_s:.1f} s)",
        f"row scan and SHA-256 of the bytes {rows / limit_s:,.0f} rows/s",
        limit_s / ours_s,
    )


def test_what_the_writer_pays(path: Path) -> None:
    """Leaf and frontier of each fact, next to SHA-256 of the same bytes alone."""
    rows = list(itertools.islice(raw.rows(path), 1, DAY))
    limit, ours = [], []
    for _ in range(5):
        start = time.perf_counter()
        for row in rows:
            sha256(row[3]).digest()
        limit.append((time.perf_counter() - start) / len(rows))
        tree = Frontier()
        start = time.perf_counter()
        for row in rows:
            tree.append(leaf_of(*row))
        ours.append((time.perf_counter() - start) / len(rows))
    show(
        "leaf and frontier of a fact",
        f"{min(ours) * 1e6:.2f} us",
        f"SHA-256 of the state {min(limit) * 1e6:.2f} us",
        min(limit) / min(ours),
    )
    start = time.perf_counter()
    for _ in range(1_000):
        tree.root()
    show(
        "root at any time",
        f"{(time.perf_counter() - start) * 1e3:.2f} us",
        "log2(n) hashes",
        1,
    )


def test_checkpoints_and_proofs(path: Path) -> None:
    stream = raw.streams(path)[0]
    leaves = [leaf_of(*row) for row in raw.rows_of(path, stream)]
    root = root_of(leaves)
    key = SigningKey(Ed25519PrivateKey.generate())
    sign_s, prove_s, check_s = [], [], []
    for index in range(0, len(leaves), 500):
        start = time.perf_counter()
        key.sign(Checkpoint(stream, len(leaves), root))
        sign_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        hashes = inclusion_proof(leaves, index)
        prove_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        assert includes(leaves[index], index, len(leaves), hashes, root)
        check_s.append(time.perf_counter() - start)
    start = time.perf_counter()
    proof.prove(path, len(leaves) // 2, stream)
    command_s = time.perf_counter() - start
    show(
        f"a day of {len(leaves):,} facts",
        f"sign {spread(sign_s)[0] * 1e3:.0f} us, proof {spread(prove_s)[0]:.1f} ms of "
        f"{len(hashes)} hashes, from the file {command_s * 1e3:.0f} ms",
        f"check a proof {spread(check_s)[0] * 1e3:.0f} us",
        spread(check_s)[0] / spread(prove_s)[0],
    )
