"""Whoever changes the past is found, and the row that was changed is named."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floor.facts import DaySealed
from floor.merkle import HASH_BYTES, root_of
from floor.proving import audit, halves, raw
from floor.proving.audit import Report, verify
from floor.proving.checkpoint import Checkpoint
from floor.proving.stream_audit import Finding
from floor.seals import LeafLists, Row, StreamTree, leaf_of
from sealed import MONDAY, SETUP, TUESDAY, SealedHall, row_of, tamper

#: Logs that somebody wrote into, which a check would find as well.
pytestmark = pytest.mark.impossible


HALL = SealedHall()
ROWS = HALL.rows
SEALED = 10  # Facts of Monday under its second seal.
IN_MONDAY = f"originator_id = '{MONDAY}' AND originator_version"


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> LeafLists:
    return LeafLists(HALL.write(tmp_path_factory.mktemp("sealed") / "events.db"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return HALL.write(tmp_path / "events.db")


@pytest.fixture(params=[1, 1_000], autouse=True)
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is found, however many rows are taken at once."""
    monkeypatch.setattr(audit, "MANY", request.param)


def audited(path: Path, *checkpoints: Checkpoint) -> Report:
    return verify(raw.rows(path), LeafLists(path), checkpoints)


def places(report: Report) -> set[tuple[str, int]]:
    return {(found.place.stream, found.place.version) for found in report.findings}


def checkpoint_of(stream: str, size: int) -> Checkpoint:
    """What was printed at that size."""
    built = StreamTree(stream)
    for entry in HALL.floor.entries:
        if entry.stream == stream and built.size < size:
            built.take_in(entry)
    assert built.size == size
    at = HALL.floor.at("20:00:00")
    return Checkpoint(stream, size, bytes.fromhex(built.seal(at).root))


# ── A sound log ─────────────────────────────────────────────────────────────


def test_an_untouched_log_is_what_was_written(path: Path) -> None:
    stated = [checkpoint_of(MONDAY, n) for n in (0, 4, 11)] + [checkpoint_of(SETUP, 1)]
    report = audited(path, *stated)
    assert report.sound, report.text
    assert (report.facts, report.streams, report.seals) == (14, 3, 2)
    assert (report.checkpoints, report.unlisted) == (4, 0)
    assert report.unsealed == 2
    assert audited(path).unsealed == 3  # The catalogue as well.
    assert "与所写一致" in report.text
    assert "is what was written" in report.text


def test_a_hall_may_seal_while_its_log_is_verified(path: Path) -> None:
    """The list is written after the rows that were read, and misses none of them."""
    lists = LeafLists(path)

    def rows() -> Iterator[Row]:
        yield from ROWS[:13]
        tree = HALL.tree(TUESDAY)
        tree.keep(lists)

    assert verify(rows(), lists).sound
    assert not verify(ROWS[:13], lists).sound


def test_any_storage_can_be_audited(lists: LeafLists) -> None:
    """Rows from an iterator, without a log of SQLite behind them."""
    assert verify(iter(ROWS)).sound
    assert verify(iter(ROWS), lists).sound
    assert verify([]).sound
    assert verify(iter(ROWS)).unlisted == 1


def test_halls_are_counted_each_by_itself() -> None:
    other = [(row[0].replace(b"hall-1", b"hall-2"), *row[1:]) for row in ROWS]
    both = [row for pair in zip(ROWS, other, strict=True) for row in pair]
    report = verify(both)
    # The other hall's rows were sealed under another name, so its seals do not hold.
    assert {place.split("/")[0] for place, _ in places(report)} == {"hall-2"}
    assert len(report.findings) == 2


# ── One byte ────────────────────────────────────────────────────────────────


