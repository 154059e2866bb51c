"""A checkpoint is read as it was signed, or not at all."""

import os
import stat
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from floor.proving.checkpoint import (
    Checkpoint,
    Key,
    NotGenuine,
    SigningKey,
    hall_of,
    read,
    text_of,
)
from floor.refusals import Unusable

# The key and note that implementations of signed notes share as their test vector.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p"
    "ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
OTHER_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
OTHER_SIGNED = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5o"
    "vTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(SEED))
DAY = Checkpoint("hall-1/2026-11-23", 17_501, bytes(range(32)))


def test_notes_are_those_of_the_reference() -> None:
    assert KEY.public("PeterNeumann").vkey == VKEY
    assert KEY.note(TEXT, "PeterNeumann") == f"{TEXT}\n{SIGNED}"
    assert text_of(f"{TEXT}\n{SIGNED}", [Key.read(VKEY)]) == TEXT
    assert text_of(f"{TEXT}\n{OTHER_SIGNED}", [Key.read(OTHER_VKEY)]) == TEXT


def test_signatures_of_witnesses_are_passed_over() -> None:
    both = f"{TEXT}\n{OTHER_SIGNED}{SIGNED}"
    for vkey in (VKEY, OTHER_VKEY):
        assert text_of(both, [Key.read(vkey)]) == TEXT
    assert text_of(both, [Key.read(VKEY), Key.read(OTHER_VKEY)]) == TEXT
    with pytest.raises(NotGenuine, match="no signature"):
        text_of(both, [])
    with pytest.raises(NotGenuine, match="no signature"):
        text_of(f"{TEXT}\n{OTHER_SIGNED}", [Key.read(VKEY)])


def test_a_wrong_signature_of_a_known_key_is_never_made_good_by_another() -> None:
    bent = SIGNED.replace("x08go/ZJ", "x08go/ZK")
    with pytest.raises(NotGenuine, match="changed"):
        text_of(f"{TEXT}\n{SIGNED}{bent}", [Key.read(VKEY)])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{SIGNED[:-1]}",
        f"\x01{TEXT}\n{SIGNED}",
        f"{TEXT}\n{SIGNED}one line more\n",
        f"{TEXT}\n{SIGNED.replace('PeterNeumann', 'Peter Neumann')}",
        f"{TEXT}\n{SIGNED.replace('—', '-')}",
        f"{TEXT}\n{SIGNED.replace('=', '')}",
        f"{TEXT}\n— PeterNeumann x08go=\n",
        f"{TEXT}\n" + SIGNED * 101,
        "x" * 200_000 + f"\n\n{SIGNED}",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NotGenuine):
        text_of(note, [Key.read(VKEY)])


def test_a_key_that_was_mistyped_is_no_key() -> None:
    for start in range(len(VKEY)):
        mistyped = VKEY[:start] + chr(ord(VKEY[start]) + 1) + VKEY[start + 1 :]
        for text in (mistyped, VKEY[start + 1 :], VKEY[:start]):
            with pytest.raises(Unusable):
                Key.read(text)
    assert Key.read(f" {VKEY}\n").vkey == VKEY


def test_a_checkpoint_comes_back_as_it_was_signed() -> None:
    note = KEY.sign(DAY)
    assert note.startswith("hall-1/2026-11-23\n17501\nAAECAwQFBgc")
    assert "\n\n— hall-1 " in note
    assert read(note, [KEY.public("hall-1")]) == DAY
    assert hall_of("hall-1/2026-11-23") == "hall-1"


@given(st.data())
def test_no_changed_byte_of_a_checkpoint_passes(data: st.DataObject) -> None:
    note = KEY.sign(DAY)
    key = [KEY.public("hall-1")]
    at = data.draw(st.integers(0, len(note) - 1))
    to = data.draw(st.characters(exclude_characters=note[at]))
    with pytest.raises(NotGenuine):
        read(note[:at] + to + note[at + 1 :], key)


def test_a_signature_has_one_way_to_be_written() -> None:
    """Base64 leaves bits over at its end; none of them may be set."""
    note = KEY.sign(DAY)
    assert note.endswith("=\n")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for letter in last.replace(note[-3], ""):
        with pytest.raises(NotGenuine):
            read(f"{note[:-3]}{letter}=\n", [KEY.public("hall-1")])


@pytest.mark.parametrize(
    "text",
    [
        "hall-1/x\n5\n",
        "hall-1/x\n05\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hall-1/x\n-5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hall-1/x\nfive\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hall-1/x\n5\nAAEC\n",
        "hall-1/x\n5\n!!!!\n",
        "\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    ],
)
def test_a_signed_text_that_states_no_checkpoint_is_none(text: str) -> None:
    with pytest.raises(NotGenuine):
        read(KEY.note(text, "hall-1"), [KEY.public("hall-1")])


def test_an_extension_line_does_not_hide_what_is_stated() -> None:
    note = KEY.note(f"{DAY.text}printed on the daily report\n", "hall-1")
    assert read(note, [KEY.public("hall-1")]) == DAY


def test_the_signing_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "sign.pem"
    made = SigningKey.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path).public("h").vkey == made.public("h").vkey
    assert os.listdir(tmp_path) == ["sign.pem"]
    other = SigningKey.load(tmp_path / "other.pem")
    assert other.public("h").vkey != made.public("h").vkey


def test_a_signing_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sign.pem"
    SigningKey.load(path)
    path.chmod(0o644)
    with pytest.raises(Unusable, match="chmod 600"):
        SigningKey.load(path)


@pytest.mark.parametrize("text", ["", "secret", b64encode(SEED).decode()])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sign.pem"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Unusable, match="not an Ed25519"):
        SigningKey.load(path)
