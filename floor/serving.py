"""Serving halls: each with its log, its writer, its feed and a port of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from floor import door, log
from floor.catalogue import Catalogue, load_all
from floor.door import Clock, Floor
from floor.facts import Entry
from floor.follow import at_work
from floor.hall import Hall
from floor.refusals import Unusable
from floor.storing.storage import beside as named_after
from floor.tokens import load_key
from floor.upkeep import FREE_BYTES_MIN, Upkeep

#: The routes of all rooms; the second argument reads the hall's facts from its log.
Rooms = Callable[[Floor, Callable[[], Iterable[Entry]]], Sequence[BaseRoute]]


def check_host(host: str, *, dev: bool) -> None:
    """Whether a hall may be served on an address.

    Raises:
        Unusable: without sign-in all rights would go to whoever reaches it.
    """
    if not dev:
        raise Unusable(
            "登录功能尚未提供，请用 --dev 在本机运行",
            "Sign-in is not there yet; run with --dev on this machine",
        )
    if not door.is_loopback(host):
        raise Unusable(
            f"--dev 免登录，只能监听本机地址，不能是 {host}",
            "--dev gives all rights without sign-in and listens on loopback only, "
            f"not on {host}",
        )


async def serve_halls(
    place: log.Place,
    files: Sequence[Path],
    host: str,
    port: int,
    clock: Clock,
    rooms: Rooms,
    *,
    standby: bool = False,
    free_bytes_min: int = FREE_BYTES_MIN,
    say: Callable[[str], None],
) -> None:
    """Serve halls of one log, on ports in a row; returns only by an error.

    Args:
        place: the log of all of them.
        files: a catalogue for each hall.
        host: the address to listen on.
        port: of the first hall; 0 takes a free one for each.
        clock: aware UTC.
        rooms: gives the routes of a hall.
        standby: wait for each hall until whoever serves it is gone.
        free_bytes_min: less room than this for a file raises an alarm.
        say: told a line for each hall that is served, with its URL.

    Raises:
        Unusable: a catalogue, the log or a port cannot be had.
        LogFailed: a catalogue could not be recorded.
        LogLost: the process must end.
    """

    async def serve(catalogue: Catalogue, port: int) -> None:
        one = open_hall(
            place,
            catalogue,
            host,
            port,
            clock,
            rooms,
            standby=standby,
            free_bytes_min=free_bytes_min,
        )
        async with one as (url, hall):
            say(f"叫好 Jiaohao  {url}/  {catalogue.hall}  (Ctrl-C 停止 stops)")
            raise await asyncio.shield(hall.lost)

    ports = range(port, port + len(files)) if port else [0] * len(files)
    await asyncio.gather(*map(serve, load_all(files), ports))


@asynccontextmanager
async def open_hall(
    place: log.Place,
    catalogue: Catalogue,
    host: str,
    port: int,
    clock: Clock,
    rooms: Rooms,
    *,
    standby: bool = False,
    free_bytes_min: int = FREE_BYTES_MIN,
) -> AsyncIterator[tuple[str, Hall]]:
    """A hall at work behind its port: gives its URL and its writer."""
    hall = catalogue.hall
    held = await log.stand_by(place, hall) if standby else log.Log(place, hall)
    with held, closing(door.listen(host, port)) as listening:
        async with at_work(held, catalogue, clock()) as (writer, feed):
            key = load_key(_key_of(place, hall))
            upkeep = None
            if isinstance(place, Path):  # A database server looks after its own disk.
                upkeep = Upkeep(writer, free_bytes_min=free_bytes_min)
            floor = Floor(feed, writer, clock, door.DevGate(), key, upkeep)
            routes = rooms(floor, lambda: log.read(place, hall=hall))
            app = door.application(floor, routes)
            async with door.running(app, listening) as url:
                yield url, writer


@asynccontextmanager
async def beside(job: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let a follower run beside the block, and end it with the block."""
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _key_of(place: log.Place, hall: str) -> Path:
    """The file of the secret behind visitors' links; never kept in a database."""
    if isinstance(place, Path):
        return place.with_name(f"{place.name}.key")
    return named_after(place).with_name(f"{hall}.key")
