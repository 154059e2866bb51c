"""Proofs that leave the hall: checkpoints, single facts, copies of a log."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

import main as front
from floor.facts import DaySealed
from floor.log import Log, LogUnreadable
from floor.proving import raw
from floor.proving.proof import (
    NotProvable,
    Proof,
    checkpoint,
    differences,
    keep_leaves,
    prove,
    proven,
)
from floor.seals import LeafLists
from sealed import MONDAY, SETUP, TUESDAY, SealedHall, tamper

#: Logs that somebody wrote into, which a check would find as well.
pytestmark = pytest.mark.impossible


HALL = SealedHall()
CHANGE = (
    "UPDATE stored_events SET state = CAST(replace(state, 'zonghe', 'gongan') AS BLOB) "
    f"WHERE originator_id = '{MONDAY}' AND originator_version = 2"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return HALL.write(tmp_path / "events.db")


def says(*words: object) -> tuple[int, str, str]:
    """Exit code, what a command answered, and what it said beside the answer."""
    done = CliRunner().invoke(front.main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code, done.stdout, done.stderr


# ── One fact ────────────────────────────────────────────────────────────────


def test_each_sealed_fact_can_be_proven(path: Path) -> None:
    for entry in HALL.floor.entries:
        if entry.stream == MONDAY and entry.version <= 10:
            proof = prove(path, entry.position)
            assert proven(proof)
            assert (proof.version, proof.topic) == (entry.version, entry.topic)
            assert proof.size == 10


def test_a_proof_is_checked_without_the_log(path: Path) -> None:
    """As JSON, against the root of the seal; no root of the proof's own making."""
    code, text, _ = says("prove", "--log", path, "--position", 4)
    assert code == 0
    proof = msgspec.json.decode(text, type=Proof)
    seal = HALL.floor.entries[11].fact
    assert isinstance(seal, DaySealed)
    assert proven(proof, seal.root)
    assert not proven(proof, "00" * 32)
    assert not proven(proof, "no root")


FORGERIES: list[Callable[[Proof], dict[str, object]]] = [
    lambda p: {"state": p.state.replace("A001", "A002")},
    lambda p: {"topic": "NoShowDeclared"},
    lambda p: {"stream": TUESDAY},
    lambda p: {"version": p.version + 1},
    lambda p: {"index": p.index + 1},
    lambda p: {"version": p.version + 1, "index": p.index + 1},
    lambda p: {"version": 0, "index": -1},
    lambda p: {"version": -1},
    lambda p: {"version": 2**64},
    lambda p: {"leaf": "00" * 32},
    lambda p: {"root": "00" * 32},
    lambda p: {"hashes": p.hashes[1:]},
    lambda p: {"hashes": (*p.hashes, p.hashes[0])},
    lambda p: {"hashes": p.hashes[::-1]},
    lambda p: {"hashes": ("xx", *p.hashes[1:])},
    lambda p: {"size": 1},
]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_proof_proves_nothing(
    path: Path, forgery: Callable[[Proof], dict[str, object]]
) -> None:
    proof = prove(path, 4)
    assert "A001" in proof.state
    assert not proven(msgspec.structs.replace(proof, **forgery(proof)))


def test_a_fact_is_proven_in_its_own_place_only(path: Path) -> None:
    """A tree in which the leaf of version 3 was put first says nothing of version 3."""
    proof = prove(path, 4)
    moved = msgspec.structs.replace(proof, index=0, size=1, hashes=(), root=proof.leaf)
    assert not proven(moved, proof.leaf)


def test_what_is_not_sealed_is_not_proven(path: Path) -> None:
    with pytest.raises(NotProvable, match="not sealed yet"):
        prove(path, 14)
    with pytest.raises(NotProvable, match="no position"):
        prove(path, 15)
    with pytest.raises(NotProvable, match="no position"):
        prove(path, 4, TUESDAY)
    code, _, why = says("prove", "--log", path, "--position", 14)
    assert (code, "还没有封存" in why) == (2, True)


def test_a_changed_stream_proves_nothing(path: Path) -> None:
    tamper(path, CHANGE)
    with pytest.raises(NotProvable, match="was changed"):
        prove(path, 4)


