"""What tests share: a day told by the test's own docstring, a hall, a database."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.routing import BaseRoute

from database import Server
from floor import api, door
from floor.catalogue import Catalogue, load
from floor.checking.violations import Violation
from floor.checking.whole import check, check_log
from floor.door import DevGate, Floor
from floor.follow import opened
from floor.log import Database, migrate
from timeline import SAMPLE, FloorDay

Routes = Callable[[Floor], Sequence[BaseRoute]]
ServeHall = Callable[..., AbstractAsyncContextManager["Served"]]


@pytest.fixture(autouse=True)
def promises_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every log that a test leaves, and every day it told, keeps what a hall promises.

    A test that makes an impossible log on purpose says so: `@pytest.mark.impossible`.
    """
    FloorDay.told.clear()
    named = "tmp_path" in request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if named else None
    yield
    if request.node.get_closest_marker("impossible"):
        return
    for day in FloorDay.told:
        assert broken(check_log(day.entries).violations) == []
    for log in folder.rglob("*.db") if folder else ():
        if holds_facts(log):
            assert broken(check(log, processes=1).violations) == []


def broken(violations: list[Violation]) -> list[str]:
    return [f"{v.what} {v.positions} {v.en}" for v in violations]


def holds_facts(path: Path) -> bool:
    """Whether a file is a log that can be read, and not one that a test has spoilt."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
            return bool(
                file.execute("SELECT COUNT(*) FROM stored_events").fetchone()[0]
            )
    except sqlite3.Error:
        return False


class Served:
    """A real hall behind a real port on loopback."""

    def __init__(self, url: str, floor: Floor, path: Path) -> None:
        self.url = url
        self.ws_url = url.replace("http", "ws", 1)
        self.floor = floor
        self.path = path


@pytest.fixture
def floor(request: pytest.FixtureRequest) -> FloorDay:
    """The day that the test's docstring tells, through the real rules."""
    return FloorDay().play(request.function.__doc__ or "")


@pytest.fixture
def serve_hall(tmp_path: Path) -> ServeHall:
    """`async with serve_hall(callers.server.routes) as served:` a real server.

    The JSON door is always there; other rooms' routes are given.
    """

    @asynccontextmanager
    async def serve(
        *rooms: Routes,
        catalogue: Catalogue | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251
        port: int = 0,
        path: Path = tmp_path / "events.db",
    ) -> AsyncIterator[Served]:
        async with opened(path, catalogue or load(SAMPLE), clock()) as (hall, feed):
            served_floor = Floor(feed, hall, clock, DevGate(), b"k" * 32)
            routes = [
                route for room in (api.routes, *rooms) for route in room(served_floor)
            ]
            app = door.application(served_floor, routes)
            listening = door.listen("127.0.0.1", port)
            async with door.running(app, listening) as url:
                yield Served(url, served_floor, path)

    return serve


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL server for the whole run, on a socket of its own."""
    with Server() as server:
        yield server


@pytest.fixture
def empty_database(postgres: Server) -> Database:
    """A database of the test's own, with nothing in it."""
    return postgres.database()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database of the test's own, ready for a log."""
    migrate(empty_database)
    return empty_database