def flipped(index: int, column: int, at: int, mask: int) -> list[Row]:
    """The rows with one byte of a topic (2) or a state (3) changed."""
    row = list(ROWS[index])
    value = row[column]
    assert isinstance(value, bytes)
    row[column] = value[:at] + bytes([value[at] ^ mask]) + value[at + 1 :]
    changed = list(ROWS)
    changed[index] = tuple(row)  # type: ignore[assignment]
    return changed


BYTES = [
    (index, column, at)
    for index, row in enumerate(ROWS)
    if row[0] == MONDAY.encode() and row[1] <= SEALED
    for column in (2, 3)
    for at in range(len(row[column]))  # type: ignore[arg-type]
]


@pytest.mark.parametrize("mask", [0x01, 0x80])
def test_every_byte_of_a_sealed_day_is_guarded(lists: LeafLists, mask: int) -> None:
    """Each single byte of each sealed row's topic and state, one after the other."""
    assert len(BYTES) > 1_000
    for index, column, at in BYTES:
        report = verify(flipped(index, column, at, mask), lists)
        stream, version, topic, _ = ROWS[index]
        named = {(found.place.stream, found.place.version) for found in report.findings}
        assert named == {(stream.decode(), version)}, (column, at, report.text)
        assert any("已被改动" in found.zh for found in report.findings)
        if column == 3:
            assert {found.place.topic for found in report.findings} == {topic.decode()}
        assert {found.place.position for found in report.findings} == {index + 1}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(BYTES), st.integers(1, 255))
def test_any_change_of_a_byte_names_its_row(
    lists: LeafLists, place: tuple[int, int, int], mask: int
) -> None:
    report = verify(flipped(*place, mask), lists)
    assert places(report) == {(MONDAY, ROWS[place[0]][1])}


@pytest.mark.parametrize(("index", "column", "at"), BYTES[::37])
def test_a_byte_changed_in_the_file_is_found(
    path: Path, index: int, column: int, at: int
) -> None:
    """The same through SQLite, where a topic may no longer be text."""
    changed = flipped(index, column, at, 0x80)[index]
    name = ("topic", "state")[column - 2]
    value = "CAST(? AS TEXT)" if column == 2 else "?"
    tamper(
        path,
        f"UPDATE stored_events SET {name} = {value} WHERE {IN_MONDAY} = ?",
        words=(changed[column], changed[1]),
    )
    assert places(audited(path)) == {(MONDAY, changed[1])}


# ── Rows taken away, put in, moved ──────────────────────────────────────────


def test_a_deleted_row_is_missed(path: Path) -> None:
    tamper(path, f"DELETE FROM stored_events WHERE {IN_MONDAY} = 4")
    report = audited(path)
    missing = [found for found in report.findings if "missing" in found.en]
    assert [(f.place.version, f.place.position) for f in missing] == [(4, 5)]
    assert len(report.findings) == 2  # And that the positions have a gap.


def test_a_gap_of_positions_is_found_once() -> None:
    """What follows it is right."""
    (found,) = verify([ROWS[0], *ROWS[12:]]).findings
    assert (found.place.stream, found.place.version) == (TUESDAY, 1)
    assert "position 2 belongs here, 13 is written" in found.en


def test_a_seal_of_another_size_is_found() -> None:
    seal = ROWS[11]
    assert b'"size":10' in seal[3]
    for size in (b"9", b"11", b"0", b"-1"):
        state = seal[3].replace(b'"size":10', b'"size":' + size)
        report = verify([*ROWS[:11], (*seal[:3], state), *ROWS[12:]])
        assert places(report) == {(MONDAY, 11)}


def test_a_deleted_row_is_missed_though_all_was_renumbered(path: Path) -> None:
    """Versions and row numbers closed up behind it, so that nothing looks missing."""
    tamper(
        path,
        f"DELETE FROM stored_events WHERE {IN_MONDAY} = 4",
        f"UPDATE stored_events SET originator_version = -originator_version "
        f"WHERE {IN_MONDAY} > 4",
        f"UPDATE stored_events SET originator_version = -originator_version - 1 "
        f"WHERE {IN_MONDAY} < 0",
        "UPDATE stored_events SET rowid = rowid - 1 WHERE rowid > 5",
    )
    assert (MONDAY, 4) in places(audited(path))
    changed = [f for f in audited(path).findings if "已被改动" in f.zh]
    assert [f.place.version for f in changed] == [4]


