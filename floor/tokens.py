"""Unguessable links for visitors: a token belongs to one ticket of one day.

It is a keyed hash, so nothing has to be stored, a repeated take gives the same link
again, and the log never holds a secret.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from floor.refusals import Unusable

KEY_BYTES = 32
TOKEN_CHARS = 24  # 96 bits: out of reach of guessing over a hall's own port.


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
