"""What only the hall's key can make: visitors' links, and who is the same person.

A token belongs to one ticket of one day, or to one booking. It is a keyed hash, so
nothing has to be stored, a repeated take gives the same link again, and the log never
holds a secret. A person is a keyed hash too, so the log never holds an identity.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from floor.refusals import Unusable

KEY_BYTES = 32
TOKEN_CHARS = 24  # 96 bits: out of reach of guessing over a hall's own port.
PERSON_CHARS = 32  # 128 bits: two of a nation's people never share one.


def load_key(path: Path) -> bytes:
    """The hall's secret; made on first use, readable by its owner alone.

    Raises:
        ValueError: the file holds less than a whole key; with none, anybody could
            make a link.
    """
    if not path.exists():
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(file, secrets.token_bytes(KEY_BYTES))
        os.close(file)
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise Unusable(
            f"密钥文件 {path.name} 已损坏，请删除后重新启动",
            f"The key file {path.name} is damaged; delete it and start again",
        )
    return key


def token_of(key: bytes, stream: str, ticket: str) -> str:
    """The token of a ticket: 24 hexadecimal characters."""
    message = f"{stream}/{ticket}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:TOKEN_CHARS]


def matches(key: bytes, stream: str, ticket: str, token: str) -> bool:
    """Whether a token is that of the ticket, in constant time."""
    right = token_of(key, stream, ticket)
    return hmac.compare_digest(right.encode(), token.encode())


def person_of(key: bytes, identity: str) -> str:
    """Who somebody is to the log: 32 hexadecimal characters, the same every time.

    Without the hall's key nobody can try all identity numbers against it.

    Args:
        key: the hall's secret.
        identity: an identity number or phone, already cleaned.
    """
    # No link's message has a NUL in it, so no token is ever part of a person.
    message = b"person\0" + identity.encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:PERSON_CHARS]