def renumber(row: Row, version: int, position: int) -> Row:
    """A row in another place, as somebody would write it who knows the form."""
    old = int(row[3].split(b'"position":')[1].split(b",")[0].split(b"}")[0])
    state = row[3].replace(b'"position":%d' % old, b'"position":%d' % position)
    return row[0], version, row[2], state


def test_a_row_put_in_is_found_though_all_was_renumbered(lists: LeafLists) -> None:
    forged = renumber(ROWS[3], 4, 5)
    behind = [
        renumber(row, row[1] + (row[0] == MONDAY.encode()), index + 2)
        for index, row in enumerate(ROWS)
        if index >= 4
    ]
    report = verify([*ROWS[:4], forged, *behind], lists)
    changed = [f for f in report.findings if "已被改动" in f.zh]
    assert [(f.place.version, f.place.position) for f in changed] == [(4, 5)]


def test_two_rows_in_each_others_place_are_found(lists: LeafLists) -> None:
    rows = list(ROWS)
    rows[3], rows[4] = renumber(ROWS[4], 3, 4), renumber(ROWS[3], 4, 5)
    report = verify(rows, lists)
    assert places(report) == {(MONDAY, 3)}


def test_rows_in_another_order_are_found(path: Path) -> None:
    """Only the row numbers, which no leaf contains but every reader goes by."""
    tamper(
        path,
        "UPDATE stored_events SET rowid = 999 WHERE rowid = 4",
        "UPDATE stored_events SET rowid = 4 WHERE rowid = 5",
        "UPDATE stored_events SET rowid = 5 WHERE rowid = 999",
    )
    report = audited(path)
    assert places(report) == {(MONDAY, 3), (MONDAY, 4)}


def test_the_first_row_moved_to_the_end_is_found(path: Path) -> None:
    tamper(path, f"UPDATE stored_events SET rowid = 999 WHERE {IN_MONDAY} = 1")
    assert (MONDAY, 1) in places(audited(path))


def test_a_renamed_topic_is_found(path: Path) -> None:
    tamper(
        path,
        f"UPDATE stored_events SET topic = 'NoShowDeclared' WHERE {IN_MONDAY} = 4",
    )
    (found,) = audited(path).findings
    assert (found.place.version, found.place.topic) == (4, "NoShowDeclared")


@pytest.mark.parametrize("version", [99, 0, -4])
def test_a_changed_version_is_found(path: Path, version: int) -> None:
    tamper(
        path,
        f"UPDATE stored_events SET originator_version = {version} "
        f"WHERE {IN_MONDAY} = 4",
    )
    assert (MONDAY, 4) in places(audited(path))


@pytest.mark.parametrize(
    "change",
    [
        "originator_version = NULL",
        "originator_version = 'x'",
        "originator_version = 4.5",
        "topic = NULL",
        "topic = x'ff00'",
        "state = NULL",
        "state = 7",
        "originator_id = NULL",
        "originator_id = x'ff'",
    ],
)
def test_columns_of_any_kind_are_found_and_break_nothing(
    path: Path, change: str
) -> None:
    tamper(path, f"UPDATE stored_events SET {change} WHERE {IN_MONDAY} = 4")
    report = audited(path)
    assert not report.sound
    assert report.text


def test_a_stream_under_another_name_is_found(path: Path) -> None:
    other = "hall-1/2026-11-25"
    rename = f"UPDATE stored_events SET originator_id = '{other}' "
    tamper(path, f"{rename} WHERE originator_id = '{MONDAY}'")
    names = {stream for stream, _ in places(audited(path))}
    assert {MONDAY, other} <= names


