"""What tests share: a day told by the test's own docstring, a hall, a database."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.routing import BaseRoute

from database import Server
from floor import api, door
from floor.catalogue import Catalogue, load
from floor.door import DevGate, Floor
from floor.follow import opened
from floor.log import Database, migrate
from timeline import SAMPLE, FloorDay

Routes = Callable[[Floor], Sequence[BaseRoute]]
ServeHall = Callable[..., AbstractAsyncContextManager["Served"]]


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
