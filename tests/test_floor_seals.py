"""A seal states what the rows are, the same on every storage and after every replay."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floor import facts
from floor.facts import DaySealed, Entry
from floor.merkle import HASH_BYTES, consistency_proof, extends, root_of
from floor.proving import raw
from floor.seals import LeafLists, StreamTree, leaf_of
from sealed import MONDAY, SETUP, TUESDAY, SealedHall, row_of

GOLDEN = Path(__file__).parent / "golden" / "log-0.1.json"


@pytest.fixture(scope="module")
def hall() -> SealedHall:
    return SealedHall()


def seals_of(hall: SealedHall) -> list[Entry]:
    return [e for e in hall.floor.entries if isinstance(e.fact, DaySealed)]


def test_a_leaf_is_all_that_a_row_says() -> None:
    """Written out, so that anybody can compute it with other tools."""
    data = (
        b"\x00"
        + b"\x00\x00\x00\x08" + b"hall-1/x"
        + b"\x00\x00\x00\x0a" + b"HallClosed"
        + b"\x00\x00\x00\x00\x00\x00\x00\x07"
        + b"\x00\x00\x00\x02" + b"{}"
    )  # fmt: skip
    assert leaf_of(b"hall-1/x", 7, b"HallClosed", b"{}") == sha256(data).digest()


@given(st.lists(st.tuples(*[st.binary(max_size=6)] * 3), unique=True, min_size=2))
def test_no_two_rows_have_one_leaf(rows: list[tuple[bytes, bytes, bytes]]) -> None:
    """No letter can wander from one column into the next."""
    leaves = {leaf_of(stream, 1, topic, state) for stream, topic, state in rows}
    assert len(leaves) == len(rows)
    assert leaf_of(b"s", 1, b"t", b"{}") != leaf_of(b"s", 2, b"t", b"{}")


def test_a_seal_covers_all_facts_before_it(hall: SealedHall) -> None:
    leaves = [leaf_of(*row) for row in hall.rows if row[0] == MONDAY.encode()]
    first, second = seals_of(hall)
    for entry in (first, second):
        assert isinstance(entry.fact, DaySealed)
        assert entry.fact.size == entry.version - 1
        assert entry.fact.root == root_of(leaves[: entry.fact.size]).hex()
    assert (first.version, second.version) == (9, 11)


def test_a_later_seal_extends_the_earlier_one(hall: SealedHall) -> None:
    leaves = [leaf_of(*row) for row in hall.rows if row[0] == MONDAY.encode()]
    first, second = (entry.fact for entry in seals_of(hall))
    assert isinstance(first, DaySealed)
    assert isinstance(second, DaySealed)
    hashes = consistency_proof(leaves[: second.size], first.size)
    roots = bytes.fromhex(first.root), bytes.fromhex(second.root)
    assert extends(first.size, second.size, hashes, *roots)


def test_what_is_not_sealed_is_counted(hall: SealedHall) -> None:
    assert hall.tree(MONDAY).unsealed == 0
    assert hall.tree(TUESDAY).unsealed == 2
    tree = StreamTree(MONDAY)
    for entry in hall.floor.entries[1:11]:  # To the late rating, after the first seal.
        tree.take_in(entry)
    assert (tree.size, tree.unsealed) == (10, 1)


def test_a_tree_read_again_gives_the_same_seal(
    hall: SealedHall, tmp_path: Path
) -> None:
    """What the writer rebuilds from the log after a failed append."""
    from floor import log

    path = hall.write(tmp_path / "events.db")
    for stream in (MONDAY, TUESDAY, SETUP):
        read = StreamTree(stream)
        for entry in log.read(path):
            if entry.stream == stream:
                read.take_in(entry)
        at = hall.floor.at("20:00:00")
        assert read.seal(at) == hall.tree(stream).seal(at)


def test_rows_are_read_as_they_were_written(hall: SealedHall, tmp_path: Path) -> None:
    path = hall.write(tmp_path / "events.db")
    assert list(raw.rows(path)) == hall.rows
    assert list(raw.rows(path, since=3)) == hall.rows[3:]
    assert list(raw.rows_by_stream(path)) == sorted(hall.rows)
    assert raw.streams(path) == [MONDAY, TUESDAY, SETUP]
    assert raw.newest_stream(path) == TUESDAY


def test_pages_lose_no_row(
    hall: SealedHall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hall.write(tmp_path / "events.db")
    for rows in range(1, len(hall.rows) + 2):
        monkeypatch.setattr(raw, "PAGE_ROWS", rows)
        assert list(raw.rows(path)) == hall.rows
        assert list(raw.rows_by_stream(path)) == sorted(hall.rows)


def test_rows_of_former_releases_are_written_again_to_the_byte() -> None:
    """Otherwise a tree that a writer rebuilds would not be that of the rows.

    A catalogue gains words with each release; its stream is never sealed by a writer.
    """
    rows = json.loads(GOLDEN.read_text(encoding="utf-8"))["rows"]
    rows = [row for row in rows if not row["stream"].endswith("/setup")]
    assert len(rows) > 10
    for row in rows:
        state = json.dumps(row["state"], ensure_ascii=False, separators=(",", ":"))
        assert (
            facts.encode(facts.decode(row["topic"], state.encode())).decode() == state
        )


def test_a_tree_takes_no_hole_and_no_other_stream(hall: SealedHall) -> None:
    tree = StreamTree(MONDAY)
    with pytest.raises(AssertionError, match="holes"):
        tree.take_in(hall.floor.entries[2])
    with pytest.raises(AssertionError, match="one stream"):
        tree.take_in(hall.floor.entries[0])


def test_a_leaf_list_is_the_leaves(hall: SealedHall, tmp_path: Path) -> None:
    path = hall.write(tmp_path / "events.db")
    lists = LeafLists(path)
    leaves = [leaf_of(*row_of(e)) for e in hall.floor.entries if e.stream == MONDAY]
    assert lists.read(MONDAY) == b"".join(leaves)
    assert list(lists.streams()) == [(MONDAY, 11)]
    assert lists.read(TUESDAY) is None


def test_a_list_is_replaced_whole_and_a_torn_end_left_out(tmp_path: Path) -> None:
    lists = LeafLists(tmp_path / "events.db")
    assert list(lists.streams()) == []
    lists.write(MONDAY, b"a" * HASH_BYTES)
    lists.write(MONDAY, b"b" * HASH_BYTES * 2)
    (file,) = lists.folder.iterdir()
    assert lists.read(MONDAY) == b"b" * HASH_BYTES * 2
    file.write_bytes(b"b" * (HASH_BYTES * 2 - 1))
    assert lists.read(MONDAY) == b"b" * HASH_BYTES


@pytest.mark.parametrize(
    "stream", ["../../etc/passwd", "..", "/root", "a/../b", "厅/x"]
)
def test_no_stream_leads_out_of_the_folder(tmp_path: Path, stream: str) -> None:
    lists = LeafLists(tmp_path / "events.db")
    lists.write(stream, b"a" * HASH_BYTES)
    assert [file.parent for file in tmp_path.rglob("*.leaves") if file.is_file()] == [
        lists.folder
    ]
    assert list(lists.streams()) == [(stream, 1)]


def test_a_list_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    lists = LeafLists(tmp_path / "events.db")
    assert lists.read("x" * 5_000) is None
    assert lists.read("a\x00b") is None