def test_a_stream_that_is_gone_is_missed(path: Path) -> None:
    tamper(path, "DELETE FROM stored_events WHERE rowid BETWEEN 2 AND 12")
    gone = [f for f in audited(path).findings if "gone" in f.en]
    assert [f.place.stream for f in gone] == [MONDAY]


def test_a_day_cut_off_with_its_seal_is_missed(path: Path) -> None:
    tamper(path, "DELETE FROM stored_events WHERE rowid > 9")
    (found,) = audited(path).findings
    assert (found.place.stream, found.place.version) == (MONDAY, 9)


def test_a_position_written_twice_is_one_finding(lists: LeafLists) -> None:
    rows = list(ROWS)
    rows[13] = renumber(ROWS[13], 2, 13)
    (found,) = verify(rows, lists).findings
    assert (found.place.stream, found.place.version) == (TUESDAY, 2)


# ── What lists and checkpoints are worth ────────────────────────────────────


def change_a_row(path: Path, version: int = 4) -> None:
    tamper(
        path,
        "UPDATE stored_events SET state = replace(state, '\"1\"', '\"2\"') "
        f"WHERE {IN_MONDAY} = {version}",
        f"UPDATE stored_events SET state = CAST(state AS BLOB) "
        f"WHERE {IN_MONDAY} = {version}",
    )


def reseal(path: Path) -> None:
    """Seal the changed day again: what the owner of a log can do."""
    for version in (9, 11):
        rows = list(raw.rows_of(path, MONDAY))
        root = root_of([leaf_of(*row) for row in rows[: version - 1]]).hex()
        fact = HALL.floor.entries[version].fact
        assert isinstance(fact, DaySealed)
        forged = msgspec.structs.replace(HALL.floor.entries[version], fact=(
            msgspec.structs.replace(fact, root=root)
        ))  # fmt: skip
        tamper(
            path,
            f"UPDATE stored_events SET state = ? WHERE {IN_MONDAY} = {version}",
            words=(row_of(forged)[3],),
        )


def list_again(path: Path) -> None:
    """Make the list fit the changed rows: what whoever resealed can do as well."""
    leaves = [leaf_of(*row) for row in raw.rows_of(path, MONDAY)]
    LeafLists(path).write(MONDAY, b"".join(leaves))


def only(report: Report) -> Finding:
    (found,) = report.findings
    return found


def test_without_a_list_the_day_differs_and_the_row_is_not_guessed(path: Path) -> None:
    change_a_row(path)
    next(LeafLists(path).folder.iterdir()).unlink()
    report = audited(path)
    assert report.unlisted == 1
    for found in report.findings:
        assert "no row can be named: there is no leaf list" in found.en
        assert found.place.topic == "DaySealed"


def test_a_list_that_was_changed_too_is_not_believed(path: Path) -> None:
    change_a_row(path)
    list_again(path)
    report = audited(path)
    assert len(report.findings) == 2  # Neither seal holds.
    for found in report.findings:
        assert "no row can be named" in found.en


def test_a_damaged_list_is_not_believed(path: Path) -> None:
    change_a_row(path)
    (file,) = LeafLists(path).folder.iterdir()
    kept = bytearray(file.read_bytes())
    kept[5] ^= 1
    file.write_bytes(kept)
    for found in audited(path).findings:
        assert "the leaf list was changed as well" in found.en


def test_a_damaged_list_alone_is_found(path: Path) -> None:
    (file,) = LeafLists(path).folder.iterdir()
    kept = bytearray(file.read_bytes())
    kept[HASH_BYTES * 5] ^= 1
    file.write_bytes(kept)
    assert "compare with a checkpoint" in only(audited(path)).en
    assert only(audited(path)).place.version == 6


def test_a_short_list_names_what_it_covers(path: Path) -> None:
    lists = LeafLists(path)
    kept = lists.read(MONDAY)
    assert kept
    lists.write(MONDAY, kept[: 8 * HASH_BYTES])  # As of the first seal.
    assert audited(path).sound
    change_a_row(path)
    assert (only(audited(path)).place.version) == 4


