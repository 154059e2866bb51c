"""Checkpoints: what a stream was at some size, signed, to be kept outside the log.

A root inside the log proves nothing against whoever owns the log: they could change a
fact and seal the day again. A checkpoint that was printed on a report or mailed to a
supervisor can no longer be taken back. The form is C2SP's tlog-checkpoint, a signed
note with Ed25519, so that tools of other makers read it:

    hall-1/2026-11-23
    17501
    <root, base64>

    — hall-1 <key id and signature, base64>

The first line names the stream; the key is the hall's, so that one verification key
serves all of its days.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from floor.merkle import HASH_BYTES
from floor.refusals import Unusable

ED25519 = b"\x01"  # The signature type of plain Ed25519 in signed notes.
KEY_ID_BYTES = 4
DASH = "\u2014"  # An em dash begins each signature line.
# A checkpoint has some 200 bytes; cosignatures of witnesses may follow.
NOTE_BYTES_MAX = 100_000
SIGNATURES_MAX = 100


class Checkpoint(msgspec.Struct, frozen=True):
    """What is signed: the first `size` facts of a stream have this root.

    origin: the stream, `hall-1/2026-11-23`.
    root: 32 bytes, RFC 9162.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class NotGenuine(Unusable):
    """The text is no checkpoint, or none that the given keys have signed."""


class Key:
    """A verification key (vkey): a name, and the public half of a signing key.

    It is written `hall-1+c74f20a3+AR…`: name, key id, type and key. The id is only
    for finding the key again; the whole text must come from where it is trusted.
    """

    def __init__(self, name: str, public: Ed25519PublicKey) -> None:
        self.name = name
        self._public = public
        self._raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        hashed = sha256(name.encode() + b"\n" + ED25519 + self._raw)
        self.id = hashed.digest()[:KEY_ID_BYTES]

    @classmethod
    def read(cls, vkey: str) -> "Key":
        """The key behind its written form.

        Raises:
            Unusable: it is not one, or was mistyped.
        """
        name, _, rest = vkey.strip().partition("+")
        id, _, written = rest.partition("+")
        try:
            raw = b64decode(written, validate=True)
            if not raw.startswith(ED25519):
                raise ValueError("not Ed25519")
            key = cls(name, Ed25519PublicKey.from_public_bytes(raw[1:]))
        except ValueError:
            key = None
        if key is None or key.vkey != f"{name}+{id}+{written}" or not _is_name(name):
            raise Unusable("验证公钥填写有误", "The verification key is not one")
        return key

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self._raw).decode()}"

    def signed(self, signature: bytes, text: str) -> bool:
        """Whether the signature is this key's over the text."""
        try:
            self._public.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The secret half: one file for each hall's server, never inside the log."""

    def __init__(self, secret: Ed25519PrivateKey) -> None:
        self._secret = secret

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """The key of a file (PEM, PKCS #8); made on first use, for its owner alone.

        Raises:
            Unusable: the file is no such key, or others can read it.
        """
        if not path.exists():
            _make(path)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise Unusable(
                f"签名密钥 {path.name} 他人可读，请 chmod 600",
                f"Others can read the signing key {path.name}; chmod 600",
            )
        try:
            secret = load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError):
            secret = None
        if not isinstance(secret, Ed25519PrivateKey):
            raise Unusable(
                f"{path.name} 不是 Ed25519 签名密钥",
                f"{path.name} is not an Ed25519 signing key",
            )
        return cls(secret)

    def public(self, name: str) -> Key:
        """What others need to check this key's signatures under a name."""
        return Key(name, self._secret.public_key())

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note, under the name of its hall.

        Raises:
            Unusable: the stream is not named as a hall's streams are.
        """
        if not _is_name(checkpoint.origin):
            raise Unusable(
                f"不能为 {checkpoint.origin!r} 签名",
                f"The name {checkpoint.origin!r} cannot be signed",
            )
        return self.note(checkpoint.text, hall_of(checkpoint.origin))

    def note(self, text: str, name: str) -> str:
        """Any text as a signed note."""
        assert text.endswith("\n"), "A note ends with a line."
        assert _is_name(name), "A key's name has no spaces and no plus."
        signature = self.public(name).id + self._secret.sign(text.encode())
        return f"{text}\n{DASH} {name} {b64encode(signature).decode()}\n"


def hall_of(stream: str) -> str:
    """The hall of a stream, which is the name of its key."""
    return stream.rpartition("/")[0] or stream


def text_of(note: str, keys: Iterable[Key]) -> str:
    """The text of a signed note, if one of the keys has signed it.

    Signatures of unknown keys are passed over, as witnesses may add theirs.

    Raises:
        NotGenuine: no note, no signature of these keys, or a wrong one.
    """
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or len(note) > NOTE_BYTES_MAX:
        raise _no_note()
    text += "\n"
    if any(character < " " and character != "\n" for character in note):
        raise _no_note()
    known = {(key.name, key.id): key for key in keys}
    signatures = lines[:-1].split("\n")
    if len(signatures) > SIGNATURES_MAX:
        raise _no_note()
    genuine = False
    for line in signatures:
        name, signature = _signature(line)
        key = known.get((name, signature[:KEY_ID_BYTES]))
        if key is None:
            continue
        if not key.signed(signature[KEY_ID_BYTES:], text):
            raise NotGenuine(
                f"检查点上 {name} 的签名不对，内容已被改动",
                f"The signature of {name} on the checkpoint is wrong: it was changed",
            )
        genuine = True
    if not genuine:
        raise NotGenuine(
            "检查点上没有所给公钥的签名",
            "The checkpoint bears no signature of the given keys",
        )
    return text


def read(note: str, keys: Iterable[Key]) -> Checkpoint:
    """The checkpoint that a signed note states.

    Raises:
        NotGenuine: the keys have not signed it, or it states no checkpoint.
    """
    text = text_of(note, keys)
    try:
        origin, size, root = text.split("\n")[:3]
        stated = Checkpoint(origin, int(size), b64decode(root, validate=True))
    except ValueError:
        raise _no_note() from None
    # One way to write it: no leading zeros, no other base64 of the same root.
    if not (origin and stated.size >= 0 and text.startswith(stated.text)):
        raise _no_note()
    if len(stated.root) != HASH_BYTES:
        raise _no_note()
    return stated


def _signature(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, written = rest.partition(" ")
    try:
        signature = b64decode(written, validate=True)
    except ValueError:
        raise _no_note() from None
    if dash != DASH or not _is_name(name) or len(signature) <= KEY_ID_BYTES:
        raise _no_note()
    if b64encode(signature).decode() != written:  # One way to write each signature.
        raise _no_note()
    return name, signature


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def _no_note() -> NotGenuine:
    return NotGenuine("这不是签名的检查点", "This is not a signed checkpoint")


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    # Whole or not at all, and never in the place of a key that came in between.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, pem)
        os.fsync(file)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.close(file)
        draft.unlink()