# ── Checkpoints ─────────────────────────────────────────────────────────────


def test_a_checkpoint_is_printed_and_its_key_told(path: Path, tmp_path: Path) -> None:
    code, note, beside = says("checkpoint", "--log", path, "--stream", MONDAY)
    assert code == 0
    assert note.startswith(f"{MONDAY}\n11\n")
    kept = tmp_path / "monday.txt"
    kept.write_text(note, encoding="utf-8")
    vkey = beside.split()[-1]
    assert vkey.startswith("hall-1+")
    for key in (["--key", vkey], []):
        code, text, _ = says("verify", "--log", path, "--checkpoint", kept, *key)
        assert (code, "检查点1个" in text) == (0, True), text


def test_the_newest_stream_is_meant_when_none_is_named(path: Path) -> None:
    assert checkpoint(path).origin == TUESDAY
    assert checkpoint(path, SETUP).size == 1
    with pytest.raises(NotProvable, match="has no stream"):
        checkpoint(path, "hall-1/2030-01-01")


def test_the_signing_key_may_lie_elsewhere(path: Path, tmp_path: Path) -> None:
    key = tmp_path / "safe" / "hall.pem"
    key.parent.mkdir()
    code, _, _ = says("checkpoint", "--log", path, "--signing-key", key)
    assert code == 0
    assert key.exists()
    assert not path.with_name("events.db.signing.pem").exists()


def test_a_checkpoint_of_changed_rows_is_not_signed(path: Path) -> None:
    tamper(path, CHANGE)
    code, note, why = says("checkpoint", "--log", path, "--stream", MONDAY)
    assert (code, note) == (2, "")
    assert "was changed" in why
    assert not path.with_name("events.db.signing.pem").exists()


def test_a_checkpoint_makes_rows_of_unsealed_streams_nameable(path: Path) -> None:
    note = says("checkpoint", "--log", path)[1]
    kept = path.with_name("tuesday.txt")
    kept.write_text(note, encoding="utf-8")
    tamper(path, "UPDATE stored_events SET topic = 'WindowClosed' WHERE rowid = 13")
    code, text, _ = says("verify", "--log", path, "--checkpoint", kept)
    assert code == 1
    assert (
        f"{TUESDAY} version 1 position 13 WindowClosed: this fact was changed" in text
    )


def test_a_checkpoint_that_was_touched_is_found(path: Path) -> None:
    note = says("checkpoint", "--log", path, "--stream", MONDAY)[1]
    kept = path.with_name("monday.txt")
    kept.write_text(note.replace("\n11\n", "\n10\n"), encoding="utf-8")
    code, text, _ = says("verify", "--log", path, "--checkpoint", kept)
    assert (code, "it was changed" in text) == (1, True)
    kept.write_bytes(b"\xff\xfe no checkpoint")
    code, text, _ = says("verify", "--log", path, "--checkpoint", kept)
    assert (code, "not a signed checkpoint" in text) == (1, True)
    kept.unlink()
    assert says("verify", "--log", path, "--checkpoint", kept)[0] == 2


def test_a_checkpoint_of_an_unknown_key_is_found(path: Path) -> None:
    kept = path.with_name("monday.txt")
    kept.write_text(says("checkpoint", "--log", path)[1], encoding="utf-8")
    other = path.with_name("other.pem")
    vkey = says("checkpoint", "--log", path, "--signing-key", other)[2].split()[-1]
    args = ("verify", "--log", path, "--checkpoint", kept)
    assert says(*args, "--key", vkey)[0] == 1
    assert says(*args, "--signing-key", path.with_name("no.pem"))[0] == 1
    assert says(*args, "--key", "hall-1+nonsense")[0] == 2


# ── The whole log ───────────────────────────────────────────────────────────


def test_verify_says_what_was_checked(path: Path) -> None:
    code, text, _ = says("verify", "--log", path)
    assert code == 0
    assert "与所写一致：14条，3个流，封存2次" in text