def test_a_change_after_a_short_list_is_narrowed_down(path: Path) -> None:
    lists = LeafLists(path)
    kept = lists.read(MONDAY)
    assert kept
    lists.write(MONDAY, kept[: 8 * HASH_BYTES])
    tamper(
        path,
        "UPDATE stored_events SET state = CAST(replace(state, 'satisfied', "
        f"'dissatisfied') AS BLOB) WHERE {IN_MONDAY} = 10",
    )
    assert "versions 9 to 10" in only(audited(path)).en


def test_a_day_sealed_again_still_differs_from_its_list(path: Path) -> None:
    change_a_row(path)
    reseal(path)
    found = only(audited(path))
    assert found.place.version == 4
    assert "compare with a checkpoint" in found.en


def test_only_a_checkpoint_finds_what_was_wholly_rewritten(path: Path) -> None:
    """Rows, seals and list: inside the log nothing is left that could tell."""
    change_a_row(path)
    reseal(path)
    list_again(path)
    assert audited(path).sound
    found = only(audited(path, checkpoint_of(MONDAY, 11)))
    assert "not those of the checkpoint" in found.en
    assert "no row can be named" in found.en


def test_nobody_is_blamed_by_a_forged_list_and_seal(path: Path) -> None:
    """A changed row, and a list and seals that point at another one."""
    change_a_row(path)
    reseal(path)
    list_again(path)
    lists = LeafLists(path)
    kept = lists.read(MONDAY)
    assert kept
    lists.write(MONDAY, kept[: 5 * HASH_BYTES] + bytes(32) + kept[6 * HASH_BYTES :])
    for found in audited(path, checkpoint_of(MONDAY, 11)).findings:
        assert "这一条已被改动" not in found.zh


def test_a_checkpoint_names_the_row_through_an_old_list(path: Path) -> None:
    change_a_row(path)
    reseal(path)
    found = only(audited(path, checkpoint_of(MONDAY, 11)))
    assert (found.place.version, found.place.position) == (4, 5)
    assert found.zh == "这一条已被改动"


def test_a_checkpoint_finds_a_changed_seal(path: Path) -> None:
    """The last seal is under no other; its own list and a checkpoint name it."""
    tamper(
        path,
        "UPDATE stored_events SET state = CAST(replace(state, '11-23T01:40', "
        f"'11-23T01:41') AS BLOB) WHERE {IN_MONDAY} = 11",
    )
    assert only(audited(path)).place.version == 11
    assert only(audited(path, checkpoint_of(MONDAY, 11))).zh == "这一条已被改动"


def test_a_log_shorter_than_a_checkpoint_is_found(path: Path) -> None:
    stated = checkpoint_of(TUESDAY, 2)
    tamper(path, "DELETE FROM stored_events WHERE rowid = 14")
    found = only(audited(path, stated))
    assert (found.place.stream, found.place.version) == (TUESDAY, 2)
    tamper(path, "DELETE FROM stored_events WHERE rowid = 13")
    assert "all are gone" in only(audited(path, stated)).en


def test_a_checkpoint_of_another_stream_says_nothing_here(path: Path) -> None:
    stated = checkpoint_of(MONDAY, 4)
    other = Checkpoint("hall-9/2026-11-23", 4, stated.root)
    assert only(audited(path, stated, other)).place.stream == "hall-9/2026-11-23"


def test_findings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FINDINGS_MAX", 3)
    report = verify([(row[0], row[1], b"Unknown", row[3]) for row in ROWS])
    assert (len(report.findings), report.more) == (3, len(ROWS) - 3)
    assert "另有11处" in report.text


# ── In halves ───────────────────────────────────────────────────────────────

TAMPERINGS = [
    f"DELETE FROM stored_events WHERE {IN_MONDAY} = 4",
    f"DELETE FROM stored_events WHERE {IN_MONDAY} = 1",
    "DELETE FROM stored_events WHERE rowid = 1",
    "DELETE FROM stored_events WHERE rowid = 13",
    "DELETE FROM stored_events WHERE rowid BETWEEN 2 AND 12",
    "DELETE FROM stored_events WHERE rowid > 9",
    f"UPDATE stored_events SET topic = 'NoShowDeclared' WHERE {IN_MONDAY} = 4",
    f"UPDATE stored_events SET topic = 'NoFact' WHERE {IN_MONDAY} = 6",
    "UPDATE stored_events SET topic = 'NoFact' WHERE rowid = 14",
    f"UPDATE stored_events SET originator_version = 99 WHERE {IN_MONDAY} = 4",
    f"UPDATE stored_events SET rowid = 999 WHERE {IN_MONDAY} = 1",
    f"UPDATE stored_events SET rowid = 999 WHERE {IN_MONDAY} = 7",
    "UPDATE stored_events SET originator_id = NULL WHERE rowid = 5",
    "UPDATE stored_events SET originator_id = 'hall-2/x' WHERE rowid = 14",
    "UPDATE stored_events SET state = NULL WHERE rowid = 5",
    "UPDATE stored_events SET state = CAST(replace(state, 'zonghe', 'zongha') AS BLOB) "
    "WHERE rowid = 3",
]


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half in a thread, which starts at once."""
    monkeypatch.setattr(
        halves, "ProcessPoolExecutor", lambda n, mp_context: ThreadPoolExecutor(n)
    )


def middles(path: Path) -> range:
    return range(min(raw.last_row(path), len(ROWS)) + 1)


@pytest.mark.usefixtures("in_threads")
def test_a_sound_log_is_sound_wherever_it_is_cut(path: Path) -> None:
    stated = [checkpoint_of(MONDAY, n) for n in (0, 4, 11)] + [
        checkpoint_of(TUESDAY, 1)
    ]
    whole = audited(path, *stated)
    assert whole.sound
    for middle in middles(path):
        assert halves.in_halves(path, LeafLists(path), stated, middle, 14) == whole


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_no_cut_hides_what_was_changed(path: Path, tampering: str) -> None:
    tamper(path, tampering)
    assert not audited(path).sound
    for middle in middles(path):
        cut = halves.in_halves(path, LeafLists(path), (), middle, raw.last_row(path))
        assert cut is None or not cut.sound


@pytest.mark.usefixtures("in_threads")
def test_no_cut_hides_a_stream_that_begins_twice(tmp_path: Path) -> None:
    """In a table that was made again without its key."""
    path = tmp_path / "events.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER, "
        "topic TEXT, state BLOB)"
    )
    insert = "INSERT INTO stored_events VALUES (CAST(? AS TEXT),?,CAST(? AS TEXT),?)"
    again = renumber(ROWS[1], 1, 3)
    connection.executemany(insert, [ROWS[0], ROWS[1], again])
    connection.commit()
    connection.close()
    assert "there twice" in only(audited(path)).en
    for middle in range(4):
        cut = halves.in_halves(path, LeafLists(path), (), middle, 3)
        assert cut is None or not cut.sound


@pytest.mark.usefixtures("in_threads")
def test_no_cut_hides_a_missing_end(path: Path) -> None:
    stated = [checkpoint_of(TUESDAY, 2)]
    tamper(path, "DELETE FROM stored_events WHERE rowid = 14")
    for middle in middles(path):
        cut = halves.in_halves(path, LeafLists(path), stated, middle, 13)
        assert cut is None or not cut.sound


def test_a_large_log_is_audited_by_two_processes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "HALVES_FROM_ROWS", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert halves.verify_log(path) == audited(path)
    change_a_row(path)
    assert halves.verify_log(path) == audited(path)
    assert only(halves.verify_log(path)).place.version == 4