def test_verify_names_the_changed_fact(path: Path) -> None:
    tamper(path, CHANGE)
    code, text, _ = says("verify", "--log", path)
    assert code == 1
    first = text.splitlines()[0]
    assert first.startswith(f"{MONDAY} 第2条 位置3 TicketTaken：这一条已被改动 / ")
    assert "version 2 position 3 TicketTaken: this fact was changed" in first
    assert "is NOT what was written" in text


def test_verify_needs_a_log(tmp_path: Path) -> None:
    assert says("verify", "--log", tmp_path / "none.db")[0] == 2
    (tmp_path / "text.db").write_text("no log at all, " * 100)
    assert says("verify", "--log", tmp_path / "text.db")[0] == 2
    with pytest.raises(LogUnreadable):
        list(raw.rows(tmp_path / "text.db"))


def test_an_empty_log_is_sound(tmp_path: Path) -> None:
    Log(tmp_path / "events.db").close()
    assert says("verify", "--log", tmp_path / "events.db")[0] == 0
    assert says("checkpoint", "--log", tmp_path / "events.db")[0] == 2


def test_lost_leaf_lists_are_made_again_of_a_sound_log_only(path: Path) -> None:
    lists = LeafLists(path)
    kept = lists.read(MONDAY)
    (file,) = lists.folder.iterdir()
    file.unlink()
    assert "缺叶表1个" in says("verify", "--log", path)[1]
    code, _, _ = says("verify", "--log", path, "--keep-leaves")
    assert (code, lists.read(MONDAY)) == (0, kept)
    file.unlink()
    tamper(path, CHANGE)
    assert says("verify", "--log", path, "--keep-leaves")[0] == 1
    assert lists.read(MONDAY) is None
    with pytest.raises(NotProvable):
        keep_leaves(path)


# ── Two copies ──────────────────────────────────────────────────────────────


def copied(path: Path) -> Path:
    copy = path.with_name("backup.db")
    connection = sqlite3.connect(path)
    connection.execute(f"VACUUM INTO '{copy}'")
    connection.close()
    return copy


@pytest.mark.parametrize(
    ("statement", "version"),
    [
        (CHANGE, 2),
        ("DELETE FROM stored_events WHERE rowid = 6", 5),
        ("DELETE FROM stored_events WHERE rowid BETWEEN 6 AND 8", 5),
        ("UPDATE stored_events SET topic = NULL WHERE rowid = 6", 5),
        ("UPDATE stored_events SET originator_version = 99 WHERE rowid = 6", 5),
    ],
)
def test_a_backup_names_the_first_row_that_differs(
    path: Path, statement: str, version: int
) -> None:
    """Without seals and lists, as for a day that is not over."""
    copy = copied(path)
    tamper(path, statement)
    found = differences(raw.rows_by_stream(path), raw.rows_by_stream(copy))
    assert [(f.place.stream, f.place.version) for f in found] == [(MONDAY, version)]
    assert found[0].place.position == version + 1
    assert found[0].place.topic == HALL.floor.entries[version].topic


def test_a_backup_names_a_changed_fact_that_no_seal_covers(path: Path) -> None:
    copy = copied(path)
    assert says("verify", "--log", path, "--against", copy)[0] == 0
    tamper(path, "UPDATE stored_events SET topic = 'WindowClosed' WHERE rowid = 13")
    code, text, _ = says("verify", "--log", path, "--against", copy)
    assert code == 1
    assert f"{TUESDAY} 第1条 位置13 WindowOpened：与副本不同" in text


def test_a_log_may_go_on_after_its_backup(path: Path) -> None:
    copy = copied(path)
    tamper(copy, "DELETE FROM stored_events WHERE rowid > 11")
    rows = raw.rows_by_stream
    assert differences(rows(path), rows(copy)) == []
    found = differences(rows(copy), rows(path))
    assert [(f.place.stream, f.place.version) for f in found] == [
        (MONDAY, 11),
        (TUESDAY, 1),
    ]


def test_the_proof_is_json_that_any_reader_can_take_apart(path: Path) -> None:
    proof = json.loads(says("prove", "--log", path, "--position", 4)[1])
    assert set(proof) >= {"leaf", "index", "size", "root", "hashes", "state"}
    assert all(len(bytes.fromhex(hash)) == 32 for hash in proof["hashes"])
